"""test: given/expect files, run against the policy beside them; each case a line, each rule counted."""

from __future__ import annotations

import json
import shutil
from xml.etree import ElementTree as ET

import jsonschema
import pytest
import yaml

from dtm_sharing.policy import expected
from support.loading import ROOT
from support.policies import AGREEMENT, DATASET, patched, sample_files, write_policies

TESTS = "xyz/tests/site-assessment.yaml"

GOOD = """\
kind: test
id: xyz/site-assessment
as_of: 2026-11-22
cases:
  - name: Public columns may be published
    given: {dataset: xyz/site-assessment, columns: [Site ID, District]}
    expect: {outcome: allow, level: Public, refused: [], gaps: [], waivers: []}
  - name: Protection data per site may not
    given: {dataset: xyz/site-assessment, indicators: [site-id, child-headed-households]}
    expect:
      outcome: deny
      levels: {Site ID: Public, child-headed-households: Confidential}
      refused: [Child-headed households]
      form: {leave_out: [child-headed-households], keeps: [Site ID]}
      rules: [indicator:child-headed-households@site]
"""


def case(given: str, expect: str, name: str = "A case") -> str:
    """A file with one case: what is given beside the dataset, and what is expected."""
    return (
        "kind: test\nid: xyz/one\nas_of: 2026-11-22\ncases:\n"
        f"  - name: {name}\n    given: {{dataset: xyz/site-assessment, {given}}}\n    expect: {{{expect}}}\n"
    )


@pytest.fixture
def run(cli, policies):
    """Run a file of cases, or several."""

    def call(*texts: str, options=()):
        for number, text in enumerate(texts):
            path = policies / (TESTS if number == 0 else f"tests/{number}.yaml")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        return cli("test", policies, *options)

    return call


# ------------------------------------------------------------------------------------------------ verdicts


def test_cases_that_hold_are_a_line_each_and_exit_code_0(run):
    answer = run(GOOD)
    assert (answer.code, answer.err) == (0, "")
    lines = answer.out.splitlines()
    assert lines[0].endswith(TESTS)
    assert lines[1:3] == [
        "  ok    Public columns may be published",
        "  ok    Protection data per site may not",
    ]
    assert "2 cases, 0 failed." in lines


def test_a_case_that_does_not_hold_says_what_was_expected_and_what_is(run):
    answer = run(GOOD.replace("outcome: allow", "outcome: deny").replace("[Site ID, District]", "all"))
    assert answer.code == 2
    lines = answer.out.splitlines()
    assert lines[1] == "  FAIL  Public columns may be published"
    assert lines[2] == "        line 5, as of 2026-11-22"
    assert lines[3].split() == ["expected", "actual"]
    assert lines[4].split() == ["level", "Public", "Secret"]
    assert lines[5].split() == ["refused", "none", "Child-headed", "households"]
    assert "2 cases, 1 failed." in lines


def test_no_case_is_no_proof(run, policies):
    answer = run()
    assert answer.code == 2
    assert "nothing was proved" in answer.out
    (policies / "tests").mkdir()
    assert run().code == 2


