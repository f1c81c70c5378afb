"""Reports for other programs: what was found, as JSON, SARIF, JUnit XML or GitHub workflow commands.

Whatever stands in a file name or a sentence stays text there: it ends no line, element or command.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from dtm_sharing.cli.shapes import as_json as json_page
from dtm_sharing.cli.terminal import plain
from dtm_sharing.errors import PolicyInvalid

Severity = Literal["error", "warning", "note"]

LONGEST = 1000  # signs of a sentence; a report is for reading, and GitHub shows no more than that
_SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"  # the identifier that others write, too
_NO_NAME = re.compile("[\ud800-\udc7f\udd00-\udfff]")  # halves of a character that no file's name has
_FORBIDDEN_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, 2.2


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing that somebody should look at. Line and column count from 1.

    ``file`` is the path as whoever reads the report opens it (see ``located``). ``rule`` is the kind of
    finding, a slug that stays the same from run to run. The sentence holds no cell value.
    """

    file: str
    line: int
    column: int
    rule: str
    level: Severity
    sentence: str

    def __str__(self) -> str:
        word = "" if self.level == "error" else f"{self.level}: "
        return plain(f"{self.file}:{self.line}:{self.column}: {word}{_short(self.sentence)}")


@dataclass(frozen=True, slots=True)
class Case:
    """One test case of a JUnit report: a file that was checked, a given/expect case, a replayed decision.

    It fails where one of its findings counts as a failure; the others are only told. ``broken``: it could not
    be judged at all, which is an error, not a failure.
    """

    name: str
    group: str = ""
    file: str = ""
    findings: tuple[Finding, ...] = ()
    broken: bool = False


def located(folder: Path, file: str) -> str:
    """``file`` in ``folder``, relative to the working directory where it lies below that, with ``/``.

    Code scanning and annotations find a file by its path in the repository, where such commands run.
    """
    path = os.path.relpath(folder / file)
    inside = path != os.pardir and not path.startswith(os.pardir + os.sep)
    return Path(path).as_posix() if inside else (folder / file).absolute().as_posix()


def of_problems(folder: Path, invalid: PolicyInvalid) -> list[Finding]:
    """What is wrong with a policy folder, each at its place."""
    from dtm_sharing.policy import Problem
    from dtm_sharing.policy.kinds import kind_of

    return [
        Finding(
            located(folder, each.file),
            each.line,
            each.column,
            kind_of(each.sentence),
            "error",
            each.sentence,
        )
        for each in invalid.problems
        if isinstance(each, Problem)
    ]


def as_lines(findings: Iterable[Finding]) -> str:
    """``file:line:column: sentence``, a line each."""
    return "".join(f"{each}\n" for each in findings)


def as_json(findings: Iterable[Finding], **more: Any) -> str:
    """``more`` with the list ``findings``."""
    return json_page({**more, "findings": [_fields(each) for each in findings]})


def _fields(each: Finding) -> dict[str, Any]:
    return {
        "file": each.file,
        "line": each.line,
        "column": each.column,
        "rule": each.rule,
        "level": each.level,
        "sentence": each.sentence,
    }


# ---------------------------------------------------------------------------------------------- SARIF


def as_sarif(findings: Iterable[Finding], rules: Mapping[str, str]) -> str:
    """SARIF 2.1.0, one run, as GitHub's code scanning takes it.

    ``rules``: what each kind of finding means, in a sentence. Those without a finding are listed too, so that
    a run without findings says what it looked for.
    """
    found = list(findings)
    ids = sorted({*rules, *(each.rule for each in found)})
    driver = {
        "name": "dtm-sharing",
        "version": _version(),
        "rules": [_rule(each, rules.get(each, each)) for each in ids],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(each, ids.index(each.rule)) for each in found],
    }
    return json_page({"$schema": _SARIF_SCHEMA, "version": "2.1.0", "runs": [run]})


def _rule(rule: str, meaning: str) -> dict[str, Any]:
    return {"id": rule, "shortDescription": {"text": meaning}}


