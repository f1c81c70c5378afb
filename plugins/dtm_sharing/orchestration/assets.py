"""The names under which Airflow knows our tables: one asset per dataset and stage, one per publication.

A round is the partition key of these assets' events. Tags travel in an event's ``extra``.
"""

from __future__ import annotations

from airflow.sdk import Asset

from dtm_sharing.model import Stage

STAGE_SCHEME = "dtm"
PUBLIC_SCHEME = "dtm-public"
PUBLIC_NAME = " public"  # how the name of such an asset ends


def stage_asset(dataset: str, stage: str) -> Asset:
    """The asset that a cleaning stage of a dataset updates, e.g. ``npl/site-assessment`` at ``cleaned``.

    Raises:
        ValueError: there is no such stage.
    """
    stages = [each.value for each in Stage]
    if stage not in stages:
        raise ValueError(f"stage is {' or '.join(map(repr, stages))}, not {stage!r}")
    return Asset(name=f"{dataset} {stage}", uri=f"{STAGE_SCHEME}://{dataset}/{stage}")


def public_asset(dataset: str) -> Asset:
    """The asset of what was published of a dataset. Only ``PublishTable`` may have it as an outlet."""
    return Asset(name=f"{dataset}{PUBLIC_NAME}", uri=f"{PUBLIC_SCHEME}://{dataset}")


def stage_of(asset: Asset) -> tuple[str, Stage]:
    """The dataset and the stage of one of our assets.

    Raises:
        ValueError: it is not an asset of a cleaning stage.
    """
    scheme, _, rest = asset.uri.partition("://")
    if scheme != STAGE_SCHEME:
        raise ValueError(f"{asset.uri} is not the table of a cleaning stage")
    dataset, _, stage = rest.rpartition("/")
    return dataset, Stage(stage)
