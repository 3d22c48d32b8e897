# SPDX-License-Identifier: GPL-3.0-or-later
"""budgets.json: the limits that a run defends: ratios, figures and counts of instructions.

A ratio may have a `target` below its `at_most`: the goal, which the machine of the last committed
run did not reach. The table of a run shows the target; --check defends at_most.
"""
import json
from pathlib import Path

import report

FILE = Path(__file__).resolve().parent / "budgets.json"


def read():
    return json.loads(FILE.read_text(encoding="utf-8"))


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
    print("\n| budget | figure | at most | |\n|---|---|---|---|")
    for ratio in read()["ratios"]:
        found = value(results, ratio)
        if found is None:
            unknown += 1
            continue
        is_kept = found <= ratio["at_most"]
        kept += is_kept
        broken += not is_kept
        print(f"| {name(ratio)} | {found:.3f} | {ratio['at_most']} | "
              f"{'kept' if is_kept else '**broken**'} |")
    print(f"\n{kept} budgets kept, {broken} broken, {unknown} not measured")
    return 1 if broken or not kept else 0
