"""The index of pathways: which DAGs exist, and nothing more.

Parsing must stay cheap with a thousand agreements, so the DAG file reads this index instead of the policy
files. It is kept under the digest of those files and made anew when they change. Every decision is made at
run time from the policy files themselves, so an index that lies can start a DAG and send nothing.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dtm_sharing.stores.policies import policy_digest

if TYPE_CHECKING:
    from dtm_sharing.model import Policy


@dataclass(frozen=True, slots=True)
class PathwayLine:
    """What parsing needs to know of a pathway."""

    agreement: str
    organization: str
    urgency: str
    method: str
    timeline: str
    datasets: tuple[str, ...]
    source: str

    @property
    def dag_id(self) -> str:
        return f"share.{self.agreement.replace('/', '.')}.{self.urgency}"


def index(policy: Policy) -> tuple[PathwayLine, ...]:
    """The pathways of all agreements, in order of agreement and urgency."""
    return tuple(
        PathwayLine(
            agreement=agreement.id,
            organization=agreement.organization,
            urgency=pathway.urgency.value,
            method=pathway.method.value,
            timeline=pathway.timeline,
            datasets=tuple(share.dataset for share in pathway.shares),
            source=str(pathway.source),
        )
        for _, agreement in sorted(policy.agreements.items())
        for pathway in agreement.pathways
    )


def read_index(folder: Path, kept_in: Path) -> tuple[PathwayLine, ...]:
    """The index of a policy folder: as kept, or made anew if the files have changed since.

    Raises:
        PolicyInvalid: the policy files do not load, so no pathway has a DAG. Airflow shows it.
    """
    from dtm_sharing.stores.policies import read_policies

    kept = kept_in / f"pathways-{policy_digest(folder).removeprefix('sha256:')[:32]}.json"
    try:
        lines = json.loads(kept.read_bytes())
        return tuple(PathwayLine(**{**line, "datasets": tuple(line["datasets"])}) for line in lines)
    except (OSError, ValueError, TypeError, KeyError):
        found = index(read_policies(folder))
    kept_in.mkdir(parents=True, exist_ok=True)
    fresh = kept.with_suffix(f".{os.getpid()}")
    fresh.write_text(json.dumps([asdict(line) for line in found]))
    fresh.replace(kept)
    return found
