"""Public export: the one operator that may have a public outlet."""

from __future__ import annotations

from typing import Any

from airflow.sdk import BaseOperator, XComArg

from dtm_sharing.model import Grain
from dtm_sharing.orchestration.assets import STAGE_SCHEME, public_asset, stage_of
from dtm_sharing.orchestration.edge import plainly

AS_IT_IS, RELEASABLE = "as-it-is", "releasable"
GRAINS = {each.value: each for each in Grain if each.depth < Grain.SITE.depth}  # what sums can be by
FORMS = (AS_IT_IS, RELEASABLE, *GRAINS)


class PublishTable(BaseOperator):
    """Publish a table if, and only if, the gate allows it for the public.

    A refusal fails the task without retries, puts nothing anywhere, and stands in the ledger.
    """

    template_fields = ("table",)

    def __init__(self, *, table: Any, dataset: str, form: str = AS_IT_IS, **kwargs: Any) -> None:
        super().__init__(outlets=[public_asset(dataset)], **kwargs)
        self.table = table
        self.dataset = dataset
        self.form = form

    def execute(self, context: Any) -> dict[str, Any]:
        from dtm_sharing import pipeline
        from dtm_sharing.orchestration.wiring import open_stores
        from dtm_sharing.stores import rounds

        with plainly():
            ref = rounds.ref_from_json(self.table)
            published = pipeline.publish(
                ref,
                open_stores(),
                releasable=self.form == RELEASABLE,
                aggregate_to=GRAINS.get(self.form),
            )
            summary = published.summary()
        event = context["outlet_events"][public_asset(self.dataset)]
        event.extra = summary
        event.add_partitions(ref.round)
        self.log.info("published %s: %d columns, %d rows", published.path, *published.shape)
        return summary


def publish(table: XComArg, *, form: str = AS_IT_IS, task_id: str | None = None, **options: Any) -> XComArg:
    """Publish the table of a cleaning stage.

    Args:
        table: what a ``@classified`` task or ``arrived`` returned.
        form: ``"as-it-is"``: all of it or nothing; ``"releasable"``: without the columns that the gate's
            decision names, which is recorded; a grain, e.g. ``"admin2"``: its sums, where the decision names
            them as a form.
        task_id: by default ``publish`` or ``publish_`` and the form.
        options: options of the operator, e.g. ``retries``.

    Raises:
        ValueError: another form, or not the table of a cleaning stage.
    """
    if form not in FORMS:
        raise ValueError(f"form is one of {', '.join(map(repr, FORMS))}, not {form!r}")
    operators = [operator for operator, _ in table.iter_references()] if isinstance(table, XComArg) else []
    stages = [
        a
        for operator in operators
        for a in (*operator.outlets, *operator.inlets)
        if a.uri.startswith(f"{STAGE_SCHEME}://")
    ]
    if not stages:
        raise ValueError("publish() takes the table of a @classified task or of arrived()")
    name = task_id or ("publish" if form == AS_IT_IS else f"publish_{form}")
    return PublishTable(
        task_id=name, table=table, dataset=stage_of(stages[0])[0], form=form, **options
    ).output
