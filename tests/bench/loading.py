"""What it costs to load and validate a policy folder, against merely parsing its files.

    python -m tests.bench.loading ARM FOLDER

Each arm is a process of its own, and tells the CPU seconds of the work alone, without the start of Python.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from tests.bench.agreements import with_agreements
from tests.bench.measure import Cost, in_rounds, ratio, run, table

OURS, EVENTS, LOAD = "load and validate", "parse only", "parse into dicts"
ARMS = (EVENTS, LOAD, OURS)


def bench(folder: Path, sizes: Sequence[int], rounds: int, rng: Random, show: Callable[[str], None]) -> str:
    """Measure folders of so many files (about), and give the text to show."""
    rows: list[list[object]] = []
    first: dict[str, list[Cost]] = {}
    for files in sizes:
        policies = folder / str(files)
        shutil.rmtree(policies, ignore_errors=True)
        with_agreements(policies, 1)
        few = len(list(policies.rglob("*.yaml")))
        shutil.rmtree(policies)
        with_agreements(policies, 1 + max(0, files - few) // 3)  # three files each
        count = len(list(policies.rglob("*.yaml")))
        costs = in_rounds(rounds, {arm: partial(_once, arm, policies) for arm in ARMS}, rng, show)
        first = first or costs
        rows += [
            [
                f"{count:,}" if arm == EVENTS else "",
                arm,
                ratio(costs[arm], costs[EVENTS]),
                ratio(costs[arm], first[arm]),
                f"{sorted(each.cpu for each in costs[arm])[rounds // 2]:.2f}",
            ]
            for arm in ARMS
        ]
    heads = ["files", "", "parse only = 1", "smallest = 1", "s"]
    return f"Policy folders\n\n{table(heads, rows)}"


def _once(arm: str, policies: Path) -> Cost:
    whole = run(["-m", "tests.bench.loading", arm, policies])
    return Cost(whole.told["cpu"], whole.wall, whole.peak, whole.told)


# -------------------------------------------------------------------------------------------- what is done


def work(arm: str, folder: Path) -> Callable[[], Any]:
    """Everything is imported before the clock starts, ours and theirs."""
    from ruamel.yaml import YAML

    from dtm_sharing.policy import build, checks, index, shape, texts  # noqa: F401
    from dtm_sharing.stores.policies import read_policies

    def parse(each: Callable[[str], object]) -> int:
        return sum(bool(each(path.read_text("utf-8"))) for path in sorted(folder.rglob("*.yaml")))

    return {
        OURS: lambda: len(read_policies(folder).agreements),
        # The reader that ours uses as well, event by event: nothing is made of them.
        EVENTS: lambda: parse(lambda text: len(list(YAML(typ="safe", pure=True).parse(text)))),
        LOAD: lambda: parse(YAML(typ="safe", pure=True).load),
    }[arm]


def main() -> None:
    again = work(sys.argv[1], Path(sys.argv[2]))
    began = time.process_time()
    found = again()
    print(json.dumps({"cpu": time.process_time() - began, "found": found}))


if __name__ == "__main__":
    main()
