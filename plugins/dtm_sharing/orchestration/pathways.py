"""Pathway DAGs, generated from the agreements: a new agreement file is a new DAG."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache, reduce
from operator import or_
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, BaseOperator, CronTriggerTimetable, PartitionedAssetTimetable

from dtm_sharing.model import Audience, Stage, Urgency
from dtm_sharing.orchestration.assets import stage_asset
from dtm_sharing.orchestration.edge import plainly
from dtm_sharing.orchestration.rounds import triggering_tables
from dtm_sharing.stores.pathways import read_index
from dtm_sharing.stores.settings import Settings

RETRIES = 5  # of what is safe to try again: a mail server that does not answer


def pathway_dags() -> Iterator[DAG]:
    """One DAG for each pathway: set off by each round that reaches the pathway's stage."""
    home = Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser()
    for line in read_index(Settings.read(os.environ).policies, home / "dtm_sharing"):
        stage = Urgency(line.urgency).stage
        dag = DAG(
            line.dag_id,
            schedule=_arrivals(line.datasets, stage),
            description=f"{line.organization}: {line.method}, {line.timeline}, once {stage} ({line.source})",
            tags=["dtm_sharing", line.urgency],
        )
        SharePathway(
            task_id="share", agreement=line.agreement, urgency=line.urgency, retries=RETRIES, dag=dag
        )
        yield dag


@cache
def _arrivals(datasets: tuple[str, ...], stage: Stage) -> PartitionedAssetTimetable:
    """The schedule of all pathways that follow these datasets: shared, which saves a tenth of the parsing."""
    return PartitionedAssetTimetable(assets=reduce(or_, [stage_asset(each, stage) for each in datasets]))


def monthly_dag() -> DAG:
    """The DAG of each month's first day: low urgency sends what was cleaned and is not sent yet."""
    with DAG(
        "share.monthly",
        schedule=CronTriggerTimetable("0 6 1 * *", timezone="UTC"),
        description="Sends, for each low-urgency pathway, the cleaned rounds that it has not had",
        tags=["dtm_sharing", "low"],
    ) as dag:
        ShareDue(task_id="share_due", retries=RETRIES)
    return dag


class SharePathway(BaseOperator):
    """Send what one pathway agreed of the rounds that set this run off, once to each focal point."""

    def __init__(self, *, agreement: str, urgency: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.agreement = agreement
        self.urgency = urgency

    def execute(self, context: Any) -> list[dict[str, str]]:
        from dtm_sharing import timeline
        from dtm_sharing.orchestration.wiring import open_stores

        urgency = Urgency(self.urgency)
        audience = Audience(self.agreement, urgency)
        with plainly():
            stores = open_stores()
            datasets = timeline.datasets(audience, stores)
            tables = triggering_tables(context, datasets, urgency.stage, stores.ledger)
            return [_summary(sending) for sending in timeline.share_arrived(tables, audience, stores)]


class ShareDue(BaseOperator):
    """Send each low-urgency pathway the cleaned rounds that it has not had."""

    def execute(self, context: Any) -> list[dict[str, str]]:  # noqa: ARG002 - Airflow's signature
        from dtm_sharing import timeline
        from dtm_sharing.orchestration.wiring import open_stores

        with plainly():
            return [_summary(sending) for sending in timeline.share_due(open_stores())]


def _summary(sending: Any) -> dict[str, str]:
    dispatch = sending.dispatch
    return {
        "dispatch": dispatch.key,
        "dataset": dispatch.dataset,
        "round": dispatch.round,
        "focal_point": dispatch.focal_point,
        "method": dispatch.method.value,
        "state": sending.state.value,
    }
