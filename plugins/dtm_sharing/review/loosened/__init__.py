"""What of a policy allows more than before, where or when it applies: rule by rule, without the engine.

``differences`` asks the engine of the operations, tables and people of today. An overlay for a context that
no operation is in, or a recipient's other address, changes no answer of today: here the two policies are
compared as they stand. What is not clearly as strict as before is listed. Nothing of a person but the id.

    rules       overlays, relations, indicators
    tables      operations, datasets and their columns
    papers      assessments, requests, agreements with their pathways, waivers
    people      focal points, and who stands in for them

A field of the model that no part looks at has its reason in the tests, beside the list of those that are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from dtm_sharing.model import Policy
from dtm_sharing.review.loosened import papers, people, rules, tables
from dtm_sharing.review.loosened.loosening import Loosening

__all__ = ["Loosening", "loosened"]

_PARTS: tuple[Callable[[Policy, Policy], Iterator[Loosening]], ...] = (
    rules.overlays,
    rules.relations,
    rules.indicators,
    tables.operations,
    tables.datasets,
    papers.assessments,
    papers.requests,
    papers.agreements,
    papers.waivers,
    people.focal_points,
    people.stand_ins,
)


def loosened(old: Policy, new: Policy) -> tuple[Loosening, ...]:
    """All by which ``new`` may allow more than ``old``, or send it elsewhere, once each.

    What is wholly new (a dataset, assessment, request or agreement) is for the engine to judge, and a new
    waiver is the way to allow more; only who is added to a destination, or stands in for it, is named in any
    case.
    """
    return tuple(dict.fromkeys(each for part in _PARTS for each in part(old, new)))
