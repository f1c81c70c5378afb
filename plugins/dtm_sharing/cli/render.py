"""Decisions for people: readable at 80 columns, in a pipe, and without colour."""

from __future__ import annotations

import io
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from itertools import groupby
from typing import TYPE_CHECKING

from dtm_sharing.cli.terminal import emit, plain
from dtm_sharing.model import (
    Classification,
    ColumnLevel,
    Dataset,
    Decision,
    Gap,
    Level,
    Notice,
    Outcome,
    Refusal,
    ReleasableForm,
)

if TYPE_CHECKING:
    from rich.console import Console

# Table A's disclosure protocols, in half a sentence.
MEANING = {
    Level.PUBLIC: "so by itself it may be published",
    Level.CONFIDENTIAL: "so it leaves only under an agreement, encrypted, to a named focal point",
    Level.SECRET: "so it goes nowhere",
}
_COLOURS = {
    Level.PUBLIC: "green",
    Level.CONFIDENTIAL: "yellow",
    Level.SECRET: "bold red",
    None: "bold magenta",
}
_STRICTEST_FIRST = (None, Level.SECRET, Level.CONFIDENTIAL, Level.PUBLIC)
_VERDICTS = {Outcome.ALLOW: "ALLOWED", Outcome.DENY: "DENIED", Outcome.UNDECIDED: "UNDECIDED"}
_RUN = 3  # from so many positions in a row on, a list of positions says 4-9


def word(level: Level | None) -> str:
    return "undecided" if level is None else level.label


