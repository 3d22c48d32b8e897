# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes medians, ratios and a Markdown table of samples."""
import statistics

import budgets
from servers import ALL
from works import FIGURES, WORKS

NOISY = 0.05  # part of the proxy's core that others used during a sample


def values(results, work, server, figure):
    return [sample["figures"][figure] for sample in results["samples"]
            if sample["work"] == work and sample["server"] == server and
            figure in sample["figures"]]


def median(numbers):
    return statistics.median(numbers) if numbers else None


def ratio(results, work, figure, server, other_work):
    """Divides ours by the other's in each round, and returns the median."""
    def by_round(key, name):
        return {sample["round"]: sample["figures"].get(figure)
                for sample in results["samples"]
                if sample["work"] == key and sample["server"] == name}
    ours, theirs = by_round(work, "sluice"), by_round(other_work, server)
    return median([ours[number] / theirs[number] for number in ours
                   if ours[number] is not None and theirs.get(number)])


def _cell(results, work, server, figure):
    numbers = values(results, work, server, figure)
    if not numbers:
        return "–"
    digits = FIGURES[figure][1]
    text = f"{median(numbers):,.{digits}f}"
    if len(numbers) > 1:
        text += f" ({min(numbers):,.{digits}f}..{max(numbers):,.{digits}f})"
    if server == "sluice":
        return f"**{text.split(' ')[0]}**{text[len(text.split(' ')[0]):]}"
    part = ratio(results, work, figure, server, work)
    return text if part is None else f"{text} ×{part:.2f}"


def _target(results, work, figure):
    parts = []
    for budget in budgets.of_work(work, figure):
        found = budgets.value(results, budget)
        than = budget.get("than", budget.get("than_work"))
        target = budgets.goal(budget)
        text = f"{budgets.sign(budget)} {target}" + (f" {than}" if than else "")
        if found is not None:
            text += ": ok" if budgets.is_kept(budget, found, target) else f": **{found:.2f}**"
        parts.append(text)
    return ", ".join(parts)


def markdown(results):
    kinds = [kind for kind in ALL if kind.name in results["programs"]]
    host = results["machine"]
    programs = ", ".join(f"{kind.title} {results['programs'][kind.name]}" for kind in kinds)
    lines = [f"## sluice {results['commit']}, {results['date']}", "",
             f"{host['processor']}, {host['cores']} cores, Linux {host['kernel']}, "
             f"{host['system']}. {programs}. {results['rounds']} rounds"
             f"{', quick: too short to quote' if results['quick'] else ''}.", "",
             "Median (lowest..highest); ×: sluice ÷ this one, median over the rounds. HAProxy "
             "and nginx relay bytes and do no WebSocket work.", "",
             "| work | figure | " + " | ".join(kind.title for kind in kinds) + " | budget |",
             "|---|---|" + "---|" * len(kinds) + "---|"]
    for work in WORKS:
        for figure in work.figures:
            if not any(values(results, work.key, kind.name, figure) for kind in kinds):
                continue
            cells = [_cell(results, work.key, kind.name, figure) for kind in kinds]
            lines.append(f"| {work.title} | {FIGURES[figure][0]} | " + " | ".join(cells) +
                         f" | {_target(results, work.key, figure)} |")
    lines += ["", *_remarks(results), ""]
    return "\n".join(lines)


def short(results):
    """Returns the table of the project's README: the medians of the works that say most."""
    kinds = [kind for kind in ALL if kind.name in results["programs"]]
    lines = ["| | " + " | ".join(kind.title for kind in kinds) + " |",
             "|---|" + "---|" * len(kinds)]
    for work in WORKS:
        if work.is_in_short:
            unit, digits = FIGURES[work.figures[0]]
            cells = []
            for kind in kinds:
                middle = median(values(results, work.key, kind.name, work.figures[0]))
                text = "–" if middle is None else f"{middle:,.{digits}f}"
                cells.append(f"**{text}**" if kind.name == "sluice" else text)
            lines.append(f"| {work.title}, {unit} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _remarks(results):
    samples = results["samples"]
    noisy = sum(sample["others"] > NOISY or sample["stolen"] > NOISY for sample in samples)
    remarks = [f"- Left out: {text}." for text in results["left_out"]]
    remarks += [f"- Failed: {text}." for text in results["errors"]]
    for name in results["programs"]:
        speed = median([sample["bulk_mb_s"] for sample in samples
                        if "bulk_mb_s" in sample and sample["server"] == name])
        if speed is not None:
            remarks.append(f"- Beside the quiet sessions the busy one of {name} moved "
                           f"{speed:.0f} MB/s.")
    if noisy:
        remarks.append(f"- The machine was busy: in {noisy} of {len(samples)} samples others used "
                       f"more than {NOISY:.0%} of the proxy's core. That changes CPU time little "
                       "and latencies much.")
    return remarks
