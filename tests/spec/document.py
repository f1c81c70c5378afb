"""The decision tables of this folder as a rule book: ``python -m tests.spec.document`` writes docs/rules.md.

How a table gets into it:

- A table is a text in Markdown under a name in capitals, at the level of its module. The comment directly
  above it says what is given; words of the table stand there as they stand in the table.
- One test runs each row of it: ``@pytest.mark.parametrize("row", rows(NAME), ids=name)``. The test's name is
  the title, its docstring the rule in plain words.
- ``CHAPTERS`` says where it stands. A table that no chapter names is an error, and so is one that no test
  runs: what is in the book is tested.
- Tests without a table are listed by their titles at the end of the chapter that names their module in
  ``also``.
"""

from __future__ import annotations

import ast
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
RULES = HERE.parents[1] / "docs" / "rules.md"


@dataclass(frozen=True)
class Chapter:
    title: str
    text: str
    tables: tuple[str, ...]  # <module>.<NAME>, in order
    also: tuple[str, ...] = ()  # modules whose tests without a table are listed here


CHAPTERS = (
    Chapter(
        "Three levels, and other agencies' words for them",
        "Table A has three levels, Public, Confidential and Secret, each stricter than the one before. The "
        "strictest of several counts. Other agencies' words are read only where it is known who speaks.",
        ("words.WORDS",),
    ),
    Chapter(
        "The grain decides",
        "What one row of a table stands for decides how sensitive a question is: the number of children "
        "without parents is Public for a country, Confidential for a site and Secret for a person. The grain "
        "is declared, and it is looked for in the cells; where they disagree, the finer one counts.",
        ("levels.BY_GRAIN", "levels.FINER", "levels.SEEN"),
    ),
    Chapter(
        "The strictest rule wins",
        "Overlays and assessments only ever tighten, in whatever order the files are read. An overlay says "
        "where and when it holds: what is harmless in one country, crisis or year is not in another.",
        ("levels.STRICTEST", "levels.OVERLAYS", "levels.BUILDS_ON"),
    ),
    Chapter(
        "Only a waiver relaxes",
        "The one way down is dated, justified and signed by two people, it names each rule that it relaxes, "
        "and it ends. Nothing Secret is ever relaxed.",
        ("levels.WAIVED", "levels.WAIVER_IN_TIME"),
    ),
    Chapter(
        "Assessments, and time",
        "A risk assessment is made for a context and has a review date. In another context, or after that "
        "day, what it covered is undecided until it is repeated.",
        ("levels.IN_TIME", "levels.TWICE", "levels.IN_GOOD_TIME"),
    ),
    Chapter(
        "Together more sensitive than alone",
        "Feelings of safety are harmless in themselves, and so is who provides security. Side by side they "
        "say who makes people afraid. It does not matter whether they stand in one table or in two, nor "
        "when the second one arrives.",
        (
            "levels.TOGETHER",
            "relations.BESIDE_WHAT_IS_PUBLIC",
            "relations.THREE_TOGETHER",
            "relations.WHICH_AND_WHEN",
            "relations.READ_BY_AN_ORGANIZATION",
            "relations.EITHER_ORDER",
            "relations.BY_WAY_OF_A_THIRD",
            "relations.THE_LAST_OF_THREE",
            "relations.A_LIST_OF_PLACES",
            "relations.NOT_KNOWN",
            "relations.WAIVED",
        ),
        ("relations",),
    ),
    Chapter(
        "What everyone may have",
        "Only what is Public is published. Secret enters no pathway and is no part of any form that is "
        "released; what no rule knows stops the table until somebody says what it is.",
        ("public.AS_IT_IS",),
        ("public",),
    ),
    Chapter(
        "What a partner may have",
        "A Confidential extract leaves under an agreement in force, for an approved request, with exactly "
        "the indicators that Table B lists, at the right stage, by a method that protects it, to a focal "
        "point in office. If one of these is missing, nothing leaves.",
        (
            "pathways.EXACTLY_WHAT_IS_LISTED",
            "pathways.PAPER",
            "pathways.SIGNED",
            "pathways.ASKED",
            "pathways.PRACTICE",
            "pathways.WHOM",
            "pathways.ENDS_SOON",
        ),
        ("pathways", "levels"),
    ),
    Chapter(
        "What a refusal offers instead",
        "Whoever is refused is told the smallest change that would pass. Each form below was judged again, "
        "as the table that it would be.",
        ("forms.LEAVE_OUT", "forms.SUM_UP", "forms.WHAT_THE_CELLS_SAY", "forms.TOGETHER"),
        ("forms",),
    ),
    Chapter(
        "Files that do not load",
        "A rule that is written down wrongly must not be read as a weaker one. Then nothing is decided at "
        "all, and every fault is named with its place.",
        ("words.FAULTS",),
    ),
)

