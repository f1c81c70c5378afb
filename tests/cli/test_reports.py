"""The writers of reports: what other programs read, whatever stands in a file name or a sentence."""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dtm_sharing.cli import reports
from dtm_sharing.cli.reports import Case, Finding, located

PLAIN = Finding("policies/npl/operation.yaml", 5, 7, "unknown-key", "error", "'x' is not a key of a file")
WARNING = Finding("policies/npl/operation.yaml", 1, 1, "no-assessment", "warning", "nothing covers it")
NOTE = Finding("policies/relations.yaml", 2, 3, "told", "note", "for the record")

# What must not get out of its place: the end of a command, line, element, attribute or section of a format.
HOSTILE = {
    "new line": "a\nb",
    "carriage return": "a\rb",
    "workflow command": "a\n::error file=x::injected",
    "workflow command in a line": "::set-env name=PATH::/tmp",
    "old workflow command": "##[add-path]/tmp",
    "escaped new line": "a%0A::error::b",
    "percent": "100%25 of %2C",
    "property": "a,line=9,title=x::b",
    "colons": "a:b::c",
    "end of section": "]]>",
    "element": "</testcase><testcase name='x'/>",
    "entity": "&lt;&#0;&quot;",
    "quotes": "\"'`",
    "bell and escape": "\x07\x1b[2J",
    "nul": "a\x00b",
    "other controls": "\x0b\x0c\x85\x9b\x7f",
    "line separators": "a\u2028b\u2029c",
    "turned text": "a\u202eb",
    "no character": "\ufffe\uffff",
    "half a character": "a\ud800b",
    "beyond the plane": "\U0001f600",
    "link": "[here](https://elsewhere.example.org)",
    "placeholder": "{0} {{x}}",
    "long": "w" * 100_000,
}
hostile = pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)

# The required parts of SARIF 2.1.0 (sections 3.13 to 3.30), and what GitHub's code scanning asks for beyond.
SARIF = {
    "type": "object",
    "required": ["$schema", "version", "runs"],
    "properties": {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"const": "2.1.0"},
        "runs": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/run"}},
    },
    "$defs": {
        "text": {
            "type": "object",
            "required": ["text"],
            "properties": {"text": {"type": "string", "minLength": 1, "maxLength": 1024}},
        },
        "run": {
            "type": "object",
            "required": ["tool", "results"],
            "properties": {
                "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                "tool": {
                    "type": "object",
                    "required": ["driver"],
                    "properties": {"driver": {"$ref": "#/$defs/driver"}},
                },
                "results": {"type": "array", "items": {"$ref": "#/$defs/result"}},
            },
        },
        "driver": {
            "type": "object",
            "required": ["name", "rules"],
            "properties": {
                "name": {"type": "string"},
                "rules": {
                    "type": "array",
                    "uniqueItems": True,
                    "items": {
                        "type": "object",
                        "required": ["id", "shortDescription"],
                        "properties": {
                            "id": {"type": "string", "pattern": "^[a-z0-9-]+$"},
                            "shortDescription": {"$ref": "#/$defs/text"},
                        },
                    },
                },
            },
        },
        "result": {
            "type": "object",
            "required": ["ruleId", "message", "locations", "level"],
            "properties": {
                "ruleId": {"type": "string"},
                "ruleIndex": {"type": "integer", "minimum": 0},
                "level": {"enum": ["none", "note", "warning", "error"]},
                "message": {"$ref": "#/$defs/text"},
                "locations": {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "type": "object",
                        "required": ["physicalLocation"],
                        "properties": {"physicalLocation": {"$ref": "#/$defs/place"}},
                    },
                },
            },
        },
        "place": {
            "type": "object",
            "required": ["artifactLocation", "region"],
            "properties": {
                "artifactLocation": {
                    "type": "object",
                    "required": ["uri"],
                    "properties": {
                        "uri": {"type": "string", "pattern": r"^(file:///)?[A-Za-z0-9._~/%-]+$"},
                    },
                },
                "region": {
                    "type": "object",
                    "required": ["startLine", "startColumn"],
                    "properties": {
                        "startLine": {"type": "integer", "minimum": 1},
                        "startColumn": {"type": "integer", "minimum": 1},
                    },
                },
            },
        },
    },
}


