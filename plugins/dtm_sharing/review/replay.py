"""Every recorded decision, made again from what the ledger kept of it, and held against its record.

Policy, profile, day and holdings are those of then; only the engine is today's. So a difference is a record
or a policy that was altered or is gone, or an engine that answers differently: also one with a mistake since
mended. A record is held against what its entry commits to; whether the entries themselves are unaltered is
the question of the ledger's verification.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dtm_sharing import classify, gate, records
from dtm_sharing.errors import SharingError
from dtm_sharing.model import PUBLIC, DecisionRecord, Holding, Policy

if TYPE_CHECKING:
    from dtm_sharing.stores.ledger_decisions import Recorded

# What an organization held when the ledger had so many entries; by the ids of its focal points as well.
HeldBy = Callable[[str, int, Collection[str]], Sequence[Holding]]

_NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Difference:
    """One field of an answer, named like ``columns / Site ID / level``, as recorded and as decided now."""

    field: str
    recorded: str
    now: str

    def __str__(self) -> str:
        return f"{self.field}: recorded {self.recorded}, now {self.now}"


@dataclass(frozen=True, slots=True)
class Replayed:
    """A decision made again. Without differences: as recorded."""

    recorded: Recorded
    differences: tuple[Difference, ...]


def replay(
    recorded: Sequence[Recorded],
    policy_of: Callable[[str], Policy],
    held_by: HeldBy,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Iterator[Replayed]:
    """Make each decision again, in the order of the entries.

    Args:
        recorded: as the ledger gives them.
        policy_of: the policy of a digest, from the files that the ledger keeps. Asked once for each.
        held_by: what an organization held when the ledger had so many entries, as ``Ledger.held`` asks.
        progress: told how many are done, of how many.
    """
    policies: dict[str, Policy | SharingError] = {}
    for done, each in enumerate(recorded):
        progress(done, len(recorded))
        found: list[Difference] = []
        if each.altered is not None:
            found.append(Difference("record", f"in entry {each.entry}", str(each.altered)))
        if (record := each.record) is not None:
            if record.policy_digest not in policies:
                policies[record.policy_digest] = _read(policy_of, record.policy_digest)
            found += _made_again(policies[record.policy_digest], each, record, held_by)
        yield Replayed(each, tuple(found))
    progress(len(recorded), len(recorded))


def _read(policy_of: Callable[[str], Policy], digest: str) -> Policy | SharingError:
    try:
        return policy_of(digest)
    except SharingError as problem:
        return problem


def _made_again(
    policy: Policy | SharingError,
    recorded: Recorded,
    record: DecisionRecord,
    held_by: HeldBy,
) -> list[Difference]:
    """Of an altered row, what makes it another decision; unless it holds what no row of ours does."""
    try:
        return list(_differences(policy, record, held_by))
    except (TypeError, ValueError, KeyError, AttributeError):
        if recorded.altered is None:
            raise
        return []


def _differences(
    policy: Policy | SharingError, record: DecisionRecord, held_by: HeldBy
) -> Iterator[Difference]:
    """A decision that cannot be made again differs, too: nobody can show how it came about."""
    if isinstance(policy, SharingError):
        yield Difference("policy", record.policy_digest, str(policy))
        return
    try:
        now = _decide(policy, record, held_by)
    except SharingError as problem:
        yield Difference("decision", str(record.answer.get("outcome")), str(problem))
    else:
        yield from _unlike((), record.answer, now)


def _decide(policy: Policy, record: DecisionRecord, held_by: HeldBy) -> Mapping[str, Any]:
    audience = record.audience
    holder = str(PUBLIC) if audience == PUBLIC else gate.agreement(policy, audience).organization
    labelled = classify.classify(policy, record.profile, record.as_of)
    held = held_by(holder, record.ledger_size, policy.people_of(holder))
    return records.answer(gate.decide(policy, labelled, audience, held, classify.classify))


# --------------------------------------------------------------------------------------- field by field


def _unlike(path: tuple[str, ...], recorded: Any, now: Any) -> Iterator[Difference]:
    """The fields that differ, as deep as both sides have the same shape."""
    if isinstance(recorded, Mapping) and isinstance(now, Mapping):
        for name in dict.fromkeys((*recorded, *now)):
            yield from _unlike((*path, name), recorded.get(name, _NOTHING), now.get(name, _NOTHING))
    elif _is_keyed(recorded) and _is_keyed(now):
        one, other = ({each["key"]: each for each in side} for side in (recorded, now))
        yield from _unlike(path, one, other)
        if list(one) != list(other) and set(one) == set(other):
            yield Difference(" / ".join((*path, "order")), ", ".join(one), ", ".join(other))
    elif recorded != now:
        yield Difference(" / ".join(path), _shown(recorded, now), _shown(now, recorded))


def _is_keyed(value: Any) -> bool:
    """A list of objects that name themselves, such as columns, each once."""
    if not isinstance(value, list) or not all(isinstance(each, Mapping) and "key" in each for each in value):
        return False
    return len({each["key"] for each in value}) == len(value)


def _shown(value: Any, other: Any) -> str:
    """A value for a sentence; of a list, only what the other one has not."""
    if isinstance(value, list) and isinstance(other, list):
        alone = [each for each in value if each not in other]
        return "; ".join(map(_text, alone)) or ("the same in another order" if value else _NOTHING)
    return _text(value)


def _text(value: Any) -> str:
    match value:
        case None:
            return _NOTHING
        case list():
            return " ".join(map(_text, value))
        case Mapping():
            return ", ".join(f"{name} {_text(each)}" for name, each in value.items() if each)
        case _:
            return str(value)