# What a decision lacks, or tells ahead, by the word that stands in the tables and in every answer.
MEANING = {
    "no-columns": "the table has no columns, so nothing was judged",
    "empty-table": "the table has no rows, so nothing was judged",
    "absent-column": "a table that claims to be whole lacks a declared column",
    "unknown-column": "no rule knows a column: declare it, or leave it out",
    "no-level": "a question has no level for this grain: give it one",
    "other-policy": "the table was classified under other policy files",
    "operation-not-valid": "the operation has ended, or has not begun",
    "no-assessment": "nobody has assessed the risk for this dataset",
    "assessment-not-made": "the risk assessment is dated later",
    "lapsed-assessment": "the review date of the risk assessment is past",
    "context-changed": "the risk was assessed for another context than today's",
    "assessor-not-in-office": "somebody assessed the risk who was not in office that day",
    "holdings-unknown": "nobody could read what the audience already has",
    "holding-unknown-indicator": "the audience has something that the policy no longer declares",
    "agreement-not-in-force": "the agreement has ended, or has not begun",
    "agreement-not-signed": "one side has not signed the agreement, or nobody who could",
    "request-not-approved": "nobody approved the data access request by that day",
    "request-not-valid": "the approval of the request has ended, or has not begun",
    "no-focal-point": "nobody who may receive it is in office",
    "no-channel": "there is no way yet to send by the agreed method",
    "stage-not-reached": "low urgency waits for cleaned data",
    "stage-unknown": "low urgency waits for cleaned data, and nobody says whether these are",
    "agreed-indicator-absent": "the recipient would get less than agreed",
    "agreement-ends": "told ahead: the agreement ends within thirty days",
    "request-ends": "told ahead: the approval of the request ends within thirty days",
    "focal-point-leaves": "told ahead: a recipient leaves office within thirty days",
    "assessment-lapses": "told ahead: the risk has to be assessed again within thirty days",
    "waiver-lapses": "told ahead: a waiver that was used ends within thirty days",
    "waiver-lapsed": "told for thirty days: a waiver has ended and is missed here",
}
MISSING = ("missing", "told of", "said")  # heads of the columns in which these words stand

_RULE = re.compile(r"^\|[ |-]+\|$", re.MULTILINE)  # the line below a table's heads

HEAD = """\
<!-- Written by `python -m tests.spec.document` from the tables in tests/spec. Change it there. -->
# The rules, case by case

What the policy files and the engine mean, as decision tables: on the left what is given, on the right what
comes out. Each row is a test that runs before any change is accepted, so this page cannot be out of date. A
protection officer who finds a row wrong has found a mistake: say which.

Three answers are possible. **allow**: it may leave, with what the decision obliges to. **deny**: something in
it may not go to this audience. **undecided**: something is missing to decide it, and then nothing leaves
either. `-` means: nothing, none, or not given. Names such as `children`, `safety` or `phone` stand for
questions of a questionnaire; the line above each table says which level they have by themselves.
"""


@dataclass(frozen=True)
class Table:
    """A table, and the test that runs it."""

    name: str  # <module>.<NAME>
    given: str
    rows: tuple[tuple[str, ...], ...]  # the heads first
    title: str
    rule: str


@dataclass(frozen=True)
class Module:
    name: str
    tables: tuple[Table, ...]
    others: tuple[str, ...]  # tests without a table


def modules(folder: Path = HERE) -> tuple[Module, ...]:
    """Every module of tables.

    Raises:
        ValueError: a table that no test runs, or that two do.
    """
    return tuple(
        _module(path.stem.removeprefix("test_"), path.read_text("utf-8"))
        for path in sorted(folder.glob("test_*.py"))
    )


def _module(name: str, source: str) -> Module:
    tree = ast.parse(source)
    tests = [
        each for each in tree.body if isinstance(each, ast.FunctionDef) and each.name.startswith("test_")
    ]
    runs = {_runs(test): test for test in tests if _runs(test)}
    lines = source.splitlines()
    found = []
    for node in tree.body:
        if not (isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)):
            continue
        table, value = node.targets[0].id, node.value
        if isinstance(value, ast.Constant) and isinstance(value.value, str) and _RULE.search(value.value):
            if table not in runs:
                raise ValueError(f"{name}.{table} is a table that no test runs")
            test = runs[table]
            found.append(
                Table(
                    f"{name}.{table}",
                    _comment(lines, node.lineno),
                    _rows(value.value),
                    _said(test),
                    _doc(test),
                )
            )
    others = tuple(f"{_said(test)}. {_doc(test)}".strip() for test in tests if not _runs(test))
    return Module(name, tuple(found), others)


