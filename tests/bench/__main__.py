"""Measure, and show ratios: ``make bench``. What is measured, and why, is in docs/benchmarks.md."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path
from random import Random

from tests.bench import extract, parsing
from tests.bench.measure import ROOT, Failed

FOLDER = ROOT / ".bench"
PARTS = ("parsing", "extract")


def main() -> int:
    """The command. Gives the exit code."""
    wanted = _arguments()
    folder = wanted.folder / ("quick" if wanted.quick else "full")
    rng = Random(wanted.seed)
    try:
        for part in wanted.only or PARTS:
            if part == "parsing":
                agreements = (1, 5) if wanted.quick else (1, 100, 1000)
                shown = parsing.bench(folder / "parsing", agreements, wanted.rounds or (1 if wanted.quick else 7), rng, _show)
            else:
                size = extract.Size(200, 190) if wanted.quick else extract.Size(30_000, 304)
                shown = extract.bench(folder / "extract", size, wanted.rounds or (1 if wanted.quick else 3), rng, _show)
            print(f"\n{shown}\n", flush=True)
    except Failed as failed:
        print(failed, file=sys.stderr)
        return 1
    finally:
        if not wanted.keep:
            shutil.rmtree(folder, ignore_errors=True)
    return 0