EXPECTED = {
    "outcome": ("columns: [Site ID]", "outcome: deny", "deny", "allow"),
    "level": ("columns: [Site ID]", "level: Secret", "Secret", "Public"),
    "level where something is missing": (
        "columns: [Site ID], rows: 0",
        "level: Public",
        "Public",
        "undecided",
    ),
    "level of a column": (
        "columns: [Site ID]",
        "levels: {Site ID: Confidential}",
        "Confidential",
        "Public",
    ),
    "level of an indicator": (
        "columns: [Site type]",
        "levels: {site-type: Confidential}",
        "Confidential",
        "Public",
    ),
    "level of a column that is not there": (
        "columns: [Site ID]",
        "levels: {District: Public}",
        "Public",
        "the table has no such column",
    ),
    "refused, and it is not": ("columns: [Site ID]", "refused: [Site ID]", "Site ID", "none"),
    "not refused, and it is": (
        "columns: [Site ID, Site manager phone]",
        "refused: []",
        "none",
        "Site manager phone",
    ),
    "gap that is none": ("columns: [Site ID]", "gaps: [no-level]", "no-level", "none"),
    "gap that nobody expects": ("columns: [Site ID], rows: 0", "gaps: []", "none", "empty-table"),
    "waiver that is none": ("columns: [Site ID]", "waivers: []", None, None),
    "releasable": ("columns: [Site manager phone]", "releasable: true", "true", "false"),
    "a form where none is": (
        "columns: [Site manager phone]",
        "form: {keeps: [Site ID]}",
        "one",
        "none",
    ),
    "another form": (
        "columns: [Site ID, Site manager phone]",
        "form: {leave_out: [Site ID]}",
        "Site ID",
        "Site manager phone",
    ),
    "rule without a part": (
        "columns: [Site ID]",
        "rules: ['relation:safety-and-armed-actors']",
        "relation:safety-and-armed-actors",
        "had no part",
    ),
    "obligation": ("columns: [Site ID]", "obligations: [encrypt]", "encrypt", "none"),
    "notice": ("columns: [Site ID]", "notices: [assessment-lapses]", "assessment-lapses", "none"),
    "another end": ("columns: [Site ID]", "expires: 2026-12-31", "2026-12-31", "2027-09-14"),
}


@pytest.mark.parametrize("given, expect, wanted, actual", EXPECTED.values(), ids=EXPECTED)  # noqa: PT006
def test_each_expectation_is_compared(run, given, expect, wanted, actual):
    found = run(case(given, expect), options=("--format", "json")).json
    differences = found["cases"][0]["differences"]
    if wanted is None:
        assert found["passed"] is True
        assert differences == []
        return
    assert found["passed"] is False
    assert [(each["expected"], each["actual"]) for each in differences] == [([wanted], [actual])]


def test_only_what_is_named_is_compared(run):
    assert run(case("columns: all", "outcome: deny")).code == 0


HOLDS = (
    "columns: [Feelings of safety], holds: [{{dataset: xyz/site-assessment, round: '1', "
    "indicators: [security-actor], {}since: 2026-05-01}}]"
)
AGREED = "indicators: [site-id, district, child-headed-households], audience: xyz/child-protection/low"
GIVEN = {
    "every column": ("columns: all", "levels: {contact-phone: Secret}, outcome: deny"),
    "what is kept": ("columns: kept, whole: true", "gaps: [], outcome: deny, level: Confidential"),
    "a continuation by its key": (
        "columns: ['Site type', 'Site type: If other, please specify']",
        "outcome: allow, levels: {site-type: Public}",
    ),
    "a header nobody declared": (
        "columns: [Site ID, District, Individuals], undeclared: [GPS]",
        "outcome: undecided, gaps: [unknown-column], levels: {GPS: undecided}",
    ),
    "a whole table that is not whole": ("columns: [Site ID], whole: true", "gaps: [absent-column]"),
    "rows of households": ("columns: [Individuals], grain: household", "level: Confidential"),
    "rows that were summed up": (
        "columns: [Child-headed households], grain: national",
        "outcome: allow, level: Public",
    ),
    "another day": ("columns: [Site ID], as_of: 2027-09-15", "gaps: [lapsed-assessment]"),
    "another context": ("columns: [Site ID], context: conflict", "outcome: allow"),
    "cleaned for low urgency": (
        f"{AGREED}, stage: cleaned",
        "outcome: allow, level: Confidential",
    ),
    "collected for low urgency": (
        f"{AGREED}, stage: collected",
        "outcome: undecided, gaps: [stage-not-reached]",
    ),
    "what everyone holds": (
        HOLDS.format("by: public, "),
        "outcome: deny, refused: [Feelings of safety], rules: ['relation:safety-and-armed-actors']",
    ),
    "what the audience holds": (
        HOLDS.format(""),
        "outcome: deny",
    ),
    "what somebody else holds": (
        HOLDS.format("by: scpa, "),
        "outcome: allow",
    ),
    "what is held of another grain": (
        HOLDS.format("grain: national, "),
        "outcome: allow",
    ),
    "a ledger that nobody can read": (
        "columns: [Feelings of safety], ledger: unreadable",
        "outcome: undecided, gaps: [holdings-unknown]",
    ),
}