def _result(each: Finding, rule: int) -> dict[str, Any]:
    place = {
        "artifactLocation": {"uri": _uri(each.file)},
        "region": {"startLine": max(1, each.line), "startColumn": max(1, each.column)},
    }
    # A "[text](address)" in a SARIF message is a link, and nobody's words but ours may make one.
    message = plain(_short(each.sentence)).replace("](", "] (")
    return {
        "ruleId": each.rule,
        "ruleIndex": rule,
        "level": each.level,
        "message": {"text": message},
        "locations": [{"physicalLocation": place}],
    }


def _uri(file: str) -> str:
    """A relative reference, or a file: URI; a name that is not UTF-8 keeps its bytes."""
    named = _NO_NAME.sub("\ufffd", file)
    path = quote(named, safe="/", encoding="utf-8", errors="surrogateescape")
    return f"file://{path}" if path.startswith("/") else path


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("dtm-sharing")
    except PackageNotFoundError:
        return "0"


# ---------------------------------------------------------------------------------------------- JUnit


def by_file(findings: Iterable[Finding], files: Iterable[str]) -> tuple[Case, ...]:
    """A case for each file that was looked at, and for each that has a finding."""
    ordered = sorted(findings)
    found = {file: tuple(each) for file, each in groupby(ordered, key=lambda each: each.file)}
    return tuple(Case(file, file=file, findings=found.get(file, ())) for file in sorted({*files, *found}))


def as_junit(suite: str, cases: Sequence[Case], failing: Iterable[Severity] = ("error",)) -> str:
    """JUnit XML as Jenkins, GitLab and GitHub's reporters read it: one failure for a case at most."""
    from xml.etree import ElementTree as ET

    failed = [case for case in cases if _failures(case, failing)]
    errors = sum(case.broken for case in failed)
    counts = {"tests": str(len(cases)), "failures": str(len(failed) - errors), "errors": str(errors)}
    root = ET.Element("testsuites", {"name": "dtm-sharing", **counts})
    within = ET.SubElement(root, "testsuite", {"name": _xml(suite), **counts, "skipped": "0"})
    for case in cases:
        _case(within, case, _failures(case, failing))
    ET.indent(root)
    text = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _failures(case: Case, failing: Iterable[Severity]) -> list[Finding]:
    return [each for each in case.findings if each.level in failing]


def _case(suite: Any, case: Case, failures: Sequence[Finding]) -> None:
    from xml.etree import ElementTree as ET

    about = {"classname": _xml(case.group or suite.get("name")), "name": _xml(case.name)}
    element = ET.SubElement(suite, "testcase", about | ({"file": _xml(case.file)} if case.file else {}))
    if failures:
        first = failures[0]
        more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
        message = {"message": _xml(_short(first.sentence) + more), "type": first.rule}
        ET.SubElement(element, "error" if case.broken else "failure", message).text = _xml(as_lines(failures))
    told = [each for each in case.findings if each not in failures]
    if told:
        ET.SubElement(element, "system-out").text = _xml(as_lines(told))


def _xml(text: str) -> str:
    return _FORBIDDEN_IN_XML.sub("\ufffd", text)


# ------------------------------------------------------------------------------------ GitHub's commands


def as_github(findings: Iterable[Finding]) -> str:
    """Workflow commands, a line each: GitHub shows them beside the lines of a pull request."""
    words = {"error": "error", "warning": "warning", "note": "notice"}
    return "".join(
        f"::{words[each.level]} file={_property(each.file)},line={each.line},col={each.column},"
        f"title={_property(each.rule)}::{_data(_short(each.sentence))}\n"
        for each in findings
    )


def _data(text: str) -> str:
    """As GitHub's own toolkit escapes the message of a command."""
    escaped = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return plain(escaped)


def _property(text: str) -> str:
    """As GitHub's own toolkit escapes a property of a command."""
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _short(sentence: str) -> str:
    return sentence if len(sentence) <= LONGEST else f"{sentence[: LONGEST - 1]}…"
