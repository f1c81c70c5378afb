"""What asks for a level: overlays, relations and indicators."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dtm_sharing.model import Grain, Indicator, Level, Overlay, Policy, Relation, Tightening
from dtm_sharing.review.loosened.loosening import Loosening, listed, longer, same, until, wider

Levels = dict[tuple[str, Grain], Tightening]


def strictest(levels: Iterable[Tightening]) -> Levels:
    """Of several levels of an indicator at a grain, the strictest."""
    found: Levels = {}
    for each in levels:
        place = (each.indicator, each.grain)
        if place not in found or found[place].level < each.level:
            found[place] = each
    return found


def lower(rule: str, old: Levels, new: Levels) -> Iterator[Loosening]:
    """The levels that are gone or lower, each under ``<rule>/<indicator>@<grain>``."""
    for key in sorted(old):
        before, after = old[key], new.get(key)
        id_ = f"{rule}/{before.indicator}@{before.grain}"
        if after is None:
            sentence = f"It asked for {before.level.label}, and asks for nothing any more."
            yield Loosening(id_, sentence, before.source, gone=True)
        elif after.level < before.level:
            sentence = f"It asked for {before.level.label}, and asks for {after.level.label} now."
            yield Loosening(id_, sentence, after.source)


# ------------------------------------------------------------------------------------------------ overlays


def tightens(policy: Policy, overlay: Overlay) -> Levels:
    """What an overlay tightens, with what it builds on."""
    return strictest(each for one in policy.foundations(overlay) for each in one.tightens)


def overlays(old: Policy, new: Policy) -> Iterator[Loosening]:
    for id_, before in sorted(old.overlays.items()):
        rule, ended = f"overlay:{id_}", before.validity.until
        after = new.overlays.get(id_)
        found: Iterable[Loosening]
        if after is None:
            sentence = "The overlay is gone: nothing is stricter any more where it would hold."
            found = [Loosening(rule, sentence, before.source, gone=True)]
        else:
            levels = lower(rule, tightens(old, before), tightens(new, after))
            found = (*_narrower_overlay(before, after), *levels)
        yield from (Loosening(each.rule, each.sentence, each.source, each.gone, ended) for each in found)


def _narrower_overlay(before: Overlay, after: Overlay) -> Iterator[Loosening]:
    rule = f"overlay:{before.id}"
    for name in ("countries", "operations", "contexts"):
        once, now = getattr(before, name), getattr(after, name)
        if wider(now, once):
            sentence = f"It no longer holds for the same {name}: {listed(now)}, once {listed(once) or 'all'}."
            yield Loosening(rule, sentence, after.source)
    if longer(after.validity, before.validity):
        sentence = (
            f"It holds for a shorter time: from {after.validity.start} {until(after.validity)}, "
            f"once from {before.validity.start} {until(before.validity)}."
        )
        yield Loosening(rule, sentence, after.source)


# ----------------------------------------------------------------------------------------------- relations


def relations(old: Policy, new: Policy) -> Iterator[Loosening]:
    for id_, before in sorted(old.relations.items()):
        after = new.relations.get(id_)
        if after is None:
            sentence = "The relation is gone: what it kept apart may leave together."
            yield Loosening(before.rule, sentence, before.source, gone=True)
        else:
            for sentence in _narrower_relation(before, after):
                yield Loosening(before.rule, sentence, after.source)


def _narrower_relation(before: Relation, after: Relation) -> Iterator[str]:
    # Who had one of every old group must have one of every new group: each of these contains one of those.
    if not all(any(set(once) <= set(now) for once in before.groups) for now in after.groups):
        there = {each for group in after.groups for each in group}
        lost = listed({each for group in before.groups for each in group} - there)
        yield f"Its groups are met by fewer tables{f'; gone: {lost}' if lost else ''}."
    if missing := [each for each in Grain if before.counts_at(each) and not after.counts_at(each)]:
        yield f"It holds no more by {listed(map(str, missing))}."
    if wider(after.keys, before.keys):
        yield f"Fewer tables join: by {listed(after.keys)} only, once by {listed(before.keys) or 'any'}."
    if after.level < before.level:
        yield f"It asked for {before.level.label}, and asks for {after.level.label} now."


# ---------------------------------------------------------------------------------------------- indicators


def indicators(old: Policy, new: Policy) -> Iterator[Loosening]:
    for id_ in same(old.indicators, new.indicators):
        before, after = old.indicators[id_], new.indicators[id_]
        for grain in Grain:
            level, once = after.levels.get(grain), before.levels.get(grain, Level.SECRET)
            if level is not None and level < once:
                said = before.levels[grain].label if grain in before.levels else "undecided"
                rule = f"indicator:{id_}@{grain}"
                yield Loosening(rule, f"It was {said}, and is {level.label} now.", after.source)
        for sentence in _told_otherwise(before, after):
            yield Loosening(f"indicator:{id_}", sentence, after.source)


def _told_otherwise(before: Indicator, after: Indicator) -> Iterator[str]:
    """What makes a table with it seem coarser, or lets it be summed up.

    What identifies a finer unit than before tells the rows apart: then a code in each is the number of a
    record, and no site. And sums by what identifies an area may leave. So both ways are worth a look.
    """
    if before.identifies is not after.identifies:
        once, now = (f"one {each}" if each else "nothing" for each in (before.identifies, after.identifies))
        yield f"Its values tell {now} from another, once {once}."
    if after.additive and not before.additive:
        yield "It is additive now: its sums may leave where its values may not."
