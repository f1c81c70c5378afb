"""What our DAG file costs the DAG processor, against a file with as many empty DAGs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from statistics import median
from types import SimpleNamespace

from tests.bench.agreements import with_agreements
from tests.bench.measure import ROOT, Cost, Failed, cost_of, in_rounds, ratio, run, table

PROCESSOR = Path(__file__).with_name("processor.py")
OURS, OURS_COLD, EMPTY, BY_HAND = "ours", "ours, policy changed", "empty DAGs", "one task, asset schedule"
FORBIDDEN = {"pandas", "great_expectations", "boto3", "pyarrow"}

# The last one is no goal: it is what Airflow takes for DAGs of the same shape, with nothing of ours in them.
FILES = {
    EMPTY: """\
from airflow.sdk import DAG

for number in range({dags}):
    globals()[f"empty_{{number}}"] = DAG(f"empty_{{number}}")
""",
    BY_HAND: """\
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Asset, PartitionedAssetTimetable

for number in range({dags}):
    schedule = PartitionedAssetTimetable(assets=Asset(name="table", uri="bench://table"))
    with DAG(f"plain_{{number}}", schedule=schedule) as dag:
        EmptyOperator(task_id="share")
    globals()[dag.dag_id] = dag
""",
}


@dataclass(frozen=True, slots=True)
class Place:
    """An Airflow home, a policy folder and DAG files, for one number of agreements."""

    folder: Path
    agreements: int

    @property
    def dags(self) -> int:
        return 2 * self.agreements + 1  # two pathways each, and the monthly DAG

    @property
    def kept(self) -> Path:
        return self.folder / "home" / "dtm_sharing"

    @property
    def files(self) -> dict[str, Path]:
        written = {name: self.folder / f"{number}.py" for number, name in enumerate(FILES)}
        return {OURS: self.folder / "pathways.py", OURS_COLD: self.folder / "pathways.py", **written}

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AIRFLOW_HOME": str(self.folder / "home"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
            "DTM_SHARING_POLICIES": str(self.folder / "policies"),
        }

    def make(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        with_agreements(self.folder / "policies", self.agreements)
        shutil.copy(ROOT / "dags" / "pathways.py", self.folder)
        for name, text in FILES.items():
            self.files[name].write_text(text.format(dags=self.dags), encoding="utf-8")


def bench(
    folder: Path, agreements: Sequence[int], rounds: int, rng: Random, show: Callable[[str], None]
) -> str:
    """Measure, and give the text to show.

    Raises:
        Failed: a file did not parse into all its DAGs, or imported what parsing must not.
    """
    rows = []
    for number in agreements:
        place = Place(folder / f"agreements-{number}", number)
        place.make()
        with _manager(place) as forked:
            for how, parse in (("forked", forked), ("from start", _from_start(place))):
                show(f"{number} agreements, {how}: once, so that every cache is warm")
                for name in (OURS_COLD, EMPTY, BY_HAND):
                    parse(name)
                runs = {name: partial(_checked, parse, name, place.dags) for name in place.files}
                costs = in_rounds(rounds, runs, rng, lambda what: show(f"{number} agreements, {how}, {what}"))
                rows += [_row(f"{number:,}: {how}", name, costs) for name in (OURS, OURS_COLD, BY_HAND)]
    return table(("agreements", "file", "CPU", "wall", "most memory", "CPU ms", "empty"), rows)


def _row(heading: str, name: str, costs: Mapping[str, Sequence[Cost]]) -> list[object]:
    mine, empty = costs[name], costs[EMPTY]
    ratios = [ratio(mine, empty, what) for what in ("cpu", "wall", "peak")]
    return [heading, name, *ratios, *(f"{1000 * median(each.cpu for each in c):.0f}" for c in (mine, empty))]


def _checked(parse: Callable[[str], Cost], name: str, dags: int) -> Cost:
    """Measure one parse, and see that it was one: all its DAGs, no error, nothing heavy."""
    cost = parse(name)
    told = cost.told
    if told["dags"] != dags or told["errors"]:
        raise Failed(f"{name}: {told['dags']} DAGs instead of {dags}; {told['errors']}")
    if heavy := FORBIDDEN & {*told["heavy"]}:
        raise Failed(f"{name}: parsing imported {', '.join(sorted(heavy))}")
    return cost


def _from_start(place: Place) -> Callable[[str], Cost]:
    """A new process for each parse: what ``airflow dags`` commands and the first parse of all cost."""

    def parse(name: str) -> Cost:
        if name == OURS_COLD:
            shutil.rmtree(place.kept, ignore_errors=True)
        return run([PROCESSOR, "whole", place.files[name]], place.environment)

    return parse


@contextmanager
def _manager(place: Place) -> Iterator[Callable[[str], Cost]]:
    """One process that has Airflow loaded, and forks for each parse."""
    log = place.folder / "manager.log"
    with log.open("wb") as complained, subprocess.Popen(
        [sys.executable, PROCESSOR, "forked"],
        cwd=ROOT,
        env={**os.environ, **place.environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=complained,
        text=True,
    ) as manager:

        def parse(name: str) -> Cost:
            forget = str(place.kept) if name == OURS_COLD else None
            manager.stdin.write(json.dumps({"file": str(place.files[name]), "forget": forget}) + "\n")
            manager.stdin.flush()
            line = manager.stdout.readline()
            said = json.loads(line) if line else {"exit": None}
            if said["exit"] != 0:
                raise Failed(f"{name} was not parsed (exit {said['exit']}): see {log}")
            return cost_of(SimpleNamespace(**said["usage"]), said["wall"], said["told"])

        yield parse
        manager.stdin.close()
