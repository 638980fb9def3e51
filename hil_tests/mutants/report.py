"""Says of a campaign which test has killed which mutant: as text, Markdown, JSON and HTML."""

from __future__ import annotations

import json

from hil_tests.mutants.campaign import Campaign, Verdict
from hil_tests.report.matrix import Cell, Matrix

SHOWN = 3
"""Killers of a mutant that a line for people names; JSON has all."""


def as_json(campaign: Campaign) -> str:
    """One object; `killers` of a mutant are tests, with the first line of what they said."""
    return json.dumps(
        {
            "suite": str(campaign.suite),
            "project": campaign.project.name,
            "dut": campaign.dut,
            "seed": campaign.seed,
            "tests": campaign.tests,
            "seconds": round(campaign.seconds, 2),
            "made": len(campaign.verdicts),
            "killed": campaign.killed,
            "mutants": [
                {
                    "number": v.mutant.number,
                    "file": v.mutant.file,
                    "line": v.mutant.edit.span.line,
                    "column": v.mutant.edit.span.column,
                    "rule": v.mutant.edit.rule,
                    "what": v.mutant.edit.what,
                    "killed": v.killed,
                    "killers": v.killers,
                    "seconds": round(v.seconds, 2),
                }
                for v in campaign.verdicts
            ],
        },
        indent=2,
        ensure_ascii=False,
    )


def line(verdict: Verdict) -> str:
    """A mutant and who killed it."""
    return f"{verdict.mutant.number:4}  {verdict.mutant.name}\n      {_by(verdict)}"


def _by(verdict: Verdict) -> str:
    if not verdict.killed:
        return "SURVIVED"
    killers = list(verdict.killers)
    more = f" and {len(killers) - SHOWN} more" if len(killers) > SHOWN else ""
    return "killed by " + ", ".join(killers[:SHOWN]) + more


def by_test(campaign: Campaign) -> dict[str, tuple[list[int], list[int]]]:
    """For each test the numbers of the mutants it killed, and of those that it alone killed."""
    found: dict[str, tuple[list[int], list[int]]] = {t: ([], []) for t in campaign.tests}
    for verdict in campaign.verdicts:
        for test in verdict.killers:
            killed, alone = found.setdefault(test, ([], []))
            killed.append(verdict.mutant.number)
            if len(verdict.killers) == 1:
                alone.append(verdict.mutant.number)
    return found


def score(campaign: Campaign) -> str:
    made = len(campaign.verdicts)
    share = f" ({100 * campaign.killed / made:.0f} %)" if made else ""
    return f"{campaign.killed} of {made} mutants killed{share}"


def summary(campaign: Campaign) -> str:
    """What stands at the end: tests and what they killed, survivors, the score."""
    lines = ["", "test: mutants it killed (those that no other test killed)"]
    for test, (killed, alone) in by_test(campaign).items():
        only = f" ({', '.join(map(str, alone))})" if alone else ""
        lines.append(f"  {test}: {', '.join(map(str, killed)) or 'none'}{only}")
    if campaign.survivors:
        lines += ["", "survivors:", *(f"  {m.number:4}  {m.name}" for m in campaign.survivors)]
    lines += ["", f"{score(campaign)} by {len(campaign.tests)} tests on {campaign.dut}"]
    return "\n".join(lines)


def markdown(campaign: Campaign) -> str:
    """A table for people: mutant × killing tests."""
    lines = ["| | place | rule | from → to | killed by |", "|---|---|---|---|---|"]
    for verdict in campaign.verdicts:
        edit = verdict.mutant.edit
        what = f"`{edit.what}`".replace("|", "\\|")
        names = [f"`{t.removeprefix('test_')}`" for t in verdict.killers]
        killers = ", ".join(names[:SHOWN])
        if len(names) > SHOWN:
            killers += f" and {len(names) - SHOWN} more"
        lines.append(
            f"| {verdict.mutant.number} | {verdict.mutant.place} | {edit.rule} | {what} "
            f"| {killers or '**survived**'} |"
        )
    return "\n".join([*lines, "", score(campaign) + "."])


def matrix(campaign: Campaign) -> Matrix:
    """The table mutant × test for pages; its first column counts the tests that killed."""
    made = Matrix(f"Mutants of {campaign.project.name} on {campaign.dut}", "mutant")
    made.columns = ["killed by", *map(_spoken, by_test(campaign))]
    for verdict in campaign.verdicts:
        name = f"{verdict.mutant.number}: {verdict.mutant.name}"
        if verdict.killed:
            made.put(name, "killed by", Cell("good", str(len(verdict.killers)), _by(verdict)))
        else:
            made.put(name, "killed by", Cell("bad", "", "survived"))
        for test, said in verdict.killers.items():
            made.put(name, _spoken(test), Cell("good", "", said))
    made.notes.append(f"{score(campaign)} by {len(campaign.tests)} tests.")
    return made


def _spoken(test: str) -> str:
    return test.removeprefix("test_").replace("_", " ")
