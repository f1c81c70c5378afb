"""Measure, and show ratios: ``make bench``. What is measured, and why, is in docs/benchmarks.md."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path
from random import Random

from tests.bench import deciding, extract, loading, parsing
from tests.bench.measure import ROOT, Failed

FOLDER = ROOT / ".bench"
AGREEMENTS, FEW = (1, 100, 1000), (1,)
FILES, FEW_FILES = (250, 500, 1000), (30,)
DECISIONS = (
    deciding.Size(375, 125, 13, 2_500),
    deciding.Size(750, 250, 25, 5_000),
    deciding.Size(1_500, 500, 50, 10_000),
)
ONE_DECISION = (deciding.Size(60, 50, 2, 100),)
SIZE, SMALL = extract.Size(30_000, 304), extract.Size(200, 190)
# What is measured, on what, on what with --quick, and how often.
BENCHES = {
    "parsing": (parsing.forked, AGREEMENTS, FEW, 7),
    "parsing-from-start": (parsing.from_start, AGREEMENTS, FEW, 3),
    "policies": (loading.bench, FILES, FEW_FILES, 5),
    "decisions": (deciding.bench, DECISIONS, ONE_DECISION, 5),
    "extract": (extract.bench, SIZE, SMALL, 3),
}


def main() -> int:
    """The command. Gives the exit code."""
    wanted = _arguments()
    folder = wanted.folder / str(os.getpid())
    rng = Random(wanted.seed)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} when it began; ratios: median (least-most)")
    try:
        for name in wanted.only or BENCHES:
            bench, full, quick, rounds = BENCHES[name]
            rounds = wanted.rounds or (1 if wanted.quick else rounds)
            shown = bench(folder / name, quick if wanted.quick else full, rounds, rng, _show)
            print(f"\n{shown}", flush=True)
    except Failed as failed:
        print(failed, file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.bench", description="Measure, and show ratios.")
    parser.add_argument("--quick", action="store_true", help="small and once: to try it, not to quote it")
    parser.add_argument("--only", choices=BENCHES, action="append", help="not all of them")
    parser.add_argument("--rounds", type=int, help="how often each thing is measured (7 times, or 3)")
    parser.add_argument("--seed", type=int, default=2026, help="of the order in which things are measured")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="for what is made meanwhile (.bench)")
    return parser.parse_args()


def _show(progress: str) -> None:
    print(f"  {progress}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
