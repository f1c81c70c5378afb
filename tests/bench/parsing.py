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


def forked(
    folder: Path, agreements: Sequence[int], rounds: int, rng: Random, show: Callable[[str], None]
) -> str:
    """Measure parsing as the DAG processor does it, and give the text to show.

    Raises:
        Failed: a file did not parse into all its DAGs, or imported what parsing must not.
    """
    rows = []
    for place in _places(folder, agreements):
        with _manager(place) as parse:
            show(f"{place.agreements} agreements: once, so that every cache is warm")
            for name in (OURS_COLD, EMPTY, BY_HAND):
                parse(name)
            rows += _measured(place, rounds, parse, rng, show)
    return f"Parsing DAG files, forked with Airflow loaded, against empty DAGs\n\n{_table(rows)}"


def from_start(
    folder: Path, agreements: Sequence[int], rounds: int, rng: Random, show: Callable[[str], None]
) -> str:
    """The same for whole processes, as ``airflow dags`` commands are: most of it is Airflow's own start."""
    rows = []
    for place in _places(folder, agreements):

        def parse(name: str, place: Place = place) -> Cost:
            if name == OURS_COLD:
                shutil.rmtree(place.kept, ignore_errors=True)
            return run([PROCESSOR, "whole", place.files[name]], place.environment)

        show(f"{place.agreements} agreements: once, so that every cache is warm")
        parse(OURS_COLD)
        rows += _measured(place, rounds, parse, rng, show)
    return f"Parsing DAG files, whole processes, against empty DAGs\n\n{_table(rows)}"


def _places(folder: Path, agreements: Sequence[int]) -> Iterator[Place]:
    for number in agreements:
        place = Place(folder / f"agreements-{number}", number)
        place.make()
        yield place


def _measured(
    place: Place,
    rounds: int,
    parse: Callable[[str], Cost],
    rng: Random,
    show: Callable[[str], None],
) -> list[list[object]]:
    runs = {name: partial(_checked, parse, name, place.dags) for name in place.files}
    costs = in_rounds(rounds, runs, rng, lambda what: show(f"{place.agreements} agreements, {what}"))
    return [_row(place, name, costs) for name in (OURS, OURS_COLD, BY_HAND)]


def _table(rows: Sequence[Sequence[object]]) -> str:
    return table(("agreements", "DAGs", "file", "CPU", "wall", "most memory", "CPU ms", "empty"), rows)


def _row(place: Place, name: str, costs: Mapping[str, Sequence[Cost]]) -> list[object]:
    mine, empty = costs[name], costs[EMPTY]
    ratios = [ratio(mine, empty, what) for what in ("cpu", "wall", "peak")]
    times = (f"{1000 * median(each.cpu for each in some):.0f}" for some in (mine, empty))
    return [place.agreements, place.dags, name, *ratios, *times]


def _checked(parse: Callable[[str], Cost], name: str, dags: int) -> Cost:
    """Measure one parse, and see that it was one: all its DAGs, no error, nothing heavy."""
    cost = parse(name)
    told = cost.told
    if told["dags"] != dags or told["errors"]:
        raise Failed(f"{name}: {told['dags']} DAGs instead of {dags}; {told['errors']}")
    if heavy := FORBIDDEN & {*told["heavy"]}:
        raise Failed(f"{name}: parsing imported {', '.join(sorted(heavy))}")
    return cost


@contextmanager
def _manager(place: Place) -> Iterator[Callable[[str], Cost]]:
    """One process that has Airflow loaded, and forks for each parse."""
    log = place.folder / "manager.log"
    with (
        log.open("wb") as complained,
        subprocess.Popen(
            [sys.executable, PROCESSOR, "forked"],
            cwd=ROOT,
            env={**os.environ, **place.environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complained,
            text=True,
        ) as manager,
    ):

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
