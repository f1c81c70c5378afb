"""``test``: the given/expect files of a policy folder, each case a line, and the rules that none touches."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dtm_sharing.cli import reports
from dtm_sharing.cli.options import Day, output_form, settings, type_path
from dtm_sharing.cli.reports import Case, Finding, located
from dtm_sharing.cli.shapes import as_json
from dtm_sharing.cli.terminal import emit, emit_data, plain, replace_file
from dtm_sharing.errors import PolicyInvalid

if TYPE_CHECKING:
    from dtm_sharing.review.expected import Coverage, Difference, Judged

FAILED = 2
_MEANINGS = {"case-failed": "A given/expect case of the policy is decided otherwise."}
_WIDTH, _LABEL, _SIDE = 80, 14, 28  # columns of a difference: what, expected, actual


@click.command(
    short_help="Run the given/expect files of DIR.",
    epilog="\b\nExample:\n  dtm-sharing test policies --coverage-min 90 --junit policy-tests.xml",
)
@click.argument("folder", metavar="[DIR]", required=False, type=type_path)
@output_form("table", "json", "junit", "sarif", "github")
@click.option("--junit", type=type_path, metavar="FILE", help="Write JUnit XML to this file, too.")
@click.option(
    "--coverage-min",
    type=click.FloatRange(0, 100),
    metavar="PERCENT",
    help="Fail where the cases touch fewer of the rules.",
)
@click.option(
    "--prove",
    is_flag=True,
    help="Change each rule in turn, and fail where no case notices. Takes longer.",
)
@click.option("--as-of", type=Day(), metavar="DATE", help="Judge every case as on this day, not its own.")
def test(  # noqa: PLR0913 - one parameter per option
    *,
    folder: Path | None,
    form: str,
    junit: Path | None,
    coverage_min: float | None,
    prove: bool,
    as_of: date | None,
) -> int:
    """Run the given/expect files of DIR: all *.yaml in folders named tests.

    Exit code 2 if a case fails, or if there is none; 3 if the policy or a file of cases is invalid. Without
    DIR: the folder of DTM_SHARING_POLICIES.
    """
    from dtm_sharing.policy import expected
    from dtm_sharing.review.expected import coverage, judge, unnoticed
    from dtm_sharing.stores.policies import read_policies
    from dtm_sharing.stores.policy_tests import read_tests

    folder = folder or settings().policies
    try:
        policy = read_policies(folder)
        cases = expected.parse(read_tests(folder), policy)
    except PolicyInvalid as invalid:
        if junit is not None:  # else whoever reads it takes the last run's for this one's
            replace_file(junit, _invalid(folder, invalid, "junit"), "report")
        if form != "table":
            emit_data(_invalid(folder, invalid, form))
        raise
    judged = [judge(policy, each, as_of) for each in cases]
    covered = coverage(policy, judged)
    asleep = unnoticed(policy, judged) if prove else None
    page = _Page(folder, judged, covered, asleep, coverage_min)
    if junit is not None:
        replace_file(junit, page.junit(), "report")
    page.show(form)
    return 0 if page.passed else FAILED


def _invalid(folder: Path, invalid: PolicyInvalid, form: str) -> str:
    """A report of the files that are invalid: nothing was tried."""
    from dtm_sharing.policy import kinds

    found = reports.of_problems(folder, invalid)
    match form:
        case "json":
            return reports.as_json(found, passed=False)
        case "sarif":
            return reports.as_sarif(found, {**kinds.meanings(), **_MEANINGS})
        case "github":
            return reports.as_github(found)
        case _:
            files = [replace(each, broken=True) for each in reports.by_file(found, ())]
            return reports.as_junit("policy tests", files)


class _Page:
    """What is to be said of one run, in each form."""

    def __init__(
        self,
        folder: Path,
        judged: Sequence[Judged],
        covered: Coverage,
        asleep: Sequence[str] | None,
        least: float | None,
    ) -> None:
        self._folder, self._judged, self._covered = folder, judged, covered
        self._asleep, self._least = asleep, least

    @property
    def passed(self) -> bool:
        """No case is no proof, so a run without one has failed."""
        return bool(self._judged) and not any(each.differences for each in self._judged) and self._enough

    @property
    def _enough(self) -> bool:
        return not self._asleep and (self._least is None or self._covered.percent >= self._least)

    def show(self, form: str) -> None:
        found = [each for one in self._judged for each in self._findings(one)]
        match form:
            case "json":
                emit_data(as_json(self._as_data()))
            case "junit":
                emit_data(self.junit())
            case "sarif":
                emit_data(reports.as_sarif(found, _MEANINGS))
            case "github":
                emit_data(reports.as_github(found))
            case _:
                emit("\n".join(plain(line) for line in self._lines()))

    def junit(self) -> str:
        cases = [
            Case(each.case.name, each.case.file, self._file(each), tuple(self._findings(each)))
            for each in self._judged
        ]
        return reports.as_junit("policy tests", cases)

    def _file(self, judged: Judged) -> str:
        return located(self._folder, judged.case.source.file)

    def _findings(self, judged: Judged) -> Iterator[Finding]:
        source = judged.case.source
        for each in judged.differences:
            sentence = (
                f"{judged.case.name}: {each.what}: expected {', '.join(each.expected)}, "
                f"actually {', '.join(each.actual)}"
            )
            place = (self._file(judged), source.line, source.column)
            yield Finding(*place, "case-failed", "error", sentence)

    # ------------------------------------------------------------------------------------- as a page

    def _lines(self) -> Iterator[str]:
        file = None
        for each in self._judged:
            if each.case.source.file != file:
                file = each.case.source.file
                yield self._file(each)
            mark = "FAIL" if each.differences else "ok"
            yield f"  {mark:5} {each.case.name}"
            if each.differences:
                yield f"        line {each.case.source.line}, as of {each.as_of}"
                yield from _side_by_side(each.differences)
        yield from self._summary()

    def _summary(self) -> Iterator[str]:
        if not self._judged:
            yield (
                f"There is no given/expect case below {self._folder}: nothing was proved. Write one in "
                "tests/*.yaml."
            )
            return
        failed = sum(bool(each.differences) for each in self._judged)
        yield ""
        yield f"{_many(len(self._judged), 'case')}, {failed} failed."
        covered = self._covered
        share = f"{len(covered.touched)} of {_many(len(covered.rules), 'rule')}, {covered.percent:.1f} %"
        least = "" if self._least is None else f"; at least {self._least:g} % are asked for"
        yield f"Rules that a case touches: {share}{least}."
        yield from _listed("No case touches", covered.untouched, covered)
        if self._asleep is not None:
            yield from _listed("No case notices a change of", self._asleep, covered)
            if not self._asleep:
                yield "Each rule was changed in turn, and each time a case noticed."

    # ------------------------------------------------------------------------------------- as data

    def _as_data(self) -> dict[str, Any]:
        covered = self._covered
        return {
            "passed": self.passed,
            "cases": [self._case(each) for each in self._judged],
            "coverage": {
                "percent": round(covered.percent, 1),
                "rules": len(covered.rules),
                "untouched": _sourced(covered.untouched, covered),
                "unnoticed": None if self._asleep is None else _sourced(self._asleep, covered),
            },
        }

    def _case(self, judged: Judged) -> dict[str, Any]:
        return {
            "file": self._file(judged),
            "line": judged.case.source.line,
            "id": judged.case.file,
            "name": judged.case.name,
            "as_of": judged.as_of.isoformat(),
            "passed": not judged.differences,
            "outcome": str(judged.decision.outcome),
            "differences": [
                {"what": each.what, "expected": list(each.expected), "actual": list(each.actual)}
                for each in judged.differences
            ],
        }


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _listed(title: str, rules: Sequence[str], covered: Coverage) -> Iterator[str]:
    if rules:
        yield f"{title}:"
        yield from (f"  {rule}  ({covered.rules[rule]})" for rule in rules)


def _sourced(rules: Sequence[str], covered: Coverage) -> list[dict[str, str]]:
    return [{"rule": rule, "source": str(covered.rules[rule])} for rule in rules]


def _side_by_side(differences: Sequence[Difference]) -> Iterator[str]:
    yield _row("", "expected", "actual")
    for each in differences:
        sides = [_column(each.what, _LABEL), _items(each.expected), _items(each.actual)]
        yield from (_row(*cells) for cells in zip_longest(*sides, fillvalue=""))


def _row(what: str, wanted: str, actual: str) -> str:
    return f"        {what:{_LABEL}}  {wanted:{_SIDE}}  {actual}".rstrip()


def _items(texts: Sequence[str]) -> list[str]:
    return [line for text in texts for line in _column(plain(text), _SIDE)]


def _column(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, subsequent_indent=" ") or [""]