@pytest.mark.parametrize("given, expect", GIVEN.values(), ids=GIVEN)  # noqa: PT006
def test_each_thing_that_is_given_counts(run, given, expect):
    answer = run(case(given, expect))
    assert answer.code == 0, answer.out


TOGETHER = """kind: test
id: npl/together
as_of: 2026-11-22
cases:
  - name: What is published reaches an organization that holds the rest of what is Secret together
    given:
      dataset: npl/site-assessment
      indicators: [site-gps, site-name]
      audience: public
      holds:
        - {dataset: npl/site-assessment, round: '2', indicators: [site-gps, idp-males-by-age], by: scpa,
           since: 2026-05-04}
        - {dataset: npl/site-assessment, round: '2', indicators: [site-name, marginalized-caste-or-ethnicity],
           by: scpa, since: 2026-05-04}
    expect: {outcome: deny, rules: ['relation:ages-and-ethnicity']}
  - name: What one organization holds is not what another one is sent beside
    given:
      dataset: npl/site-assessment
      indicators: [site-gps, site-name]
      audience: public
      holds:
        - {dataset: npl/site-assessment, round: '2', indicators: [site-gps, idp-males-by-age], by: scpa,
           since: 2026-05-04}
        - {dataset: npl/site-assessment, round: '2', indicators: [site-name, marginalized-caste-or-ethnicity],
           by: iom, since: 2026-05-04}
    expect: {outcome: allow}
"""


def test_a_publication_is_judged_beside_what_each_organization_holds_as_the_gate_does(cli, tmp_path):
    shutil.copytree(ROOT / "policies", tmp_path / "policies")
    (tmp_path / "policies/npl/tests/together.yaml").write_text(TOGETHER, "utf-8")
    answer = cli("test", tmp_path / "policies")
    assert answer.code == 0, answer.out


def test_every_case_may_be_judged_on_another_day(run):
    assert run(GOOD, options=("--as-of", "2027-09-15")).code == 2
    assert (
        run(case("columns: [Site ID]", "gaps: [lapsed-assessment]"), options=("--as-of", "2027-09-15")).code
        == 0
    )


# --------------------------------------------------------------------------------------------- invalid files

