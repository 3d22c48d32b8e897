# SPDX-License-Identifier: GPL-3.0-or-later
"""budgets.json: the limits that a run defends: ratios, figures and counts of instructions.

A ratio has `at_most`, or `at_least` where more is better. It may have a `target` beyond that: the
goal, which the machine of the last committed run did not reach. The table of a run shows the
target; --check defends the other. `than_before` is what each work on loopback may cost in a run
with --before, as a part of what it cost there.
"""
import json
from pathlib import Path

import report
from works import WORKS

FILE = Path(__file__).resolve().parent / "budgets.json"


def read():
    return json.loads(FILE.read_text(encoding="utf-8"))


def limit(ratio):
    return ratio["at_least"] if "at_least" in ratio else ratio["at_most"]


def goal(ratio):
    return ratio.get("target", limit(ratio))


def sign(ratio):
    return "≥" if "at_least" in ratio else "≤"


def is_kept(ratio, found, wanted):
    return found >= wanted if "at_least" in ratio else found <= wanted


def _than_before():
    return [{"work": work.key, "figure": work.figures[0], "than": "before",
             "at_most": read()["than_before"]}
            for work in WORKS if not work.line and not work.mode.startswith("stall")]


def name(ratio):
    text = f"{ratio['work']} {ratio['figure']}"
    if "than" in ratio:
        text += f" ÷ {ratio['than']}"
    if "than_work" in ratio:
        text += f" ÷ {ratio['than_work']}"
    return text


def value(results, ratio):
    """Returns the figure that the budget limits, or None when the run did not measure it."""
    if "than" in ratio or "than_work" in ratio:
        return report.ratio(results, ratio["work"], ratio["figure"], ratio.get("than", "sluice"),
                            ratio.get("than_work", ratio["work"]))
    return report.median(report.values(results, ratio["work"], "sluice", ratio["figure"]))


def of_work(work, figure):
    return [ratio for ratio in read()["ratios"]
            if ratio["work"] == work and ratio["figure"] == figure]


def check_ratios(results):
    """Prints each budget with its figure. Returns 1 when one is broken or none was measured."""
    kept, broken, unknown = 0, 0, 0
    print("\n| budget | figure | limit | |\n|---|---|---|---|")
    for ratio in read()["ratios"] + (_than_before() if "before" in results["programs"] else []):
        found = value(results, ratio)
        if found is None:
            unknown += 1
            continue
        is_good = is_kept(ratio, found, limit(ratio))
        kept += is_good
        broken += not is_good
        print(f"| {name(ratio)} | {found:.3f} | {sign(ratio)} {limit(ratio)} | "
              f"{'kept' if is_good else '**broken**'} |")
    print(f"\n{kept} budgets kept, {broken} broken, {unknown} not measured")
    return 1 if broken or not kept else 0
