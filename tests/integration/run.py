#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the integration cases: the program on real sockets, with real services."""

import sys
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path[0] = str(HERE.parent / "fixture")

import runner  # noqa: E402


def main():
    parser = runner.new_parser(__doc__)
    parser.add_argument("-j", type=int, metavar="N", help="cases at a time, idle or not")
    options = parser.parse_args()
    suite = runner.Suite()
    suite.most = 10
    if options.j:
        suite.jobs = suite.most = options.j
    return runner.main(suite, runner.load_cases(HERE), options)


if __name__ == "__main__":
    sys.exit(main())
