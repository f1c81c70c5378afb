"""Broken policy files by the thousand: each loads, or is refused with problems. No traceback, and no hang.

``test_policy.py`` lets Hypothesis try pieces of text, bytes and shapes of values. Here files are broken in
the ways in which files do break: a line lost in a merge, a block moved, a copy cut off, an editor that
indents or swaps quotes, another alphabet, numbers and dates beyond all reason, YAML's own traps. A seed
repeats a case; ``DTM_FUZZ_CASES`` says how many, 2,000 where it is not set.
"""

from __future__ import annotations

import os
import re
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from pathlib import Path
from random import Random

import pytest

from dtm_sharing import classify, gate, policy
from dtm_sharing.cli.edge import run
from dtm_sharing.errors import PolicyInvalid, SharingError
from dtm_sharing.model import PUBLIC, Audience, Policy, Stage, TableProfile
from dtm_sharing.policy import Problem
from support.policies import AS_OF, whole_files, write_policies

CASES = int(os.environ.get("DTM_FUZZ_CASES", "2000"))
SLOWEST = 10.0  # seconds for one folder on a busy machine; what is quadratic or worse takes far longer
SHIPPED = Path(__file__).parents[2] / "policies"
Lines = list[str]


def shipped_files() -> dict[str, bytes]:
    return {
        path.relative_to(SHIPPED).as_posix(): path.read_bytes()
        for path in sorted(SHIPPED.rglob("*.yaml"))
        if "tests" not in path.relative_to(SHIPPED).parts
    }


# ------------------------------------------------------------------------------------- ways to break a file

VALUES = (
    *(
        "9" * 400,
        "-1",
        "0",
        "1e999",
        "-.inf",
        ".nan",
        "0x1F",
        "0o17",
        "1_000",
        "1:30",
        "+1",
        "1.",
        "2e",
        "١٢",
    ),
    *("true", "yes", "NO", "null", "~", "", "''", '""', "[]", "{}", "[[[[]]]]", "{a: {a: {a: {}}}}", "? a"),
    *(
        "2026-02-30",
        "0000-00-00",
        "0001-01-01",
        "9999-12-31",
        "10000-01-01",
        "2026-1-1",
        "2026-11-22T10:00:00",
    ),
    *("2026-11-22T10:00:00+05:45", "20261122", "2026-W47", "2026-11-22 UTC", "-2026-01-01", "today", "P180D"),
    *("Public", "Secret", "confidential", "protected", "others:x", ":", "::", "iom", "public", "npl/", "/"),
    *(
        "*a",
        "&a b",
        "!!python/object/apply:os.system [ls]",
        "!!binary aGk=",
        "!x y",
        "<<: *a",
        "%TAG ! x",
        "@x",
    ),
    *(
        "'",
        '"',
        "'it''s'",
        '"\\x41"',
        '"\\UFFFFFFFF"',
        '"\\uD800"',
        '"\\',
        "|",
        ">",
        "|9",
        ">-+",
        "|\n",
        "- -",
    ),
    *("a: b: c", "[a, b", "{a: b", "]", "}", ", ,", "#", " #", "---", "...", "--- x", "\t", "\x00", "\x7f"),
    *(
        "\x1b[31m",
        "\u202e",
        "\u2028",
        "\ufeff",
        "\u0430dmin2",
        "\uff53\uff49\uff54\uff45",
        "e\u0301",
        "\U0001f600",
        "\ufffe",
        "ß",
    ),
    *(
        "x" * 70_000,
        "é" * 5_000,
        "a " * 5_000,
        "[" * 3_000,
        "{" * 3_000,
        "- " * 3_000,
        "a: " * 500,
        "- [" * 500,
    ),
)
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{chr(ord(name) - 1)}'] * 9)}]\n" for name in "bcdefghi"
)


def a_line(rng: Random, lines: Lines) -> int:
    return rng.randrange(len(lines))


def drop(rng: Random, lines: Lines) -> None:
    at = a_line(rng, lines)
    del lines[at : at + rng.choice((1, 1, 1, 2, 5))]


def double(rng: Random, lines: Lines) -> None:
    at = a_line(rng, lines)
    lines[at:at] = lines[at : at + rng.choice((1, 1, 1, 2, 5))]


def move(rng: Random, lines: Lines) -> None:
    lines.insert(a_line(rng, lines), lines.pop(a_line(rng, lines)))


def indent(rng: Random, lines: Lines) -> None:
    at = a_line(rng, lines)
    for number in range(at, min(len(lines), at + rng.choice((1, 1, 2, 6)))):
        line = lines[number]
        lines[number] = rng.choice(
            (f" {line}", f"  {line}", line.lstrip(), line[1:], f"\t{line}", f"- {line}")
        )


def other_value(rng: Random, lines: Lines) -> None:
    """Of one key, in the place of what stands there."""
    at = rng.choice([number for number, line in enumerate(lines) if ": " in line] or [0])
    key, _, _ = lines[at].partition(": ")
    lines[at] = f"{key}: {rng.choice(VALUES)}"


