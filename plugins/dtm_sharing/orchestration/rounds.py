"""Cleaning stages as tasks: what they return is kept restricted and tagged, and a reference goes on."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, BaseOperator, PartitionedAssetTimetable, XComArg, get_current_context, task

from dtm_sharing.errors import UsageProblem
from dtm_sharing.model import Stage
from dtm_sharing.orchestration.assets import stage_asset, stage_of
from dtm_sharing.orchestration.edge import call_quietly, plainly

if TYPE_CHECKING:
    import pandas as pd

    from dtm_sharing.model import TableRef
    from dtm_sharing.stores.database import Ledger


def on_round(dataset: str, *, stage: str) -> PartitionedAssetTimetable:
    """The schedule of a DAG that runs once for each round of a dataset that reaches a stage."""
    return PartitionedAssetTimetable(assets=stage_asset(dataset, stage))


def classified(dataset: str, *, stage: str, **task_options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Make a function that returns a table into the task of a cleaning stage.

    The function's arguments that are tables of earlier stages arrive as pandas frames, all cells text,
    columns named as declared. What it returns is kept in the restricted store, tagged with levels; only
    a reference goes through XCom. The round is the run's partition key, or its parameter ``round``.

    A column that the dataset does not declare is named by its position in what is kept, for its header may
    be a cell's: ``column 5 (unknown)``. Leave out in the function for ``collected`` what is not declared.

    Args:
        dataset: id of the dataset in the policy files, e.g. ``npl/site-assessment``.
        stage: ``collected`` (Secret columns of the dataset's list are dropped) or ``cleaned``.
        task_options: options of Airflow's ``@task``, e.g. ``retries``.
    """
    asset = stage_asset(dataset, stage)

    def decorate(function: Callable[..., Any]) -> Any:
        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> dict[str, Any]:
            with plainly():
                return _run_stage(function, args, kwargs, asset)

        return task(outlets=[asset], **task_options)(run)

    return decorate


def _run_stage(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], asset: Asset
) -> dict[str, Any]:
    from dtm_sharing import classify, pipeline
    from dtm_sharing.orchestration.wiring import open_stores
    from dtm_sharing.stores import rounds

    context = get_current_context()
    round_ = round_of(context)
    stores = open_stores()
    dataset, stage = stage_of(asset)
    classify.dataset(stores.policy, dataset)  # a misspelt dataset fails here, before hours of cleaning
    tables = functools.partial(_as_table, stores=stores)
    frame = call_quietly(function, [tables(each) for each in args], {k: tables(v) for k, v in kwargs.items()})
    ref, labelled = pipeline.admit(frame, dataset, stage, round_, stores)
    event = context["outlet_events"][asset]
    event.extra = rounds.tags(ref, labelled)
    event.add_partitions(round_)
    return rounds.ref_to_json(ref)


def _as_table(value: Any, *, stores: Any) -> Any:
    from dtm_sharing.stores import rounds

    if not rounds.is_ref(value):
        return value
    return rounds.get_table(stores.restricted, rounds.ref_from_json(value))


def round_of(context: Mapping[str, Any]) -> str:
    """The round of a run: its partition key, else its parameter ``round``.

    Raises:
        UsageProblem: neither is there.
    """
    found = context["dag_run"].partition_key or context["params"].get("round")
    if not found:
        raise UsageProblem(
            "this run names no round; trigger it with a partition key or the parameter 'round'"
        )
    return str(found)


class ArrivedTable(BaseOperator):
    """The table of the round that set this run off, as a reference."""

    def __init__(self, *, dataset: str, stage: str, **kwargs: Any) -> None:
        super().__init__(inlets=[stage_asset(dataset, stage)], **kwargs)
        self.dataset = dataset
        self.stage = stage

    def execute(self, context: Any) -> dict[str, Any]:
        from dtm_sharing.orchestration.wiring import open_ledger
        from dtm_sharing.stores import rounds

        with plainly():
            (ref,) = triggering_tables(context, (self.dataset,), Stage(self.stage), open_ledger())
            return rounds.ref_to_json(ref)


def arrived(dataset: str, *, stage: str) -> XComArg:
    """In a DAG scheduled ``on_round``: the table of that round, to hand to ``publish`` or a next stage."""
    return ArrivedTable(task_id="arrived", dataset=dataset, stage=stage).output


def triggering_tables(
    context: Mapping[str, Any], datasets: Iterable[str], stage: Stage, ledger: Ledger
) -> tuple[TableRef, ...]:
    """The newest table of each dataset in the run's triggering events.

    A run that a person starts with a partition key has no events: then the ledger's register answers.

    Raises:
        UsageProblem: there is none.
    """
    from dtm_sharing.stores import rounds

    wanted = {stage_asset(dataset, stage).uri: dataset for dataset in datasets}
    newest: dict[str, Any] = {}
    for asset, events in (context["triggering_asset_events"] or {}).items():
        if asset.uri in wanted and events:
            newest[wanted[asset.uri]] = max(events, key=lambda event: event.timestamp)
    if newest:
        return tuple(rounds.ref_from_json(event.extra) for _, event in sorted(newest.items()))
    round_ = round_of(context)
    found = [ledger.registered(dataset, stage, round_) for dataset in sorted(set(wanted.values()))]
    if not any(found):
        raise UsageProblem(
            f"no table of {', '.join(wanted.values())}, round {round_}, is at the stage {stage}"
        )
    return tuple(ref for ref in found if ref)


def read_round(path: str, dataset: str) -> pd.DataFrame:
    """Read a round's file in its declared shape, for a task of the stage ``collected``.

    Returns: a frame whose cells are the file's, as text; columns named as declared.

    Raises:
        TableUnreadable: the file cannot be read as this dataset; the sentence says why.
    """
    from pathlib import Path

    from dtm_sharing import classify
    from dtm_sharing.orchestration.wiring import open_policy
    from dtm_sharing.stores.frames import read_table

    return read_table(Path(path), classify.dataset(open_policy(), dataset)).frame
