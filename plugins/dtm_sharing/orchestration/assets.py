"""The names under which Airflow knows our tables: one asset per dataset and stage, one per publication.

A round is the partition key of these assets' events. Tags travel in an event's ``extra``.
"""

from __future__ import annotations

from airflow.sdk import Asset

STAGE_SCHEME = "dtm"
PUBLIC_SCHEME = "dtm-public"


def stage_asset(dataset: str, stage: str) -> Asset:
    """The asset that a cleaning stage of a dataset updates, e.g. ``npl/site-assessment`` at ``cleaned``."""
    return Asset(name=f"{dataset} {stage}", uri=f"{STAGE_SCHEME}://{dataset}/{stage}")


def public_asset(dataset: str) -> Asset:
    """The asset of what was published of a dataset. Only ``PublishTable`` may have it as an outlet."""
    return Asset(name=f"{dataset} public", uri=f"{PUBLIC_SCHEME}://{dataset}")


def dataset_of(asset: Asset) -> str:
    """The dataset of one of our assets.

    Raises:
        ValueError: it is not an asset of a cleaning stage.
    """
    scheme, _, rest = asset.uri.partition("://")
    if scheme != STAGE_SCHEME:
        raise ValueError(f"{asset.uri} is not the table of a cleaning stage")
    return rest.rpartition("/")[0]