def many(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


# ---------------------------------------------------------------------------------------------- classify


def classification(judged: Classification, dataset: Dataset, told: str | None = None) -> None:
    from rich.text import Text

    with _page() as page:
        _line(page, f"{_size(judged)}: {word(judged.level)}", "bold")
        _line(page, f"of them {_counts(each.level for each in judged.columns)}")
        _finer(page, judged, dataset)
        rows = [
            (
                str(each.header.position),
                Text(word(each.level), style=_COLOURS[each.level]),
                plain(each.header.key),
                _strictest_rule(each),
            )
            for each in judged.columns
        ]
        page.print()
        _table(page, ("#", "Level", "Column", "Strictest rule"), rows)
        _missing(page, judged.gaps)
        _ending(page, judged.notices)
        _basis(page, judged, judged.expires, told)


def _strictest_rule(column: ColumnLevel) -> str:
    """Where it stands, and each rule that would be stricter without its waiver."""
    if not column.reasons:
        return "no rule knows it"
    strictest = column.reasons[0]
    waived = [each for each in column.reasons if each.waiver]
    alone = [] if waived and waived[0].level is strictest.level else [str(strictest.source)]
    return "; ".join([*alone, *(f"{each.source}, waived by {each.waiver}" for each in waived)])


def _finer(page: Console, judged: Classification, dataset: Dataset) -> None:
    """What in the data says that a row is something finer than declared."""
    declared = judged.aggregated_to or dataset.grain
    found = [each for each in judged.evidence if each.grain.depth > declared.depth]
    if found:
        reasons = "; ".join(each.why for each in found)
        _line(page, f"Declared by {declared}, but {reasons}: it is judged by {judged.grain}.")


# -------------------------------------------------------------------------------------------------- gate


def decisions(decided: Sequence[tuple[Decision, Dataset]], told: str | None = None) -> None:
    """One table's, or those of several that leave together, each with a heading of its own."""
    with _page() as page:
        for number, (each, dataset) in enumerate(decided):
            if number:
                page.print()
            _decision(page, each, dataset, told)


def _decision(page: Console, decided: Decision, dataset: Dataset, told: str | None) -> None:
    _line(page, f"{_VERDICTS[decided.outcome]} for {decided.audience}: {_summary(decided)}", "bold")
    _finer(page, decided.classification, dataset)
    _missing(page, decided.gaps)
    for level in _STRICTEST_FIRST:
        _refused(page, decided, level)
    if decided.obligations:
        _heading(page, "What must be done with it")
        for each in decided.obligations:
            _item(page, each.sentence)
    if decided.outcome is Outcome.DENY:
        _forms(page, decided)
    _waivers(page, decided)
    _ending(page, decided.notices)
    _basis(page, decided.classification, decided.expires, told)


def _summary(decided: Decision) -> str:
    table = _size(decided.classification)
    if decided.outcome is Outcome.UNDECIDED:
        return f"{table}. {many(len(decided.gaps), 'gap')}, so nothing leaves."
    if decided.outcome is Outcome.DENY:
        return f"{table}, of which {len(decided.refused)} may not go."
    return f"{table}: {word(decided.level)}."


def _refused(page: Console, decided: Decision, level: Level | None) -> None:
    refused = [each for each in decided.refused if each.level is level]
    if not refused:
        return
    indicators = {each.header.key: each.indicator for each in decided.classification.columns}
    _heading(page, f"Refused, {word(level)}: {many(len(refused), 'column')}", _COLOURS[level])
    for why, columns in _by_reason(refused, indicators):
        _item(page, why.removeprefix(f"{word(level)}: "))
        for each in columns:
            _item(page, each.header.key, mark=str(each.header.position), width=6)


def _by_reason(
    refused: Iterable[Refusal], indicators: Mapping[str, str | None]
) -> Iterator[tuple[str, list[Refusal]]]:
    """Columns that are refused for one reason, or for reasons that differ only in the indicator named."""
    groups: dict[str, list[Refusal]] = {}
    for each in refused:
        reason = each.why.replace(f"indicator {indicators[each.header.key]} ", "the indicator ")
        groups.setdefault(reason, []).append(each)
    for reason, columns in groups.items():
        yield (columns[0].why if len(columns) == 1 else reason), columns


def _forms(page: Console, decided: Decision) -> None:
    """Every form that the same audience may have, nearest first; each was judged."""
    _heading(page, "Releasable form" if len(decided.forms) < 2 else "Releasable forms, any one of them")
    if not decided.forms:
        _item(page, "None: no part of this table may go to this audience.")
    positions = {each.header.key: each.header.position for each in decided.classification.columns}
    dropped = {key for form in decided.forms for key in form.drop_at_collection}
    if dropped:
        named = ranges(positions[key] for key in dropped)
        _item(
            page,
            f"Drop at collection what is Secret: {named}. Until then nothing of the table goes anywhere.",
        )
    for form in decided.forms:
        _item(page, _way(form, positions))


def _way(form: ReleasableForm, positions: Mapping[str, int]) -> str:
    """The form in a sentence, columns by position."""
    steps = []
    if form.without_tables:
        steps.append(f"leave out the table {' and '.join(form.without_tables)}")
    if form.leave_out:
        count = many(len(form.leave_out), "column")
        steps.append(f"leave out {count}: {ranges(positions[key] for key in form.leave_out)}")
    if form.aggregate_to:
        named = ranges(positions[key] for key in form.by)
        steps.append(f"sum up the others by {form.aggregate_to}, told apart by {named or 'nothing'}")
    said = "; ".join(steps) or "as it is"
    return f"{said[0].upper()}{said[1:]}. The other {many(len(form.keeps), 'column')} may go."


def _waivers(page: Console, decided: Decision) -> None:
    """Each waiver, with the columns that would be stricter without it."""
    if not decided.waivers:
        return
    _heading(page, f"Relaxed by {many(len(decided.waivers), 'waiver')}")
    for waiver in decided.waivers:
        touched = [
            each.header.position
            for each in decided.classification.columns
            if any(reason.waiver == waiver for reason in each.reasons)
        ]
        _item(page, f"{waiver}: {ranges(touched)}")


def ranges(positions: Iterable[int]) -> str:
    """``[4, 5, 6, 9]`` as ``4-6, 9``."""
    runs = (
        [position for _, position in run]
        for _, run in groupby(enumerate(sorted(positions)), key=lambda pair: pair[1] - pair[0])
    )
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) >= _RUN else ", ".join(map(str, run)) for run in runs)


# ----------------------------------------------------------------------------------------------- explain


