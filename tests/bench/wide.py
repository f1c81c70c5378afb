"""A round as wide as wanted, and the policy under which nearly all of it may leave.

    python -m tests.bench.wide FOLDER ROWS COLUMNS

The sample's dataset with more declared columns, each of an indicator that it has already; a request and an
agreement over every indicator that is not Secret; and a made-up round of that shape.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Collection
from pathlib import Path

from tests.bench.agreements import copy_policies

from dtm_sharing.demo.answers import CHOICES
from dtm_sharing.demo.sample import DATASET, write_sample
from dtm_sharing.model import Dataset, Grain, Level, Policy
from dtm_sharing.stores.policies import read_policies, seal

REQUEST = """\
kind: request
id: npl/everything-request
organization: scpa
purpose: Measure what an extract of everything costs
datasets: [{dataset}]
indicators: [{indicators}]
state: approved
requested_on: 2026-09-21
decided_on: 2026-10-05
valid_from: 2026-10-05
valid_until: 2028-10-14
"""
PATHWAY = """\
  - urgency: {urgency}
    timeline: {timeline}
    share:
      - dataset: {dataset}
        indicators: [{indicators}]
    destination: [npl/scpa-primary]
    method: {method}
"""
AGREEMENT = """\
kind: agreement
id: npl/everything
organization: scpa
request: npl/everything-request
signed: {{iom: npl/iom-primary, scpa: npl/scpa-primary}}
valid_from: 2026-10-15
valid_until: 2028-10-14
pathways:
{pathways}"""


def make(folder: Path, rows: int, columns: int) -> dict[str, int]:
    """Write ``folder/policies`` and ``folder/round.csv``. Tells how many columns may leave."""
    policies = copy_policies(folder / "policies")
    policy = read_policies(policies)
    declared = policy.datasets[DATASET]
    missing = columns - _width(declared)
    file = policies / "npl" / "datasets" / "site-assessment.yaml"
    doomed = [each.name for each in declared.columns if each.indicator in _apart(policy, declared)]
    text = file.read_text(encoding="utf-8").replace(
        "drop_at_collection:\n", "".join(["drop_at_collection:\n", *(f"  - {name}\n" for name in doomed)])
    )
    for number, indicator in enumerate(_cycled(missing), start=1):
        text += f"  - name: 99.{number} Made-up question\n    indicator: {indicator}\n"
    file.write_text(text, encoding="utf-8")
    seal(policies)
    policy = read_policies(policies)
    dataset = policy.datasets[DATASET]
    leaving = _not_secret(policy, dataset)
    allowed = ", ".join(leaving)
    ways = (("low", "monthly", "excel-email"), ("medium", "within 2 days", "document-email"))
    pathways = "".join(
        PATHWAY.format(urgency=u, timeline=t, method=m, dataset=DATASET, indicators=allowed)
        for u, t, m in ways
    )
    request = REQUEST.format(dataset=DATASET, indicators=allowed)
    (policies / "npl" / "requests" / "everything.yaml").write_text(request, encoding="utf-8")
    agreement = AGREEMENT.format(pathways=pathways)
    (policies / "npl" / "agreements" / "everything.yaml").write_text(agreement, encoding="utf-8")
    seal(policies)
    write_sample(folder / "round.csv", rows, dataset=dataset)
    return {"columns": _width(dataset), "leaving": _width(dataset, leaving)}


def _width(dataset: Dataset, indicators: Collection[str] | None = None) -> int:
    """How many columns it has: all, or those of some indicators."""
    columns = (each for each in dataset.columns if indicators is None or each.indicator in indicators)
    return sum(1 + len(column.continued_by) for column in columns)


def _cycled(count: int) -> list[str]:
    """Choice questions, over and over: the generator has answers for as many of each as there are."""
    names = sorted(CHOICES)
    return [names[number % len(names)] for number in range(count)]


def _not_secret(policy: Policy, dataset: Dataset) -> list[str]:
    """All that is not Secret by site, alone or together."""
    used = {column.indicator for column in dataset.columns}
    alone = (each for each in used if policy.indicators[each].levels[Grain.SITE] < Level.SECRET)
    return sorted(set(alone) - _apart(policy, dataset))


def _apart(policy: Policy, dataset: Dataset) -> set[str]:
    """Of what is Secret together by site, the last group: without it the table may leave as it is."""
    used = {column.indicator for column in dataset.columns}
    secret = (each for each in policy.relations.values() if each.level is Level.SECRET)
    return {name for each in secret if each.holds(Grain.SITE, used) for name in each.groups[-1]}


if __name__ == "__main__":
    print(json.dumps(make(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