HELD = "columns: all, {}holds: [{{dataset: {}, round: '1', indicators: [{}], {}since: {}}}]"
BAD = {
    "no case": (
        "kind: test\nid: xyz/one\nas_of: 2026-11-22\ncases: []\n",
        "4:8: 'cases' needs at least one item",
    ),
    "no day": (
        GOOD.replace("as_of: 2026-11-22\n", ""),
        "1:1: 'as_of' is missing from a test file",
    ),
    "a clock": (
        GOOD.replace("as_of: 2026-11-22", "as_of: 2026-11-22T08:00"),
        "3:8: '2026-11-22T08:00' ",
    ),
    "another kind": (
        GOOD.replace("kind: test", "kind: dataset"),
        "1:1: here no policy file can be read, and this is one of kind 'dataset'; move it out of tests",
    ),
    "an unknown kind": (
        GOOD.replace("kind: test", "kind: tset"),
        "1:7: 'tset' is not a kind of policy file (did you mean 'test'?)",
    ),
    "not YAML": ("kind: test\nid: [x\n", "3:1: a ',' or ']' is missing in this list"),
    "unknown key of a file": (
        GOOD + "tittle: x\n",
        "16:1: 'tittle' is not a key of a test file (did you mean 'title'?)",
    ),
    "unknown key of what is given": (
        case("colums: all", "outcome: deny"),
        "6:43: 'colums' is not a key of what is given (did you mean 'columns'?)",
    ),
    "unknown key of what is expected": (
        case("columns: all", "outcom: deny"),
        "7:14: 'outcom' is not a key of what is expected (did you mean 'outcome'?)",
    ),
    "key twice": (
        case("columns: all, columns: kept", "outcome: deny"),
        "6:57: the key 'columns' stands twice; the first is on line 6",
    ),
    "nothing expected": (
        case("columns: all", ""),
        "7:13: nothing is expected, so this case could not fail",
    ),
    "no such dataset": (
        case("columns: all", "outcome: deny").replace("site-assessment", "site-assesment"),
        "6:22: there is no dataset 'xyz/site-assesment' (did you mean 'xyz/site-assessment'?)",
    ),
    "no such column": (
        case("columns: [Site Id]", "outcome: deny"),
        "6:53: there is no column 'Site Id' in this dataset (did you mean 'Site ID'?)",
    ),
    "no such column refused": (
        case("columns: all", "refused: [Site Id]"),
        "7:24: there is no column 'Site Id' in this dataset (did you mean 'Site ID'?)",
    ),
    "no such column with a level": (
        case("columns: all", "levels: {Site Id: Public}"),
        "7:23: there is no column 'Site Id' in this dataset (did you mean 'Site ID'?)",
    ),
    "no such column in a form": (
        case("columns: all", "form: {leave_out: [Site Id]}"),
        "7:33: there is no column 'Site Id' in this dataset (did you mean 'Site ID'?)",
    ),
    "column twice": (
        case("columns: [Site ID, Site ID]", "outcome: deny"),
        "6:62: 'Site ID' stands twice in this list",
    ),
    "columns and indicators": (
        case("columns: all, indicators: [site-id]", "outcome: deny"),
        "6:12: a case gives either 'columns' or 'indicators': what the table has",
    ),
    "neither": (
        case("rows: 3", "outcome: deny"),
        "6:12: a case gives either 'columns' or 'indicators': what the table has",
    ),
    "indicator without a column": (
        case("indicators: [site-idd]", "outcome: deny"),
        "6:56: 'xyz/site-assessment' has no column of the indicator 'site-idd' (did you mean 'site-id'?)",
    ),
    "declared as undeclared": (
        case("columns: all, undeclared: [Site ID]", "outcome: deny"),
        "6:70: 'Site ID' is declared",
    ),
    "no such audience": (
        case("columns: all, audience: xyz/child-protecton/low", "outcome: deny"),
        "6:67: 'xyz/child-protecton/low' is no audience; write public or <agreement>/<urgency>",
    ),
    "an agreement without its urgency": (
        case("columns: all, audience: xyz/child-protection", "outcome: deny"),
        "6:67: 'xyz/child-protection' is no audience; write public or <agreement>/<urgency>",
    ),
    "high urgency": (
        case("columns: all, audience: xyz/child-protection/high", "outcome: deny"),
        "6:67: the agreement 'xyz/child-protection' has no pathway 'high'",
    ),
    "no such outcome": (
        case("columns: all", "outcome: refuse"),
        "7:23: 'refuse' is not an outcome; write one of allow, deny, undecided",
    ),
    "level in small letters": (
        case("columns: all", "level: secret"),
        "7:21: 'secret' is not a level (did you mean 'Secret'?)",
    ),
    "no such stage": (
        case("columns: all, stage: raw", "outcome: deny"),
        "6:64: 'raw' is not a stage; write one of collected, cleaned",
    ),
    "rows below zero": (
        case("columns: all, rows: -1", "outcome: deny"),
        "6:63: 'rows' must be 0 or more",
    ),
    "no such waiver": (
        case("columns: all", "waivers: [xyz/none]"),
        "7:24: there is no waiver 'xyz/none'",
    ),
    "held of an unknown dataset": (
        case(
            HELD.format("", "xyz/x", "site-id", "", "2026-01-01"),
            "outcome: deny",
        ),
        "6:75: there is no dataset 'xyz/x'",
    ),
    "held of an unknown indicator": (
        case(
            HELD.format("", "xyz/site-assessment", "site-idd", "", "2026-01-01"),
            "outcome: deny",
        ),
        "6:121: there is no indicator 'site-idd' (did you mean 'site-id'?)",
    ),
    "held by nobody": (
        case(
            HELD.format("", "xyz/site-assessment", "site-id", "by: scap, ", "2026-01-01"),
            "outcome: deny",
        ),
        "6:135: there is no organization 'scap' (did you mean 'scpa'?)",
    ),
    "held from tomorrow on": (
        case(
            HELD.format("", "xyz/site-assessment", "site-id", "", "2026-11-23"),
            "outcome: deny",
        ),
        "6:138: 2026-11-23 is after 2026-11-22, the day of the case",
    ),
    "held and unreadable": (
        case(
            HELD.format("ledger: unreadable, ", "xyz/site-assessment", "site-id", "", "2026-01-01"),
            "outcome: deny",
        ),
        "6:57: a ledger that cannot be read says nothing of what is held; remove 'ledger' or 'holds'",
    ),
    "two cases of one name": (
        GOOD.replace("Protection data per site may not", "Public columns may be published"),
        "8:11: a case of this name stands on line 5; give each its own",
    ),
}


