"""Airflow's cluster policy: a DAG with a public outlet outside our gate does not parse.

It catches mistakes, not malice: whoever writes DAGs can write around it. What stops malice is that only
the publisher holds the public store's credentials and takes only what carries the gate's clearance.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from dtm_sharing.orchestration.assets import PUBLIC_NAME, PUBLIC_SCHEME


def _is_public(outlet: Any) -> bool:
    """Whether an outlet is a public asset, or a reference to one by its name or its URI."""
    uri, name = getattr(outlet, "uri", ""), getattr(outlet, "name", "")
    in_store = any(f"{uri}/".startswith(f"{place}/") for place in _public_store())
    return in_store or uri.startswith(f"{PUBLIC_SCHEME}://") or (not uri and name.endswith(PUBLIC_NAME))


def _public_store() -> tuple[str, ...]:
    """How the URI of an asset in the public store may begin: a folder is also a ``file://`` URL."""
    store = os.environ.get("DTM_SHARING_PUBLIC_STORE", "").partition("?")[0].rstrip("/")
    if not store or "://" in store:
        return (store,) if store else ()
    folder = Path(store).expanduser().absolute()
    return str(folder), f"file://{folder}"


def task_policy(task: Any) -> None:
    """Refuse a task that has a public asset as an outlet and is not our ``PublishTable``.

    Airflow calls this for each task of each DAG file, mapped tasks included, and shows the sentence as an
    import error.

    Raises:
        AirflowClusterPolicyViolation: the DAG is not loaded.
    """
    from airflow.exceptions import AirflowClusterPolicyViolation

    from dtm_sharing.orchestration.publishing import PublishTable

    public = [outlet for outlet in (task.outlets or ()) if _is_public(outlet)]
    operator = getattr(task, "operator_class", type(task))
    if public and not (isinstance(operator, type) and issubclass(operator, PublishTable)):
        where = getattr(public[0], "uri", None) or f"asset {public[0].name!r}"
        raise AirflowClusterPolicyViolation(
            f"task {task.task_id!r} writes to the public {where} without the gate; "
            "use dtm_sharing.orchestration.publish(table) for whatever becomes public"
        )