def other_item(rng: Random, lines: Lines) -> None:
    """One word for another, of the same file or of ours."""
    at = a_line(rng, lines)
    words = lines[at].replace("[", " ").replace("]", " ").replace(",", " ").split()
    if words:
        every = [word for line in lines for word in line.split()]
        new = rng.choice((rng.choice(every), rng.choice(VALUES)))
        lines[at] = lines[at].replace(rng.choice(words), new, 1)


def two_swapped(rng: Random, lines: Lines) -> None:
    one, other = a_line(rng, lines), a_line(rng, lines)
    lines[one], lines[other] = lines[other], lines[one]


def renamed_key(rng: Random, lines: Lines) -> None:
    at = a_line(rng, lines)
    key, colon, rest = lines[at].partition(":")
    if colon:
        new = rng.choice(
            (key[:-1], f"{key}s", key.upper(), f"'{key.strip()}'", key.replace("_", "-"), "", "<<")
        )
        lines[at] = f"{new}:{rest}"


def cut_off(rng: Random, lines: Lines) -> None:
    at = a_line(rng, lines)
    lines[at] = lines[at][: rng.randint(0, len(lines[at]))]
    del lines[at + 1 :]


def anchored(rng: Random, lines: Lines) -> None:
    lines.insert(
        a_line(rng, lines), rng.choice(("x: &x [1]", "<<: *x", "y: *x", "- &z", BOMB, "<<: {kind: x}"))
    )


def second_document(rng: Random, lines: Lines) -> None:
    lines.insert(a_line(rng, lines), rng.choice(("---", "...", "--- !x", "%YAML 1.1", "%TAG ! tag:x,2026:")))


def line_ends(rng: Random, lines: Lines) -> None:
    end = rng.choice(("\r", "\r\n", "\x85", "\u2028", "\x0b", " ", "\x00"))
    for number, line in enumerate(lines):
        if rng.random() < 0.5:
            lines[number] = line + end


def quotes(rng: Random, lines: Lines) -> None:
    """What word processors and other keyboards make of our characters."""
    at = a_line(rng, lines)
    old, new = rng.choice(
        (
            ("'", '"'),
            ("'", "\N{RIGHT SINGLE QUOTATION MARK}"),
            (":", "\N{FULLWIDTH COLON}"),
            ("-", "\N{EN DASH}"),
            (" ", "\N{NO-BREAK SPACE}"),
            (" #", "#"),
        )
    )
    lines[at] = lines[at].replace(old, new)


LINES = (drop, double, move, indent, other_value, other_item, two_swapped, renamed_key, cut_off, anchored,
         second_document, line_ends, quotes)  # fmt: skip


def bytes_flipped(rng: Random, content: bytes) -> bytes:
    broken = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        broken[rng.randrange(len(broken))] ^= 1 << rng.randrange(8)
    return bytes(broken)


def bytes_lost(rng: Random, content: bytes) -> bytes:
    at = rng.randrange(len(content))
    return content[:at] + content[at + rng.choice((1, 7, 512, len(content))) :]


def other_encoding(rng: Random, content: bytes) -> bytes:
    text = content.decode()
    return text.encode(
        rng.choice(("utf-16", "utf-16-le", "utf-32", "utf-8-sig", "utf-7", "cp037")), "replace"
    )


BYTES = (bytes_flipped, bytes_lost, other_encoding)


def broken(rng: Random, content: bytes, met: Counter[str]) -> bytes:
    """The file, broken in one to three ways."""
    if rng.random() < 0.2:
        way: Callable[[Random, bytes], bytes] = rng.choice(BYTES)
        met[way.__name__] += 1
        return way(rng, content)
    lines = content.decode().split("\n")
    for _ in range(rng.choice((1, 1, 2, 3))):
        if lines:
            change = rng.choice(LINES)
            met[change.__name__] += 1
            change(rng, lines)
    return "\n".join(lines).encode("utf-8", "surrogatepass")


# ------------------------------------------------------------------------------------------ what comes out


def parsed(files: dict[str, bytes]) -> Policy | tuple[object, ...]:
    try:
        return policy.parse(files)
    except PolicyInvalid as refused:
        return refused.problems


def problems_of(files: dict[str, bytes]) -> tuple[Problem, ...] | Policy:
    began = time.monotonic()
    found = parsed(files)
    assert time.monotonic() - began < SLOWEST, "a broken file must not stop the program"
    if isinstance(found, Policy):
        return found
    assert found, "refused without a word"
    problems = tuple(each for each in found if isinstance(each, Problem))
    assert len(problems) == len(found)
    return problems


def check(files: dict[str, bytes], name: str) -> str:
    """``loads`` or ``refused``; anything else fails."""
    found = problems_of(files)
    if isinstance(found, Policy):
        decides(found)
        return "loads"
    for problem in found:
        assert problem.file in files
        assert problem.line >= 1
        assert problem.column >= 1
        assert str(problem).isprintable()
        assert len(str(problem)) < 1000, "a sentence, not the file"
    assert name in {each.file for each in found} or len(files) > 1
    return "refused"