@pytest.mark.parametrize("text, expected", BAD.values(), ids=BAD)  # noqa: PT006
def test_an_invalid_file_of_cases_is_exit_code_3_with_its_place(run, text, expected):
    answer = run(text)
    assert (answer.code, answer.out) == (3, "")
    lines = [line.removeprefix(f"{TESTS}:") for line in answer.err.splitlines()]
    assert any(line.startswith(expected) for line in lines), lines
    assert len(lines) == 1, lines


def test_an_id_that_two_files_have_is_a_problem_with_both_places(run):
    answer = run(GOOD, GOOD)
    assert answer.code == 3
    assert "the test id 'xyz/site-assessment' is used twice" in answer.err


def test_all_problems_of_all_files_come_at_once(run):
    answer = run(
        case("columns: [x]", "refused: [y]"),
        case("columns: [z]", "outcome: deny").replace("xyz/one", "xyz/two"),
    )
    assert answer.code == 3
    assert len(answer.err.splitlines()) == 3


@pytest.mark.parametrize("name", ["cases.yml", "CASES.YAML"])
def test_a_file_that_would_never_run_is_a_problem(run, policies, name):
    (policies / "tests").mkdir()
    (policies / "tests" / name).write_text(GOOD)
    answer = run()
    assert answer.code == 3
    assert f"tests/{name}:1:1: a test file's name ends in .yaml" in answer.err


def test_hidden_files_and_other_folders_hold_no_cases(run, policies):
    for name in ("tests/.hidden.yaml", "tests/.git/a.yaml", "tests/notes.txt", "schemas/a.yaml"):
        (policies / name).parent.mkdir(parents=True, exist_ok=True)
        (policies / name).write_text("nonsense: [")
    assert run(GOOD).code == 0


def test_an_invalid_policy_comes_before_its_cases(run, policies):
    write_policies(policies, patched(sample_files(), AGREEMENT, "urgency: medium", "urgency: high"))
    answer = run(GOOD)
    assert (answer.code, answer.out) == (3, "")
    assert AGREEMENT in answer.err


def test_a_folder_that_is_not_there_is_a_failure(cli, tmp_path):
    assert cli("test", tmp_path / "none").code == 1


# ------------------------------------------------------------------------------------------------- coverage