def explanation(
    of: Classification | Decision,
    column: ColumnLevel,
    sentence: str,
    missing: Sequence[Gap],
    told: str | None = None,
) -> None:
    """Of a column of a table by itself, or as it was decided for an audience."""
    judged = of.classification if isinstance(of, Decision) else of
    with _page() as page:
        _line(page, sentence, "bold")
        for each in column.reasons:
            waived = f", waived by {each.waiver}" if each.waiver else ""
            _heading(page, f"{each.level.label}: {each.rule}{waived}", _COLOURS[each.level])
            _item(page, each.why)
            _item(page, str(each.source), mark="")
        if column.level is not None or isinstance(of, Decision):
            _missing(page, missing)
        _ending(page, of.notices)
        _basis(page, judged, of.expires, told)


# ------------------------------------------------------------------------------------------------- audit


def records(title: str, entries: Iterable[tuple[str, Mapping[str, str]]]) -> None:
    """One block per entry, its heading first: a line of sixteen fields fits no screen."""
    report([(title, entries)])


def report(sections: Iterable[tuple[str, Iterable[tuple[str, Mapping[str, str]]]]]) -> None:
    """Several lists of such blocks, each under its title, on one page."""
    with _page() as page:
        for number, (title, entries) in enumerate(sections):
            if number:
                page.print()
            _line(page, title, "bold")
            for heading, fields in entries:
                _heading(page, heading)
                for name, text in fields.items():
                    _item(page, text, mark=name, width=14)


# ------------------------------------------------------------------------------------------------- parts


@contextmanager
def _page() -> Iterator[Console]:
    """A page that is printed whole, or not at all, without the spaces that fill its lines."""
    from rich.console import Console

    paper = _Paper()
    terminal = True if sys.stdout.isatty() else None  # None: as FORCE_COLOR says
    yield Console(file=paper, force_terminal=terminal, highlight=False, markup=False, emoji=False)
    emit("\n".join(line.rstrip() for line in paper.getvalue().splitlines()))


class _Paper(io.StringIO):
    """What a page is written on. It has the terminal's encoding, so that no line is drawn that it lacks."""

    @property
    def encoding(self) -> str:  # type: ignore[override]  # read-only there, too
        return sys.stdout.encoding


def _line(page: Console, text: str, style: str = "") -> None:
    page.print(plain(text), style=style)


def _heading(page: Console, text: str, style: str = "bold") -> None:
    page.print()
    _line(page, text, style)


def _item(page: Console, text: str, mark: str = "-", width: int = 2) -> None:
    """``text`` beside its mark, wrapped under itself."""
    from rich.table import Table

    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(width=width, justify="right" if mark.isdecimal() else "left")
    grid.add_column(overflow="fold")
    grid.add_row(mark, plain(text))
    page.print(grid)


def _table(page: Console, titles: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for title in titles:
        table.add_column(title, justify="right" if title == "#" else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)  # type: ignore[arg-type]  # texts, plain or styled
    page.print(table)


def _missing(page: Console, gaps: Sequence[Gap]) -> None:
    if gaps:
        _heading(page, f"Missing: {many(len(gaps), 'gap')}", _COLOURS[None])
    for each in gaps:
        _item(page, each.sentence)


def _ending(page: Console, notices: Sequence[Notice]) -> None:
    """What still holds and soon will not."""
    if notices:
        _heading(page, "Ends soon, or has just ended", "yellow")
    for each in notices:
        _item(page, each.sentence)


def _basis(page: Console, judged: Classification, expires: date | None, told: str | None) -> None:
    until = "" if expires is None else f"; it holds until {expires}"
    page.print()
    _line(page, f"As of {judged.as_of}{until}.", "dim")
    _line(page, f"Policy {judged.policy_digest}", "dim")
    if told:
        _line(page, f"{told[0].upper()}{told[1:]}", "dim")


def _size(judged: Classification) -> str:
    rows, columns = many(judged.rows, "row"), many(len(judged.columns), "column")
    return f"{judged.dataset} by {judged.grain}, {rows}, {columns}"


def _counts(levels: Iterable[Level | None]) -> str:
    counted = Counter(levels)
    return ", ".join(f"{counted[each]} {word(each)}" for each in _STRICTEST_FIRST if counted[each])
