"""One round through a real Airflow; then every place is searched for what must not be there.

The round is planted: each cell of a column that is not Public holds one canary, all others another.
"""

from __future__ import annotations

import csv
import email
import email.policy
import json
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dtm_sharing.classify import classify, identify
from dtm_sharing.demo.runner import BLOCKED_DAG, ROUND, ROUND_DAG, airflow, follow, mail_catcher
from dtm_sharing.demo.sample import DATASET
from dtm_sharing.demo.server import Run, Server
from dtm_sharing.demo.workspace import Workspace
from dtm_sharing.model import ColumnLevel, Level, TableProfile
from dtm_sharing.stores.database import Ledger
from dtm_sharing.stores.policies import read_policies

pytestmark = pytest.mark.airflow

HIDDEN, OPEN = "CANARY-HIDDEN-8f3a", "CANARY-OPEN-51cc"
LOW, MEDIUM = "share.npl.child-protection.low", "share.npl.child-protection.medium"
DAGS = {ROUND_DAG, BLOCKED_DAG, LOW, MEDIUM}
SITE_ID = "1.1.c.1 Site ID (SSID)"


@dataclass(frozen=True)
class Finished:
    space: Workspace
    server: Server
    runs: dict[str, Run]

    def tasks(self, dag: str) -> dict[str, dict[str, Any]]:
        run = self.runs[dag]
        found = self.server.get(f"/api/v2/dags/{dag}/dagRuns/{run.id}/taskInstances")
        return {each["task_id"]: each for each in found["task_instances"]}

    def messages(self) -> list[Path]:
        return sorted(self.space.mail.glob("*.eml"))


def alone(column: ColumnLevel) -> Level:
    """What a column is by itself: one that is sensitive only beside others may go once these stay."""
    return max(each.level for each in column.reasons if not each.rule.startswith("relation:"))


def plant(space: Workspace) -> Path:
    """The sample round, each cell of it a canary; the key stays a key."""
    path = space.write_sample_round()
    policy = read_policies(space.policies)
    rows = list(csv.reader(path.read_text("utf-8").splitlines()))
    headers = identify(rows[2], policy.datasets[DATASET])
    labelled = classify(policy, TableProfile(DATASET, headers, len(rows) - 3), datetime.now(UTC).date())
    words = [OPEN if alone(each) is Level.PUBLIC else HIDDEN for each in labelled.columns]
    for number, row in enumerate(rows[3:]):
        row[:] = [f"{word}-{number}-{at}" for at, word in enumerate(words)]
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return path


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Finished]:
    space = Workspace.make(tmp_path_factory.mktemp("round") / "space")
    path = plant(space)
    with mail_catcher(space) as mail, airflow(space, mail) as server:
        server.wait_until_ready(DAGS, lambda _: None)
        server.trigger(ROUND_DAG, {"round": ROUND, "file": str(path)})
        yield Finished(space, server, follow(server, DAGS, lambda _: None))


def test_the_round_goes_all_the_way_and_the_mistake_does_not(finished):
    states = {dag: run.state for dag, run in finished.runs.items()}
    assert states == {ROUND_DAG: "success", BLOCKED_DAG: "failed", LOW: "success", MEDIUM: "success"}
    assert len(finished.messages()) == 3
    assert [path.name for path in finished.space.public.rglob("*") if path.is_file()] == ["table.csv"]


def test_the_round_is_the_partition_of_every_run_that_it_set_off(finished):
    assert {finished.runs[dag].partition for dag in (BLOCKED_DAG, LOW, MEDIUM)} == {ROUND}


def test_a_refused_export_fails_at_once_and_says_why_in_one_sentence(finished):
    publish = finished.tasks(BLOCKED_DAG)["publish"]
    assert (publish["state"], publish["try_number"]) == ("failed", 1)
    ((task, sentence),) = finished.server.failed_tasks(finished.runs[BLOCKED_DAG]).items()
    assert task == "publish"
    assert sentence.startswith("Denied: npl/site-assessment for public, 72 of 176 columns")
    assert "\n" not in sentence


def test_the_events_of_a_stage_carry_its_tags(finished):
    events = finished.server.get("/api/v2/assets/events", limit=100)["asset_events"]
    tagged = {event["extra"]["stage"]: event for event in events if "stage" in event["extra"]}
    assert set(tagged) == {"collected", "cleaned"}
    extra = tagged["cleaned"]["extra"]
    assert tagged["cleaned"]["partition_key"] == ROUND
    assert extra["columns"]["10.3.a.3 Do women feel safe at the site"] == "Confidential"
    assert extra["columns"][SITE_ID] == "Public"
    sidecar = json.loads(
        (finished.space.restricted / extra["path"]).with_name("datapackage.json").read_bytes()
    )
    levels = {each["name"]: each["dtm:level"] for each in sidecar["resources"][0]["schema"]["fields"]}
    assert levels == extra["columns"]


def test_a_table_goes_through_xcom_as_a_reference(finished):
    with sqlite3.connect(finished.space.folder / "airflow" / "airflow.db") as database:
        found = [json.loads(value) for (value,) in database.execute("SELECT value FROM xcom")]
    database.close()
    assert found
    for value in found:
        text = value if isinstance(value, str) else json.dumps(value)
        assert len(text) < 2000


def test_no_cell_value_is_anywhere_that_it_should_not_be(finished):
    """Logs, metadata database, ledger, credentials, mail: neither canary. Public store: only the open one."""
    kept = {finished.space.restricted, finished.space.folder / "round.csv"}
    searched = 0
    for path in finished.space.folder.rglob("*"):
        if not path.is_file() or any(path.is_relative_to(each) for each in kept):
            continue
        content = path.read_bytes()
        if path.suffix == ".eml":
            message = email.message_from_bytes(content, policy=email.policy.default)
            content += b"".join(part.get_payload(decode=True) or b"" for part in message.walk())
        assert HIDDEN.encode() not in content, path
        if not path.is_relative_to(finished.space.public):
            assert OPEN.encode() not in content, path
        searched += 1
    assert searched > 20
    published = next(finished.space.public.rglob("table.csv")).read_bytes()
    assert OPEN.encode() in published


def test_no_secret_of_ours_is_in_a_file(finished):
    for path in finished.space.folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert finished.space.master.encode() not in content, path
            assert finished.space.mail_password.encode() not in content, path


def test_the_ledger_has_it_all_and_verifies(finished):
    ledger = Ledger(finished.space.ledger, create=False)
    ledger.verify(finished.space.ledger_key.read_text().strip())
    received = ledger.disclosures("scpa")
    assert sorted((each.focal_point, each.method) for each in received) == [
        ("npl/scpa-primary", "document-email"),
        ("npl/scpa-primary", "excel-email"),
        ("npl/scpa-secondary", "document-email"),
    ]
    assert len(ledger.disclosures("public")) == 1


def test_a_task_that_runs_again_sends_nothing_again(finished):
    """The last test here: it clears the task of a finished pathway run, as a person would in the UI."""
    run, server = finished.runs[LOW], finished.server
    before = len(finished.messages())
    answer = server.post(
        f"/api/v2/dags/{LOW}/clearTaskInstances",
        {"dry_run": False, "dag_run_id": run.id, "task_ids": ["share"], "only_failed": False},
    )
    assert len(answer["task_instances"]) == 1
    until = time.monotonic() + 180
    while (task := finished.tasks(LOW)["share"])["state"] != "success" or task["try_number"] < 2:
        assert time.monotonic() < until, task["state"]
        assert task["state"] != "failed"
        time.sleep(1)
    assert len(finished.messages()) == before
