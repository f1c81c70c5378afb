"""The only relaxation, and so the most checks: what a waiver may relax, who signs it, and for how long."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import partial

from dtm_sharing.model import Level, assessment_rule, overlay_rule
from dtm_sharing.policy import signers
from dtm_sharing.policy.files import AssessmentFile, OperationFile, WaiverFile
from dtm_sharing.policy.index import Index
from dtm_sharing.policy.problems import Problem, did_you_mean, quoted
from dtm_sharing.policy.shape import Document
from dtm_sharing.policy.spans import both, in_order, overlap
from dtm_sharing.policy.tighter import fits, foundations

_HoldsIn = Callable[[OperationFile], bool]


@dataclass(frozen=True, slots=True)
class _Rule:
    level: Level
    holds_in: _HoldsIn
    made_on: date | None  # of an assessment: who signed a waiver before it did not know the rule


def problems(document: Document, part: WaiverFile, index: Index) -> Iterator[Problem]:
    """Everything that is wrong in one waiver."""
    yield from in_order(document, part, (), "valid_from", "valid_until")
    if both(part.signed_on, part.valid_from) and part.signed_on > part.valid_from:
        sentence = f"'signed_on' is after 'valid_from'; a waiver holds from {part.signed_on} at the earliest"
        yield document.problem(("signed_on",), sentence)
    yield from signers.problems(document, "signatures", part.signatures, part.signed_on, index)
    yield from of_this_operation(document, part.operation, part.datasets, index)
    for item, rule in enumerate(part.relaxes or ()):
        yield from _relaxed(document, ("relaxes", item), rule, part, index)
        yield from _contradiction(document, ("relaxes", item), rule, part, index)


def of_this_operation(
    document: Document, operation: str | None, datasets: tuple[str, ...] | None, index: Index
) -> Iterator[Problem]:
    """The datasets that an assessment or a waiver names belong to the operation that it names."""
    for item, name in enumerate(datasets or ()):
        dataset = index.datasets.get(name)
        if dataset and len(index.operations.keys() & {operation, dataset.operation}) > 1:
            sentence = f"{quoted(name)} belongs to the operation {quoted(dataset.operation)}, not to this one"
            yield document.problem(("datasets", item), sentence)


def _relaxed(
    document: Document, path: tuple[str | int, ...], name: str, part: WaiverFile, index: Index
) -> Iterator[Problem]:
    rules = index.once(_rules)
    rule = rules.get(name)
    if rule is None:
        if index.whole:
            yield document.problem(path, f"there is no rule {quoted(name)}{did_you_mean(name, rules)}")
        return
    operation = index.operations.get(part.operation)
    lowered = index.words.level(part.level) if part.level else None
    if rule.level is Level.SECRET:
        sentence = f"{quoted(name)} asks for Secret, which no waiver relaxes; personal data need IOM Legal"
        yield document.problem(path, sentence)
    elif isinstance(lowered, Level) and lowered >= rule.level:
        sentence = f"{quoted(name)} asks for {rule.level.label}; a waiver to {lowered.label} relaxes nothing"
        yield document.problem(path, sentence)
    elif operation and index.whole and index.whole_operations and not rule.holds_in(operation):
        sentence = f"{quoted(name)} has no part in the operation {quoted(operation.id)}; remove it here"
        yield document.problem(path, sentence)
    elif part.signed_on and rule.made_on and part.signed_on < rule.made_on:
        sentence = (
            f"{quoted(name)} was assessed on {rule.made_on}, which is after 'signed_on': who signed did not "
            "know it; sign the waiver again"
        )
        yield document.problem(path, sentence)


def _contradiction(
    document: Document, path: tuple[str | int, ...], rule: str, part: WaiverFile, index: Index
) -> Iterator[Problem]:
    """Of two waivers for the same thing at the same time, nobody could say which one counts."""
    for elsewhere, other in index.once(_by_rule).get(rule, ()):
        if other is part:
            return
        same = (
            part.operation is not None
            and part.operation == other.operation
            and (not part.datasets or not other.datasets or not set(part.datasets).isdisjoint(other.datasets))
        )
        if same and overlap((part.valid_from, part.valid_until), (other.valid_from, other.valid_until)):
            sentence = (
                f"{quoted(rule)} is relaxed by the waiver {quoted(other.id)} ({elsewhere.at('id')}) as well, "
                "on some of the same days; end one before the other begins"
            )
            yield document.problem(path, sentence)
            return


def _by_rule(index: Index) -> dict[str, list[tuple[Document, WaiverFile]]]:
    found: dict[str, list[tuple[Document, WaiverFile]]] = {}
    for document, part in index.waivers.values():
        for rule in part.relaxes or ():
            found.setdefault(rule, []).append((document, part))
    return found


# ------------------------------------------------------------------------------------------- the rules


def _rules(index: Index) -> dict[str, _Rule]:
    """Every rule that asks for a level, by the id that a decision gives it."""
    found: dict[str, _Rule] = {}
    for name, word, holds_in, made_on in _each_rule(index):
        level = index.words.level(word) if isinstance(word, str) else word
        if isinstance(level, Level):
            found[name] = _Rule(level, holds_in, made_on)
    return found


def _each_rule(index: Index) -> Iterator[tuple[str, Level | str | None, _HoldsIn, date | None]]:
    for indicator, levels in index.levels.items():
        for grain, level in levels.items():
            yield f"indicator:{indicator}@{grain}", level, _everywhere, None
    for relation, (_, each) in index.relations.items():
        yield f"relation:{relation}", each.level, _everywhere, None
    for overlay, (_, part) in index.overlays.items():
        for brought in foundations(overlay, index):
            for item in index.overlays[brought][1].tightens or ():
                if both(item.indicator, item.grain):
                    rule = overlay_rule(overlay, brought, item.indicator, item.grain)
                    yield rule, item.level, partial(fits, part), None
    for assessment, made in index.assessments.items():
        for item in made.levels or ():
            rule = assessment_rule(assessment, item.indicator, item.grain)
            yield rule, item.level, partial(_belongs_to, made), made.assessed_on


def _everywhere(_operation: OperationFile) -> bool:
    return True


def _belongs_to(assessment: AssessmentFile, operation: OperationFile) -> bool:
    return assessment.operation == operation.id