def _runs(test: ast.FunctionDef) -> str | None:
    """The table whose rows are the test's cases."""
    for decorator in test.decorator_list:
        for node in ast.walk(decorator):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "rows":
                [table] = node.args
                return table.id if isinstance(table, ast.Name) else None
    return None


def _comment(lines: list[str], line: int) -> str:
    """The comment that ends directly above a line (counted from 1), as one paragraph."""
    found: list[str] = []
    for text in reversed(lines[: line - 1]):
        if not text.startswith("# ") or text.startswith("# --"):
            break
        found.insert(0, text[2:].strip())
    return " ".join(found)


def _rows(table: str) -> tuple[tuple[str, ...], ...]:
    lines = [line.strip().strip("|").split("|") for line in table.strip().splitlines()]
    return tuple(tuple(cell.strip() for cell in line) for line in (lines[0], *lines[2:]))


def _said(test: ast.FunctionDef) -> str:
    words = test.name.removeprefix("test_").replace("_", " ")
    return words[0].upper() + words[1:]


def _doc(test: ast.FunctionDef) -> str:
    return " ".join((ast.get_docstring(test) or "").split())


# ------------------------------------------------------------------------------------------------ the book


def document(folder: Path = HERE) -> str:
    """The whole page.

    Raises:
        ValueError: a table that no chapter names, a name that is no table, or a word without a meaning.
    """
    found = {each.name: each for each in modules(folder)}
    tables = {table.name: table for each in found.values() for table in each.tables}
    named = [table for chapter in CHAPTERS for table in chapter.tables]
    astray = sorted({*tables, *named} - (set(tables) & set(named)))
    if astray or len(named) != len(set(named)):
        raise ValueError(
            f"each table stands in one chapter of tests/spec/document.py, but: {astray or named}"
        )
    chapters = "".join(
        line
        for number, chapter in enumerate(CHAPTERS, 1)
        for line in _chapter(number, chapter, found, tables)
    )
    unexplained = _missing(tables.values()) - MEANING.keys()
    if unexplained:
        raise ValueError(f"MEANING in tests/spec/document.py lacks {sorted(unexplained)}")
    words = (("word", "meaning"), *((f"`{word}`", meaning) for word, meaning in MEANING.items()))
    return f"{HEAD}{chapters}\n## Words for what is missing, or soon will be\n\n{_markdown(words)}\n"


def _missing(tables: Iterable[Table]) -> set[str]:
    """Every word that stands in a table for what a decision lacks or tells ahead."""
    cells = (
        row[at]
        for table in tables
        for at, head in enumerate(table.rows[0])
        if head in MISSING
        for row in table.rows[1:]
    )
    return {word.strip() for cell in cells for word in cell.split(",")} - {"-"}


def _chapter(
    number: int, chapter: Chapter, found: dict[str, Module], tables: dict[str, Table]
) -> Iterator[str]:
    yield f"\n## {number}. {chapter.title}\n\n{_filled(chapter.text)}\n"
    for at, name in enumerate(chapter.tables, 1):
        table = tables[name]
        yield f"\n### {number}.{at} {table.title}\n"
        for paragraph in (table.rule, table.given):
            if paragraph:
                yield f"\n{_filled(paragraph)}\n"
        yield f"\n{_markdown(table.rows)}\n"
    also = [sentence for module in chapter.also for sentence in found[module].others]
    if also:
        yield "\nTested as well:\n\n" + "".join(f"{_filled(f'- {each}', '  ')}\n" for each in also)


def _markdown(rows: tuple[tuple[str, ...], ...]) -> str:
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    heads, *body = rows
    lines = [heads, tuple("-" * width for width in widths), *body]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
        for line in lines
    )


def _filled(text: str, indent: str = "") -> str:
    plain = re.sub(r"``([^`]*)``", r"`\1`", text)
    return textwrap.fill(plain, 110, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


if __name__ == "__main__":
    RULES.write_text(document(), "utf-8")
    sys.stdout.write(f"{RULES.relative_to(Path.cwd()) if RULES.is_relative_to(Path.cwd()) else RULES}\n")
