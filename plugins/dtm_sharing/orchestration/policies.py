"""Airflow's cluster policy: a DAG with a public outlet outside our gate does not parse.

It catches mistakes, not malice: whoever writes DAGs can write around it. What stops malice is that only
the publisher holds the public store's credentials and takes only what carries the gate's clearance.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from dtm_sharing.orchestration.assets import PUBLIC_SCHEME

if TYPE_CHECKING:
    from airflow.sdk import Asset


def _is_public(asset: Asset) -> bool:
    store = os.environ.get("DTM_SHARING_PUBLIC_STORE", "").partition("?")[0].rstrip("/")
    in_store = bool(store) and f"{asset.uri}/".startswith(f"{store}/")
    return in_store or asset.uri.startswith(f"{PUBLIC_SCHEME}://")


def task_policy(task: Any) -> None:
    """Refuse a task that has a public asset as an outlet and is not our ``PublishTable``.

    Airflow calls this for each task of each DAG file, mapped tasks included, and shows the sentence as an
    import error.

    Raises:
        AirflowClusterPolicyViolation: the DAG is not loaded.
    """
    from airflow.exceptions import AirflowClusterPolicyViolation

    from dtm_sharing.orchestration.publishing import PublishTable

    public = [asset for asset in (task.outlets or ()) if hasattr(asset, "uri") and _is_public(asset)]
    operator = getattr(task, "operator_class", type(task))
    if public and not (isinstance(operator, type) and issubclass(operator, PublishTable)):
        raise AirflowClusterPolicyViolation(
            f"task {task.task_id!r} writes to the public {public[0].uri} without the gate; "
            "use dtm_sharing.orchestration.publish(table) for whatever becomes public"
        )