def sarif(findings, rules=None):
    log = json.loads(reports.as_sarif(findings, rules or {}))
    jsonschema.Draft202012Validator(SARIF, format_checker=jsonschema.FormatChecker()).validate(log)
    return log["runs"][0]


def with_text(text: str) -> Finding:
    return Finding(f"policies/{text}.yaml", 3, 4, "unknown-key", "error", f"before {text} after")


# ------------------------------------------------------------------------------------------------- SARIF


def test_sarif_says_where_what_and_of_which_kind():
    run = sarif([PLAIN, WARNING, NOTE], {"unknown-key": "A key is unknown.", "seal": "Not sealed."})
    rules = run["tool"]["driver"]["rules"]
    assert [each["id"] for each in rules] == ["no-assessment", "seal", "told", "unknown-key"]
    assert rules[3]["shortDescription"]["text"] == "A key is unknown."
    first = run["results"][0]
    assert rules[first["ruleIndex"]]["id"] == first["ruleId"] == "unknown-key"
    assert first["message"]["text"] == PLAIN.sentence
    place = first["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "policies/npl/operation.yaml"
    assert place["region"] == {"startLine": 5, "startColumn": 7}
    assert [each["level"] for each in run["results"]] == ["error", "warning", "note"]


def test_a_run_without_findings_still_says_what_it_looked_for():
    run = sarif([], {"seal": "Not sealed."})
    assert run["results"] == []
    assert run["tool"]["driver"]["rules"][0]["id"] == "seal"


@hostile
def test_sarif_stays_sarif_and_its_address_a_path(text):
    run = sarif([with_text(text)])
    assert len(run["results"]) == 1
    uri = run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert unquote(uri, errors="surrogateescape") == f"policies/{text}.yaml" or "\ud800" in text
    assert "](" not in run["results"][0]["message"]["text"]


def test_a_path_outside_the_repository_is_a_file_address():
    run = sarif([Finding("/srv/dtm/policies/a b.yaml", 1, 1, "x", "error", "s")])
    uri = run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == "file:///srv/dtm/policies/a%20b.yaml"


def test_a_place_before_the_first_sign_is_the_first_sign():
    region = sarif([Finding("a.yaml", 0, 0, "x", "error", "s")])["results"][0]["locations"][0]
    assert region["physicalLocation"]["region"] == {"startLine": 1, "startColumn": 1}


# ------------------------------------------------------------------------------------------------- JUnit


def junit(cases, **options):
    text = reports.as_junit("policy", cases, **options)
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n')
    return ET.fromstring(text.encode("utf-8"))


def test_junit_has_a_case_for_each_file_and_fails_those_with_an_error():
    cases = reports.by_file([NOTE, PLAIN, WARNING, PLAIN], ["policies/classification.yaml"])
    root = junit(cases)
    suite = root.find("testsuite")
    assert {key: root.get(key) for key in ("tests", "failures", "errors")} == {
        "tests": "3",
        "failures": "1",
        "errors": "0",
    }
    assert suite.get("tests") == "3"
    names = [each.get("name") for each in suite]
    assert names == ["policies/classification.yaml", PLAIN.file, NOTE.file]
    failed = suite[1].findall("failure")
    assert len(failed) == 1
    assert failed[0].get("type") == "unknown-key"
    assert failed[0].get("message") == "'x' is not a key of a file (and 1 more)"
    assert failed[0].text.count(f"{PLAIN.file}:5:7: ") == 2
    assert "warning: nothing covers it" in suite[1].find("system-out").text
    assert suite[2].find("failure") is None
    assert "note: for the record" in suite[2].find("system-out").text
    assert list(suite[0]) == []


def test_warnings_fail_a_case_where_they_are_asked_to():
    cases = reports.by_file([WARNING], [])
    assert junit(cases).get("failures") == "0"
    assert junit(cases, failing=("error", "warning")).get("failures") == "1"


def test_cases_of_one_name_are_counted_each():
    cases = [Case("the same", "a", findings=(PLAIN,)), Case("the same", "b", findings=(PLAIN,))]
    assert junit(cases).get("failures") == "2"


@hostile
def test_junit_stays_one_case_with_one_failure(text):
    root = junit([Case(text, text, text, (with_text(text),))])
    cases = root.findall(".//testcase")
    assert len(cases) == 1
    assert len(list(cases[0])) == 1
    assert cases[0][0].tag == "failure"
    for sign in text:
        if sign.isalnum() and ord(sign) < 128:
            assert sign in cases[0].get("name")


# ------------------------------------------------------------------------------------------------ GitHub


def test_github_gets_a_command_for_each_finding():
    lines = reports.as_github([PLAIN, WARNING, NOTE]).splitlines()
    assert lines == [
        "::error file=policies/npl/operation.yaml,line=5,col=7,title=unknown-key::'x' is not a key of a file",
        "::warning file=policies/npl/operation.yaml,line=1,col=1,title=no-assessment::nothing covers it",
        "::notice file=policies/relations.yaml,line=2,col=3,title=told::for the record",
    ]


def _parsed(line: str) -> tuple[str, dict[str, str], str]:
    """As GitHub's runner reads a line: up to the first ``::`` behind the command are its properties."""
    found = re.fullmatch(r"::(\w+) (.*?)::(.*)", line)
    assert found, line
    properties = dict(each.split("=", 1) for each in found[2].split(","))
    for escaped, sign in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        properties = {key: value.replace(escaped, sign) for key, value in properties.items()}
    message = found[3]
    for escaped, sign in (("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
        message = message.replace(escaped, sign)
    return found[1], properties, message


@hostile
def test_nothing_in_a_name_or_a_sentence_begins_a_command_of_its_own(text):
    page = reports.as_github([with_text(text), PLAIN])
    lines = page.splitlines()
    assert len(lines) == 2  # as Python splits them, which is at more signs than the runner's
    command, properties, message = _parsed(lines[0])
    assert command == "error"
    assert set(properties) == {"file", "line", "col", "title"}
    assert (properties["line"], properties["col"], properties["title"]) == ("3", "4", "unknown-key")
    if text.isprintable() and len(text) < reports.LONGEST:
        assert properties["file"] == f"policies/{text}.yaml"
        assert message == f"before {text} after"
    assert "\x1b" not in page


# -------------------------------------------------------------------------------------------- JSON, lines


@hostile
def test_json_keeps_the_text_as_it_is(text):
    found = json.loads(reports.as_json([with_text(text)], valid=False))
    assert found["valid"] is False
    assert found["findings"][0]["sentence"] == f"before {text} after"
    assert found["findings"][0]["file"] == f"policies/{text}.yaml"


@hostile
def test_a_finding_is_one_line_that_no_terminal_obeys(text):
    lines = reports.as_lines([with_text(text), WARNING]).splitlines()
    assert len(lines) == 2
    assert not {unicodedata.category(sign) for sign in lines[0]} & {"Cc", "Cs", "Zl", "Zp"}
    assert len(lines[0]) < 110_000
    assert lines[1] == "policies/npl/operation.yaml:1:1: warning: nothing covers it"


# ------------------------------------------------------------------------------------------------- places


def test_a_file_is_named_as_the_working_folder_sees_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert located(Path("policies"), "npl/a.yaml") == "policies/npl/a.yaml"
    assert located(tmp_path / "policies", "a.yaml") == "policies/a.yaml"
    assert located(Path(), "a.yaml") == "a.yaml"
    assert located(Path("./x/../policies"), "a.yaml") == "policies/a.yaml"
    assert located(tmp_path.parent, "a.yaml") == f"{tmp_path.parent}/a.yaml"
    assert located(Path(".."), "..a.yaml").startswith("/")
    assert located(Path(), "..a.yaml") == "..a.yaml"


# ---------------------------------------------------------------------------------------------- properties

TEXTS = st.text(st.characters(exclude_categories=()), max_size=40)


@given(TEXTS, TEXTS)
def test_whatever_the_text_every_format_holds_one_finding(name, sentence):
    found = Finding(name, 1, 1, "x", "error", sentence or "-")
    assert len(reports.as_github([found]).splitlines()) == 1
    assert len(reports.as_lines([found]).splitlines()) == 1
    assert len(json.loads(reports.as_sarif([found], {}))["runs"][0]["results"]) == 1
    assert len(junit([Case(name, name, name, (found,))]).findall(".//failure")) == 1
    assert json.loads(reports.as_json([found]))["findings"][0]["sentence"] == (sentence or "-")