def decides(loaded: Policy) -> None:
    """What loads can be decided with, on the first day of time and on the last as well."""
    pathways = [(each.id, path.urgency) for each in loaded.agreements.values() for path in each.pathways]
    for declared in loaded.datasets.values():
        headers = classify.identify([each.name for each in declared.columns], declared)
        table = TableProfile(declared.id, headers, 3, Stage.CLEANED, "1", whole=True)
        for audience in (PUBLIC, *(Audience(*each) for each in pathways)):
            for day in (AS_OF, date.min, date.max):
                with suppress(SharingError):
                    found = classify.classify(loaded, table, day)
                    gate.decide(loaded, found, audience, (), classify.classify)


def test_whatever_breaks_in_a_file_the_folder_loads_or_is_refused_with_problems() -> None:
    met: Counter[str] = Counter()
    names = sorted(whole_files())
    for seed in range(CASES * 3 // 4):
        rng = Random(seed)
        name = rng.choice(names)
        files = {**whole_files(), name: broken(rng, whole_files()[name], met)}
        try:
            met[check(files, name)] += 1
        except Exception as error:
            raise AssertionError(f"seed {seed}, {name}: {type(error).__name__}") from error
    print("".join(f"\n{number:6d}  {what}" for what, number in sorted(met.items())))
    assert met["loads"] > CASES // 50, "a fuzzer that only breaks never reaches what stands behind the reader"
    assert met["refused"] > CASES // 3
    assert {way.__name__ for way in (*LINES, *BYTES)} <= met.keys()


def test_whatever_breaks_in_a_file_that_we_ship_it_is_refused_with_problems() -> None:
    """Beside Table A only, which is quick: what it refers to is then missing, and it says so."""
    met: Counter[str] = Counter()
    shipped = shipped_files()
    table_a = {"classification.yaml": shipped["classification.yaml"]}
    for seed in range(CASES // 4):
        rng = Random(f"shipped {seed}")
        name = rng.choice(sorted(shipped))
        files = {**table_a, name: broken(rng, shipped[name], met)}
        try:
            met[check(files, name)] += 1
        except Exception as error:
            raise AssertionError(f"seed {seed}, {name}: {type(error).__name__}") from error
    assert met["refused"] > CASES // 8


def test_several_broken_files_at_once_are_all_named() -> None:
    for seed in range(CASES // 40):
        rng = Random(f"several {seed}")
        files = whole_files()
        names = rng.sample(sorted(files), 3)
        for name in names:
            files[name] += b"\nunheard_of: 1\n"
        found = problems_of(files)
        assert not isinstance(found, Policy)
        assert set(names) <= {each.file for each in found}


def test_the_program_ends_with_0_or_3_and_no_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    codes: Counter[int] = Counter()
    for seed in range(CASES // 20):
        rng = Random(f"program {seed}")
        name = rng.choice(sorted(whole_files()))
        content = broken(rng, whole_files()[name], Counter())
        folder = write_policies(tmp_path / str(seed), {**whole_files(), name: content})
        code = run(["validate", str(folder)])
        said = "".join(capsys.readouterr())
        codes[code] += 1
        assert code in (0, 3), f"seed {seed}: {said}"
        assert "Traceback" not in said
        assert "This is a bug" not in said
    assert codes[3] > CASES // 60


@pytest.mark.parametrize("day", ["0001-01-01", "2026-11-22", "9999-12-31"])
def test_every_question_has_an_answer_on_the_first_and_on_the_last_day(
    day: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Under files that are in force until the end of the calendar: an end is not a day to count on from."""
    ends = re.compile(rb"(valid_until|review_by|in_office_until): [0-9-]{10}")
    files = {name: ends.sub(rb"\1: 9999-12-31", text) for name, text in whole_files().items()}
    folder = write_policies(tmp_path / "policies", files)
    table = tmp_path / "round.csv"
    table.write_text("Site ID,District,Child-headed households\n1,2,3\n3,4,5\n")
    asked = ["--dataset", "xyz/site-assessment", "--policies", str(folder), "--as-of", day]
    partner = ["--audience", "xyz/child-protection", "--urgency", "low", "--stage", "cleaned"]
    for question in (
        ["classify"],
        ["gate", "--audience", "public"],
        ["gate", *partner],
        ["explain", "--column", "1"],
    ):
        code = run([question[0], str(table), *asked, *question[1:]])
        said = "".join(capsys.readouterr())
        assert code in (0, 2, 4), f"{question}: {said}"
        decided = day == "2026-11-22" or (day == "9999-12-31" and "low" in question)
        assert not decided or code != 4, said


def test_a_file_of_aliases_that_would_fill_the_memory_is_refused_at_once() -> None:
    found = problems_of({**whole_files(), "bomb.yaml": f"kind: relations\nid: x\n{BOMB}".encode()})
    assert not isinstance(found, Policy)
