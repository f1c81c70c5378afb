"""Start what a round needs, send the round through, show what happened, stop what was started."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from dtm_sharing.demo import catcher
from dtm_sharing.demo.report import Report
from dtm_sharing.demo.sample import DATASET
from dtm_sharing.demo.server import Run, Server
from dtm_sharing.demo.workspace import MAIL_LOGIN, Workspace
from dtm_sharing.errors import StoreFailed, TableUnreadable
from dtm_sharing.stores.pathways import index
from dtm_sharing.stores.policies import read_policies

ROUND, ROUND_DAG, BLOCKED_DAG = "2", "npl_site_assessment", "npl_blocked_export"
RUN_SECONDS = 900
QUIET_SECONDS = 6  # no run in sight for so long: the scheduler has nothing left to start


class Progress:
    """One line for each thing that happens, with the seconds since the start."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def __call__(self, sentence: str) -> None:
        print(f"[{time.monotonic() - self._began:4.0f} s] {sentence}", flush=True)


def run(folder: Path, round_file: Path | None, *, stay: bool) -> int:
    """One demonstration.

    Returns: 0, or 1 where a step failed that should not have.

    Raises:
        SharingError: something could not be started or read.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    tell = Progress()
    if round_file is not None:
        _check_readable(round_file)
    space = Workspace.make(folder)
    policy = read_policies(space.policies)
    file = round_file.resolve() if round_file else space.write_sample_round()
    tell(f"the round is {_shown(file)}")
    pathways = [line.dag_id for line in index(policy) if DATASET in line.datasets]
    with ExitStack() as running:
        mail = running.enter_context(mail_catcher(space))
        tell(f"a mail catcher with STARTTLS and a login listens on port {mail['port']}")
        server = running.enter_context(airflow(space, mail))
        server.wait_until_ready([ROUND_DAG, BLOCKED_DAG, *pathways], tell)
        tell(f"Airflow runs at {server.address}; starting {ROUND_DAG}")
        server.trigger(ROUND_DAG, {"round": ROUND, "file": str(file)})
        runs = follow(server, {ROUND_DAG, BLOCKED_DAG, *pathways}, tell)
        report = Report(space, server, runs, ROUND, file)
        good = report.show(meant_to_fail=BLOCKED_DAG, expected=[ROUND_DAG, BLOCKED_DAG, *pathways])
        if stay:
            print(f"\nAirflow runs until Ctrl-C: {server.address}, user admin, password {server.password}")
            _wait_for_interrupt()
        tell("stopping what was started")
    return 0 if good else 1


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _check_readable(file: Path) -> None:
    try:
        with file.open("rb") as found:
            if not found.read(1):
                raise TableUnreadable(f"{file} is empty")
    except OSError as problem:
        raise TableUnreadable(f"{file} cannot be read: {problem.strerror}") from problem


def _shown(file: Path) -> str:
    return os.path.relpath(file)


@contextmanager
def mail_catcher(space: Workspace) -> Iterator[dict[str, Any]]:
    """The mail catcher as a process of its own: its host, its port, and the authority that vouches for it."""
    space.mail.mkdir(mode=0o700)
    ready = space.mail / "ready.json"
    process = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-m", "dtm_sharing.demo.catcher", "--folder", str(space.mail)],
        env={**os.environ, catcher.LOGIN: MAIL_LOGIN, catcher.PASSWORD: space.mail_password},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        until = time.monotonic() + 60
        while not ready.exists():
            if process.poll() is not None or time.monotonic() > until:
                raise StoreFailed("the mail catcher of the demonstration did not start")
            time.sleep(0.1)
        found = json.loads(ready.read_bytes())
        yield found
    finally:
        process.terminate()
        process.wait(timeout=20)


@contextmanager
def airflow(space: Workspace, mail: Mapping[str, Any]) -> Iterator[Server]:
    server = Server(space.folder / "airflow", space.environment(mail))
    try:
        server.start()
        yield server
    finally:
        server.stop()


def follow(server: Server, expected: set[str], tell: Progress) -> dict[str, Run]:
    """Wait until every expected DAG has finished a run, or nothing more is going to happen."""
    told: dict[str, str] = {}
    last_change = time.monotonic()
    until = last_change + RUN_SECONDS
    while time.monotonic() < until:
        runs = {run.dag: run for run in server.runs() if run.dag in expected}
        for dag, run in sorted(runs.items()):
            if told.get(dag) != run.state:
                tell(f"{dag}: {run.state}")
                told[dag], last_change = run.state, time.monotonic()
        finished = all(run.finished for run in runs.values())
        if finished and set(runs) == expected:
            return runs
        if runs and finished and time.monotonic() - last_change > QUIET_SECONDS and _failed(runs):
            return runs
        time.sleep(1)
    raise StoreFailed(f"after {RUN_SECONDS} s these DAGs have not finished: {', '.join(sorted(expected))}")


def _failed(runs: dict[str, Run]) -> bool:
    return any(run.state == "failed" for run in runs.values())


def _wait_for_interrupt() -> None:
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        print()
