"""Stricter levels: what overlays and assessments may say, and what overlays make of an indicator's level."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dtm_sharing.model import Grain, Level
from dtm_sharing.policy.files import OperationFile, OverlayFile, TighteningPart
from dtm_sharing.policy.index import Index
from dtm_sharing.policy.problems import Problem, did_you_mean, quoted
from dtm_sharing.policy.shape import Document
from dtm_sharing.policy.spans import both, in_order


def only_raise(
    document: Document, tightenings: Iterable[TighteningPart] | None, key: str, index: Index
) -> Iterator[Problem]:
    """An overlay can only tighten (DESIGN §3.3); it cannot decide what the family left undecided either.

    A level that is the base's own is fine: it stays where the base is lowered later.
    """
    first: dict[tuple[str, Grain], int] = {}
    for position, each in enumerate(tightenings or ()):
        if both(each.indicator, each.grain):
            other = first.setdefault((each.indicator, each.grain), position)
            if other != position:
                line = document.at(key, other).line
                sentence = f"{_what(each)} has a level here already, on line {line}; keep one of the two"
                yield document.problem((key, position), sentence)
        level = index.words.level(each.level) if each.level else None
        if not isinstance(level, Level) or each.indicator not in index.levels or each.grain is None:
            continue
        levels = index.levels[each.indicator]
        base = levels.get(each.grain)
        if each.grain not in levels:
            sentence = f"{_what(each)} has no level to raise; give it one in its indicators file"
            yield document.problem((key, position, "grain"), sentence)
        elif base is not None and level < base:
            sentence = (
                f"{_what(each)} is {base.label}, and {level.label} would lower it; a tightening only raises"
            )
            yield document.problem((key, position, "level"), sentence)


def _what(each: TighteningPart) -> str:
    return f"{quoted(each.indicator)} at grain {each.grain}"


# -------------------------------------------------------------------------------------------- overlays


def problems(document: Document, part: OverlayFile, index: Index) -> Iterator[Problem]:
    """Everything that is wrong in one overlay."""
    yield from in_order(document, part, (), "valid_from", "valid_until")
    yield from _applies_somewhere(document, part, index)
    yield from only_raise(document, part.tightens, "tightens", index)
    if part.tightens == () and part.builds_on == ():
        yield document.problem((), "this overlay tightens nothing and builds on none; write 'tightens'")
    cycle = index.once(_cycles).get(part.id)
    if cycle and part is index.overlays[part.id][1]:  # not where a second file has the same id
        item = part.builds_on.index(cycle[1])
        sentence = f"these overlays build on each other in a circle: {' → '.join(cycle)}; take one step out"
        yield document.problem(("builds_on", item), sentence)


def _applies_somewhere(document: Document, part: OverlayFile, index: Index) -> Iterator[Problem]:
    """A place that does not exist would make a rule that is silently never applied.

    A context in which no operation is today stays: it is for the day on which one comes into it.
    """
    scope, raw = part.applies_to, document.data.get("applies_to")
    if isinstance(raw, dict) and not any(key in raw for key in ("countries", "operations", "contexts")):
        sentence = "'applies_to' needs at least one of countries, operations and contexts"
        yield document.problem(("applies_to",), sentence)
    known = {each.country for each in index.operations.values() if each.country}
    for item, country in enumerate(scope.countries or ()):
        if index.whole_operations and country not in known:
            near = did_you_mean(country, known)
            sentence = f"no operation is in {quoted(country)}{near}; this would tighten nothing"
            yield document.problem(("applies_to", "countries", item), sentence)
    for item, name in enumerate(scope.operations or ()):
        home = index.operations[name].country if name in index.operations else None
        if home and scope.countries and home not in scope.countries:
            sentence = f"{quoted(name)} is in {home}, which 'countries' lacks; this would tighten nothing"
            yield document.problem(("applies_to", "operations", item), sentence)


def _cycles(index: Index) -> dict[str, tuple[str, ...]]:
    """The first overlay of each circle, in order of id → the whole circle, that overlay again at its end.

    Where two circles share an overlay, one of them is found; the other is when the first is mended.
    """
    return {each[0]: each for each in _each_cycle(index)}


def _each_cycle(index: Index) -> Iterator[tuple[str, ...]]:
    done: set[str] = set()
    for start in sorted(each for each in index.overlays if each):
        path = {start: iter(_builds_on(start, index))}  # the way here, in order
        while path:
            last = next(reversed(path))
            step = next(path[last], None)
            if step is None:
                path.pop(last)
                done.add(last)
            elif step in path:
                way = list(path)
                circle = way[way.index(step) :]
                first = circle.index(min(circle))
                yield (*circle[first:], *circle[: first + 1])
            elif step not in done:
                path[step] = iter(_builds_on(step, index))


def _builds_on(overlay: str, index: Index) -> tuple[str, ...]:
    return tuple(each for each in index.overlays[overlay][1].builds_on or () if each in index.overlays)


# --------------------------------------------------------------------------- what they make of a level


def foundations(overlay: str, index: Index) -> Iterator[str]:
    """The overlay and all that it builds on, by id, each once."""
    seen, waiting = {overlay}, [overlay]
    while waiting:
        id_ = waiting.pop()
        below = [each for each in _builds_on(id_, index) if each not in seen]
        seen.update(below)
        waiting += below
        yield id_


def tightened(overlay: str, index: Index) -> Iterator[TighteningPart]:
    """What an overlay tightens, with all that it builds on."""
    for each in foundations(overlay, index):
        yield from index.overlays[each][1].tightens or ()


def fits(overlay: OverlayFile, operation: OperationFile) -> bool:
    """Whether the overlay names this operation, its country and its context of today; whatever the date."""
    scope = overlay.applies_to
    return all(
        names is not None and (not names or value in names)
        for names, value in (
            (scope.countries, operation.country),
            (scope.operations, operation.id),
            (scope.contexts, operation.context),
        )
    )


def strictest(indicator: str, grain: Grain, operation: str | None, index: Index) -> Level | None:
    """The level at a grain with what the operation's overlays tighten, at whatever date.

    What an assessment tightens depends on the date, and is the gate's business.
    """
    base = index.levels.get(indicator, {}).get(grain)
    raised = index.once(_raised).get(operation, {}).get((indicator, grain))
    return max((level for level in (base, raised) if level is not None), default=None)


def _raised(index: Index) -> dict[str | None, dict[tuple[str, Grain], Level]]:
    """Operation → the strictest level that its overlays give to an indicator at a grain."""
    found: dict[str | None, dict[tuple[str, Grain], Level]] = {each: {} for each in index.operations if each}
    for overlay, (_, part) in index.overlays.items():
        levels = tuple(_levels(overlay, index))
        for name, operation in index.operations.items():
            if name and fits(part, operation):
                for indicator, grain, level in levels:
                    key = indicator, grain
                    found[name][key] = max(level, found[name].get(key, level))
    return found


def _levels(overlay: str, index: Index) -> Iterator[tuple[str, Grain, Level]]:
    for each in tightened(overlay, index):
        level = index.words.level(each.level) if each.level else None
        if isinstance(level, Level) and both(each.indicator, each.grain):
            yield each.indicator, each.grain, level
