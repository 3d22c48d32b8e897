#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the cases about the group that both ends of TLS agree on; run.sh calls it."""

import os
import sys
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path[0] = str(HERE.parent / "fixture")

import harness  # noqa: E402
import runner  # noqa: E402


class GroupTest(harness.Test):
    """A case has what the integration cases have, and a new OpenSSL."""

    openssl = None


def main():
    parser = runner.new_parser(__doc__)
    parser.add_argument("--openssl", required=True, metavar="PATH",
                        help="a program of OpenSSL 3.5 or newer")
    options = parser.parse_args()
    GroupTest.openssl = os.path.abspath(options.openssl)
    suite = runner.Suite()
    suite.jobs = 1
    suite.new_test = GroupTest
    runner.become_subreaper()
    return runner.main(suite, runner.load_cases(HERE), options)


if __name__ == "__main__":
    sys.exit(main())