def test_the_rules_that_no_case_touches_are_named_with_their_place(run):
    found = run(GOOD, options=("--format", "json")).json["coverage"]
    untouched = {each["rule"]: each["source"] for each in found["untouched"]}
    assert "indicator:contact-phone@site" in untouched
    assert untouched["relation:safety-and-armed-actors"] == "relations.yaml:5"
    assert untouched["pathway:xyz/child-protection/low"].startswith(AGREEMENT)
    assert "indicator:site-id@site" not in untouched
    assert found["percent"] == round(100 * (found["rules"] - len(untouched)) / found["rules"], 1)
    page = run(GOOD).out
    for rule in untouched:
        assert f"  {rule}  (" in page


def test_a_least_coverage_can_be_asked_for(run):
    percent = run(GOOD, options=("--format", "json")).json["coverage"]["percent"]
    assert run(GOOD, options=("--coverage-min", percent - 1)).code == 0
    answer = run(GOOD, options=("--coverage-min", percent + 1))
    assert answer.code == 2
    assert "at least" in answer.out
    assert run(GOOD, options=("--coverage-min", "101")).code == 1


def test_a_rule_that_is_touched_and_not_noticed_is_not_proved(run):
    """One case of everything touches nearly all rules, and would let most of them be anything."""
    everything = case("columns: all", "outcome: deny")
    touched = run(everything, options=("--format", "json")).json["coverage"]
    assert touched["unnoticed"] is None
    assert not [each for each in touched["untouched"] if each["rule"].startswith("indicator:")]
    answer = run(everything, options=("--prove", "--format", "json"))
    assert answer.code == 2
    unnoticed = {each["rule"] for each in answer.json["coverage"]["unnoticed"]}
    assert "indicator:child-headed-households@site" in unnoticed
    assert "relation:safety-and-armed-actors" in unnoticed
    pinned = case(
        "columns: [Site ID, Child-headed households]",
        "levels: {Child-headed households: Confidential, Site ID: Public}",
    )
    unnoticed = {
        each["rule"]
        for each in run(pinned, options=("--prove", "--format", "json")).json["coverage"]["unnoticed"]
    }
    assert "indicator:child-headed-households@site" not in unnoticed
    assert "indicator:site-id@site" not in unnoticed
    assert "No case notices a change of:" in run(pinned, options=("--prove",)).out


# ---------------------------------------------------------------------------------------------------- forms


def test_junit_has_a_case_each_and_goes_to_a_file_too(run, tmp_path):
    report = tmp_path / "tests.xml"
    failing = GOOD.replace("outcome: allow", "outcome: deny")
    answer = run(failing, options=("--junit", report))
    assert answer.code == 2
    assert "FAIL" in answer.out
    root = ET.fromstring(report.read_bytes())
    assert (root.get("tests"), root.get("failures")) == ("2", "1")
    first = root.find(".//testcase")
    assert first.get("name") == "Public columns may be published"
    assert first.get("classname") == "xyz/site-assessment"
    assert "outcome: expected deny, actually allow" in first.find("failure").get("message")
    assert run(failing, options=("--format", "junit")).out == report.read_text("utf-8")


@pytest.mark.parametrize("broken", ["a file of cases", "a name of one", "the policy", "the seal"])
def test_what_is_invalid_is_an_error_in_the_junit_file(run, policies, tmp_path, broken):
    report = tmp_path / "tests.xml"
    assert run(GOOD, options=("--junit", report)).code == 0
    file = policies / {"the policy": DATASET, "the seal": "SHA256SUMS"}.get(broken, TESTS)
    if broken == "a name of one":
        file = policies / "xyz/tests/one.yml"
        file.write_text(GOOD, "utf-8")
    elif broken == "the seal":
        file.unlink()
    elif broken == "the policy":
        write_policies(policies, patched(sample_files(), DATASET, "grain: site", "grian: site"))
    text = "kind: test\n" if broken == "a file of cases" else GOOD
    answer = run(text, options=("--junit", report))
    assert (answer.code, answer.out) == (3, "")
    root = ET.fromstring(report.read_bytes())
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("1", "0", "1")
    [case] = root.iter("testcase")
    assert case.get("file").endswith(file.relative_to(policies).as_posix())
    assert case.find("failure") is None
    assert case.find("error").get("message").split(" (and")[0] in answer.err
    # Who reads the report from stdout gets the same one.
    said = answer.err
    answer = run(text, options=("--format", "junit"))
    assert (answer.code, answer.out, answer.err) == (3, report.read_text("utf-8"), said)


