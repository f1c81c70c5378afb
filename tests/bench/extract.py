"""What an encrypted extract of a large round costs, against the same libraries alone, and a notebook."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from statistics import median

from tests.bench.measure import MIB, Cost, Failed, in_rounds, ratio, run, table

FORMS = {
    "workbook (xlsx)": ("ours-workbook", {"bare libraries": "bare-workbook", "notebook": "today"}),
    "document (zip)": ("ours-document", {"bare libraries": "bare-document"}),
}
# What is done for certainty alone: no bare pipeline does it, and no setting of ours leaves it out.
CHECKS = ("reopen and compare", "try a wrong password", "expectations", "import Great Expectations")


@dataclass(frozen=True, slots=True)
class Size:
    """Rows, and columns in the file; four of these are Secret and go at collection."""

    rows: int
    columns: int


def bench(folder: Path, size: Size, rounds: int, rng: Random, show: Callable[[str], None]) -> str:
    """Measure, and give the text to show.

    Raises:
        Failed: a way gave an extract of another shape than the others.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    show(f"making a round of {size.rows:,} by {size.columns}")
    # In a process of its own, as all that is large: see measure.run.
    made = run(["-m", "tests.bench.wide", folder, str(size.rows), str(size.columns)])
    shape = {"rows": size.rows, "columns": made.told["leaving"]}
    arms = sorted({arm for ours, against in FORMS.values() for arm in (ours, *against.values())})
    runs = {arm: partial(_checked, arm, folder, shape) for arm in arms}
    costs = in_rounds(rounds, runs, rng, show)
    heading = f"From file to encrypted extract, {shape['rows']:,} rows by {shape['columns']} columns"
    return f"{heading}\n\n{_ratios(costs)}\n\n{_parts(costs)}"


def _checked(arm: str, folder: Path, shape: Mapping[str, int]) -> Cost:
    cost = run(["-m", "tests.bench.arms", arm, folder])
    found = {name: cost.told[name] for name in shape}
    if found != shape:
        raise Failed(f"{arm} made an extract of {found}, not of {shape}: these costs cannot be compared")
    return cost


def _ratios(costs: Mapping[str, Sequence[Cost]]) -> str:
    rows = []
    for form, (ours, against) in FORMS.items():
        for name, other in against.items():
            ratios = [ratio(costs[ours], costs[other], what) for what in ("cpu", "wall", "peak")]
            seconds = [f"{median(each.cpu for each in costs[arm]):.1f}" for arm in (ours, other)]
            memory = [f"{median(each.peak for each in costs[arm]) / MIB:.0f}" for arm in (ours, other)]
            rows.append([form, name, *ratios, *seconds, *memory])
    head = ("extract", "against", "CPU", "wall", "most memory", "CPU s", "theirs", "MiB", "theirs")
    return table(head, rows)


def _parts(costs: Mapping[str, Sequence[Cost]]) -> str:
    """CPU by part, as a multiple of all that the bare libraries take: the sum is the ratio."""
    forms = [(ours, against["bare libraries"]) for ours, against in FORMS.values()]
    names = {name: None for ours, _ in forms for cost in costs[ours] for name in cost.told["parts"]}
    rows = [[name, *(_share(costs, *form, (name,)) for form in forms)] for name in names]
    rows.sort(key=lambda row: row[1], reverse=True)
    checks = ["all checks together", *(_share(costs, *form, CHECKS) for form in forms)]
    rest = [n for n in names if n not in CHECKS]
    without = ["all but the checks", *(_share(costs, *form, rest) for form in forms)]
    return table(("CPU by part, bare libraries = 1", *FORMS), [*rows, checks, without])


def _share(costs: Mapping[str, Sequence[Cost]], ours: str, bare: str, names: Sequence[str]) -> str:
    pairs = zip(costs[ours], costs[bare], strict=True)
    return f"{median(sum(o.told['parts'].get(name, 0) for name in names) / b.cpu for o, b in pairs):.2f}"
