"""Costs of processes as the operating system counts them, and ratios of costs that were paid side by side.

A figure in seconds says more about a machine and its other guests than about the code. So each thing is
measured against another, in one run: every round runs all of them once, in an order drawn anew, and a ratio
is that of two costs of the same round. Shown are the median of these ratios, the smallest and the largest.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
MIB = 1 << 20
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes


class Failed(Exception):
    """A measured process failed, or did not do what was to be measured."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process took: CPU and wall-clock seconds, bytes of memory at its peak; and what it told."""

    cpu: float
    wall: float
    peak: int
    told: dict[str, Any] = field(default_factory=dict)


def cost_of(usage: Any, wall: float, told: dict[str, Any]) -> Cost:
    """The cost, from what ``os.wait4`` says of a process and of those that it waited for itself."""
    return Cost(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss * _RSS_UNIT, told)


def run(arguments: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> Cost:
    """Run Python with these arguments in the project's folder; the last line of its output is JSON.

    Whoever calls this must stay small: a child counts as having held what its parent held when it began.

    Raises:
        Failed: it did not exit with 0.
    """
    command = [sys.executable, *map(str, arguments)]
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as complained:
        began = time.perf_counter()
        child = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **(environment or {})}, stdout=said, stderr=complained
        )
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        complained.seek(0)
        if child.returncode:
            end = complained.read()[-2000:].decode(errors="replace")
            raise Failed(f"{' '.join(command[1:])} exits with {child.returncode}:\n{end}")
        return cost_of(usage, wall, json.loads(said.read().splitlines()[-1]))


def in_rounds(
    rounds: int, runs: Mapping[str, Callable[[], Cost]], rng: Random, show: Callable[[str], None]
) -> dict[str, list[Cost]]:
    """Each of ``runs`` once per round, in an order drawn anew: name -> its cost in each round."""
    costs: dict[str, list[Cost]] = {name: [] for name in runs}
    for number in range(1, rounds + 1):
        for name in rng.sample(sorted(runs), len(runs)):
            show(f"round {number} of {rounds}: {name}")
            costs[name].append(runs[name]())
    return costs


@dataclass(frozen=True, slots=True)
class Spread:
    """Median, smallest and largest of some figures."""

    middle: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(median(values), min(values), max(values))

    def __str__(self) -> str:
        return f"{self.middle:6.2f} ({self.least:.2f}-{self.most:.2f})"


def ratio(ours: Sequence[Cost], against: Sequence[Cost], what: str = "cpu") -> Spread:
    """How many times ``against`` it costs, round by round; ``what`` is ``cpu``, ``wall`` or ``peak``."""
    pairs = zip(ours, against, strict=True)
    return Spread.of([getattr(one, what) / getattr(other, what) for one, other in pairs])


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Text in columns; the first to the left, the others to the right."""
    cells = [[str(each) for each in row] for row in (head, *rows)]
    widths = [max(len(row[n]) for row in cells) for n in range(len(head))]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))])
        for row in cells
    ]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])