@pytest.mark.parametrize("form", ["json", "sarif", "github"])
def test_what_is_invalid_is_said_in_every_form(run, form):
    answer = run("kind: test\n", options=("--format", form))
    assert answer.code == 3
    sentence = "'as_of' is missing from a test file"
    assert sentence in answer.err
    if form == "github":
        assert answer.out.startswith("::error file=")
        assert sentence in answer.out
        return
    found = json.loads(answer.out)
    if form == "json":
        assert (found["passed"], found["findings"][0]["sentence"]) == (False, sentence)
    else:
        [result, *_] = found["runs"][0]["results"]
        assert (result["ruleId"], result["message"]["text"]) == ("missing", sentence)


def test_a_page_has_nothing_on_what_is_invalid_but_the_problems(run):
    answer = run("kind: test\n")
    assert (answer.code, answer.out) == (3, "")


def test_a_junit_file_makes_no_folder(run, tmp_path):
    answer = run(GOOD, options=("--junit", tmp_path / "nope" / "tests.xml"))
    assert answer.code == 1
    assert not (tmp_path / "nope").exists()


@pytest.mark.parametrize("form", ["json", "junit", "sarif", "github"])
def test_a_name_of_a_case_breaks_no_form(run, form):
    name = '"a]]>::error file=x%0A,line=1\\n##[add-path]"'.replace("\\n", "")
    answer = run(case("columns: [Site ID]", "outcome: deny", name=name), options=("--format", form))
    assert (answer.code, answer.err) == (2, "")
    if form == "github":
        assert len(answer.out.splitlines()) == 1
        assert answer.out.startswith("::error file=")
    elif form == "junit":
        assert len(ET.fromstring(answer.out).findall(".//failure")) == 1
    else:
        found = json.loads(answer.out)
        if form == "sarif":
            assert [each["ruleId"] for each in found["runs"][0]["results"]] == ["case-failed"]


def test_json_says_what_the_page_says(run):
    found = run(GOOD, options=("--format", "json")).json
    assert found["passed"] is True
    assert [each["name"] for each in found["cases"]] == [
        "Public columns may be published",
        "Protection data per site may not",
    ]
    assert {each["line"] for each in found["cases"]} == {5, 8}
    assert [each["outcome"] for each in found["cases"]] == ["allow", "deny"]


# -------------------------------------------------------------------------------------- the shipped policies


def test_the_shipped_policies_do_what_their_cases_say_and_each_rule_is_noticed(cli):
    answer = cli("test", ROOT / "policies", "--coverage-min", "100", "--prove")
    assert answer.code == 0, answer.out
    assert "Each rule was changed in turn, and each time a case noticed." in answer.out


def test_the_shipped_cases_do_not_depend_on_where_they_lie_or_on_the_clock(cli, tmp_path, monkeypatch):
    shutil.copytree(ROOT / "policies", tmp_path / "policies")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    assert cli("test", "policies").out == cli("test", "policies").out
    assert cli("test", "policies").code == 0


def test_every_shipped_case_fits_the_schema_that_its_first_line_names():
    files = sorted((ROOT / "policies").rglob("tests/*.yaml"))
    assert len(files) >= 5
    for path in files:
        text = path.read_text("utf-8")
        modeline = text.splitlines()[0].removeprefix("# yaml-language-server: $schema=")
        schema = json.loads((path.parent / modeline).read_text("utf-8"))
        assert schema == json.loads(json.dumps(expected.schema()))
        value = json.loads(json.dumps(yaml.safe_load(text), default=str))
        jsonschema.Draft202012Validator(schema).validate(value)
