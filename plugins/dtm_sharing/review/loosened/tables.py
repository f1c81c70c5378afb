"""Operations, and the tables that their rounds deliver: where they stand, and what a column counts as."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from dtm_sharing.model import Column, Dataset, Grain, Level, Policy
from dtm_sharing.review.cases import Rows, texts
from dtm_sharing.review.loosened.loosening import Loosening, lasts, listed, longer, same
from dtm_sharing.review.loosened.rules import tightens


def operations(old: Policy, new: Policy) -> Iterator[Loosening]:
    for id_ in same(old.operations, new.operations):
        before, after = old.operations[id_], new.operations[id_]
        rule = f"operation:{id_}"
        if longer(before.validity, after.validity):
            yield Loosening(rule, lasts(before.validity, after.validity), after.source)
        for each in sorted(new.overlays.values(), key=lambda each: each.id):
            day = each.validity.start  # the place counts here, whatever the day
            if each.holds(before, day) and not each.holds(after, day):
                sentence = f"Its country or context changed: overlay {each.id} does not hold for it any more."
                yield Loosening(rule, sentence, after.source)


# ------------------------------------------------------------------------------------------------ datasets


def datasets(old: Policy, new: Policy) -> Iterator[Loosening]:
    known = Rows(old), Rows(new)
    for id_ in same(old.datasets, new.datasets):
        before, after = old.datasets[id_], new.datasets[id_]
        found_then, found_now = _finder(known[0], before), _finder(known[1], after)
        rule = f"dataset:{id_}"
        for sentence in _stands_otherwise(before, after, found_now):
            yield Loosening(rule, sentence, after.source)
        for column, successor in _successors(before, after, found_then, found_now):
            for sentence in _counts_otherwise(before, after, column, successor, new):
                yield Loosening(rule, sentence, successor.source)


_Find = Callable[[str], Column | None]


def _finder(rows: Rows, declared: Dataset) -> _Find:
    """Which column a header is of, or continues. Most are spelt as declared: those need no looking up."""
    exact = {text: each for each in declared.columns for text in (*texts(each), *each.spellings)}
    return lambda text: exact.get(text) or rows.column(declared.id, text)


def _stands_otherwise(before: Dataset, after: Dataset, found_now: _Find) -> Iterator[str]:
    """What a table is judged by as a whole. None of it has a stricter side.

    By another grain, coarser or finer, other rules count; and what tells the rows apart decides whether the
    data show something finer, and whether a sum is of enough of them.
    """
    if before.operation != after.operation:
        yield (
            f"It is of {after.operation}, once of {before.operation}: other overlays and waivers hold for it."
        )
    if before.grain is not after.grain:
        yield f"Its rows count as one {after.grain} each, once as one {before.grain}."
    key = {found.name if (found := found_now(each)) else each for each in before.key}
    if key != set(after.key):
        yield f"Its rows are told apart by {listed(after.key)}, once by {listed(before.key)}."
    if before.header_row != after.header_row:  # a file whose header stands elsewhere need not be whole
        yield f"Its header stands in row {after.header_row}, once in row {before.header_row}."


def _successors(
    before: Dataset, after: Dataset, found_then: _Find, found_now: _Find
) -> Iterator[tuple[Column, Column]]:
    """A column as it was declared, and what takes its header now, as a column of its own or what continues.

    What neither policy, or only one, declares is for the engine: no rule knows it there.
    """
    pairs = [
        (found_then(text), found_now(text))
        for each in (*before.columns, *after.columns)
        for text in (*texts(each), *each.spellings)
    ]
    pairs += [(each, found_now(text)) for each in before.columns for text in each.continued_by]
    pairs += [(found_then(text), each) for each in after.columns for text in each.continued_by]
    for column, successor in dict.fromkeys(pairs):
        if column and successor:
            yield column, successor


def _counts_otherwise(
    before: Dataset, after: Dataset, column: Column, successor: Column, new: Policy
) -> Iterator[str]:
    if column.name in before.drop_at_collection and successor.name not in after.drop_at_collection:
        yield f"Column {column.name!r} is not dropped at collection any more."
    other = successor.indicator != column.indicator
    if other and not _said(new, column.indicator) <= _said(new, successor.indicator):
        yield f"Column {successor.name!r} counts as {successor.indicator}, once as {column.indicator}."


def _said(policy: Policy, indicator: str) -> set[object]:
    """Every level that is asked for an indicator, with every lower one, and every relation it is in."""
    found: set[object] = set()
    known = policy.indicators.get(indicator)
    for grain in Grain:
        level = known.levels.get(grain, Level.SECRET) if known else Level.SECRET
        found |= {("", grain, each) for each in Level if each <= level}
    rules = [(each.id, tuple(tightens(policy, each).values())) for each in policy.overlays.values()]
    rules += [(each.id, each.levels) for each in policy.assessments.values()]
    for id_, levels in rules:
        named = (each for each in levels if each.indicator == indicator)
        found |= {(id_, one.grain, each) for one in named for each in Level if each <= one.level}
    for relation in policy.relations.values():
        found |= {(relation.id, group) for group in relation.groups if indicator in group}
        found |= {(relation.id, "key")} if indicator in relation.keys else set()
    found |= {("identifies", known.identifies)} if known else {"undeclared"}
    return found if known and known.additive else found | {"never summed up"}
