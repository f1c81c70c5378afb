"""validate, seal, schema and levels: the policy folder itself."""

from __future__ import annotations

import json
import os
import re
from xml.etree import ElementTree as ET

import jsonschema
import pytest
import yaml

from dtm_sharing.stores.policies import read_policies
from support.loading import ROOT
from support.policies import (
    AGREEMENT,
    ASSESSMENT,
    CONTACTS,
    DATASET,
    IOM,
    patched,
    sample_files,
    write_policies,
)

KINDS = {
    "agreement",
    "assessment",
    "classification",
    "dataset",
    "focal_points",
    "indicators",
    "operation",
    "overlay",
    "relations",
    "request",
    "test",
    "waiver",
}
ON = ("--as-of", "2026-11-22")  # a day on which the sample warns of nothing


# ---------------------------------------------------------------------------------------------- validate


def test_a_valid_folder_is_said_to_be_so_with_what_was_counted(cli, policies):
    answer = cli("validate", policies, *ON)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith("The policy is valid: operations 1, datasets 1, indicators 8, relations 1,")
    assert len(answer.out.splitlines()) == 2
    assert f"digest {read_policies(policies).digest}" in answer.out


def test_the_settings_name_the_folder_if_nothing_else_does(cli, policies, monkeypatch):
    monkeypatch.setenv("DTM_SHARING_POLICIES", str(policies))
    assert cli("validate").out == cli("validate", policies).out


@pytest.mark.parametrize(
    ("path", "old", "new", "where"),
    [
        (DATASET, "grain: site", "grian: site", "grian"),
        (DATASET, "indicator: district", "indicator: distict", "district"),
        (ASSESSMENT, "review_by: 2027-09-14", "review_by: 2027-09-31", "2027-09-31"),
        (AGREEMENT, "  - urgency: medium", "  - urgency: high", "referral"),
        (AGREEMENT, "destination: [xyz/scpa-primary]", "destination: [xyz/scpa-primry]", "xyz/scpa-primary"),
        (
            AGREEMENT,
            "        indicators: [site-id, child-headed-households]",
            "        indicators: [site-id, contact-phone]",
            "Secret",
        ),
    ],
    ids=["unknown key", "unknown indicator", "bad date", "high urgency", "unknown focal point", "Secret"],
)
def test_an_invalid_file_is_exit_code_3_with_file_line_and_column(cli, policies, path, old, new, where):
    text = patched(sample_files(), path, old, new)[path]
    write_policies(policies, {path: text})
    answer = cli("validate", policies)
    assert (answer.code, answer.out) == (3, "")
    assert any(where in line for line in answer.err.splitlines())
    for line in answer.err.splitlines():
        file, number, column, sentence = line.split(":", 3)
        assert file in {*sample_files()}
        assert int(number) <= len((policies / file).read_text().splitlines()) + 1
        assert int(column) >= 1
        assert len(sentence.strip()) > 10


def test_all_problems_of_all_files_come_at_once(cli, policies):
    for path, old, new in ((DATASET, "grain: site", "grain: plot"), (ASSESSMENT, "2026-09-15", "2026-15-09")):
        write_policies(policies, {path: patched(sample_files(), path, old, new)[path]})
    lines = cli("validate", policies).err.splitlines()
    assert {line.split(":")[0] for line in lines} == {DATASET, ASSESSMENT}


@pytest.mark.parametrize("make", [False, True], ids=["absent", "empty"])
def test_a_folder_without_policy_is_not_valid(cli, tmp_path, make):
    folder = tmp_path / "elsewhere"
    if make:
        folder.mkdir()
    answer = cli("validate", folder)
    assert answer.code == (3 if make else 1)
    assert answer.out == ""
    assert len(answer.err.splitlines()) == 1


def test_the_whole_report_is_on_stdout_in_any_form_for_programs(cli, policies):
    write_policies(policies, patched(sample_files(), DATASET, "grain: site", "grian: site"))
    for form in ("json", "junit", "sarif", "github"):
        answer = cli("validate", policies, "--format", form)
        assert (answer.code, answer.err) == (3, ""), form
        assert "grian" in answer.out


@pytest.fixture
def here(policies, monkeypatch):
    """The folder above the policy, as a repository's root is the working folder of its checks."""
    monkeypatch.chdir(policies.parent)
    write_policies(policies, patched(sample_files(), DATASET, "grain: site", "grian: site"))
    return policies.parent


def test_json_holds_all_that_a_line_says(cli, here):
    found = cli("validate", "policies", "--format", "json").json
    assert found == {
        "valid": False,
        "digest": None,
        "findings": [
            {
                "file": f"policies/{DATASET}",
                "line": 7,
                "column": 1,
                "rule": "unknown-key",
                "level": "error",
                "sentence": "'grian' is not a key of a dataset file (did you mean 'grain'?)",
            }
        ],
    }


def test_sarif_and_github_name_the_file_as_the_repository_does(cli, here):
    run = json.loads(cli("validate", "policies", "--format", "sarif").out)["runs"][0]
    place = run["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == f"policies/{DATASET}"
    assert place["region"] == {"startLine": 7, "startColumn": 1}
    assert {each["id"] for each in run["tool"]["driver"]["rules"]} >= {"unknown-key", "seal", "no-assessment"}
    answer = cli("validate", "policies", "--format", "github")
    assert answer.out.startswith(f"::error file=policies/{DATASET},line=7,col=1,title=unknown-key::'grian' ")


def test_junit_has_a_case_for_each_file_of_a_valid_folder(cli, policies):
    root = ET.fromstring(cli("validate", policies, *ON, "--format", "junit").out)
    names = [each.get("name") for each in root.iter("testcase")]
    assert len(names) == len(sample_files())
    assert all(any(name.endswith(file) for name in names) for file in sample_files())
    assert root.get("failures") == "0"


def test_junit_has_a_case_for_each_file_of_an_invalid_folder_too(cli, here):
    root = ET.fromstring(cli("validate", "policies", "--format", "junit").out)
    assert len(list(root.iter("testcase"))) == len(sample_files())
    failed = [each.get("name") for each in root.iter("testcase") if each.find("failure") is not None]
    assert failed == [f"policies/{DATASET}"]


@pytest.mark.parametrize("form", ["table", "json", "junit", "sarif", "github"])
@pytest.mark.parametrize("valid", [True, False])
def test_a_report_that_goes_to_a_file_is_in_no_other_place(cli, policies, tmp_path, form, valid):
    if not valid:
        write_policies(policies, patched(sample_files(), DATASET, "grain: site", "grian: site"))
    report = tmp_path / "report"
    answer = cli("validate", policies, *ON, "--format", form, "--output", report)
    assert (answer.code, answer.out, answer.err) == (0 if valid else 3, "", "")
    text = report.read_text("utf-8")
    assert ("grian" in text) == (not valid)
    if form != "table":
        assert text == cli("validate", policies, *ON, "--format", form).out


def test_a_report_makes_no_folder(cli, policies, tmp_path):
    answer = cli("validate", policies, *ON, "--output", tmp_path / "nope" / "deeper" / "report")
    assert (answer.code, answer.out) == (1, "")
    assert "the report cannot be written (No such file or directory)" in " ".join(answer.err.split())
    assert not (tmp_path / "nope").exists()


@pytest.mark.parametrize(
    ("path", "old", "new", "day", "kind"),
    [
        (ASSESSMENT, "context: disaster", "context: conflict", "2026-11-22", "context-changed"),
        (ASSESSMENT, "", "", "2027-08-15", "assessment-lapses"),
        (ASSESSMENT, "", "", "2027-09-15", "assessment-lapsed"),
        (AGREEMENT, "", "", "2027-08-31", "agreement-lapses"),
        (IOM, "", "", "2028-01-01", "focal-point-lapsed"),
        (CONTACTS, "site: Secret, ", "", "2026-11-22", "no-level"),
        (DATASET, "drop_at_collection: [Site manager phone]", "", "2026-11-22", "secret-collected"),
    ],
    ids=range(7),
)
def test_what_is_valid_and_wants_a_second_look_is_a_warning(cli, policies, path, old, new, day, kind):
    write_policies(policies, patched(sample_files(), path, old, new) if old else {})
    options = ("validate", policies, "--as-of", day, "--format", "json")
    found = cli(*options)
    assert found.code == 0
    assert found.json["valid"] is True
    warned = [each for each in found.json["findings"] if each["rule"] == kind]
    assert warned
    assert {each["level"] for each in warned} == {"warning"}
    assert cli(*options, "--fail-on", "warning").code == 3
    page = cli("validate", policies, "--as-of", day).out
    assert page.startswith("The policy is valid")
    assert f"warning: {warned[0]['sentence']}" in page


def test_a_table_without_any_assessment_is_a_warning(cli, policies):
    (policies / ASSESSMENT).unlink()
    write_policies(policies, {})
    found = cli("validate", policies, *ON, "--format", "json").json["findings"]
    assert [(each["rule"], each["line"]) for each in found] == [("no-assessment", 2)]


def test_nothing_warns_of_what_ends_later(cli, policies):
    for day in ("2026-11-22", "2027-08-14"):
        assert cli("validate", policies, "--as-of", day, "--fail-on", "warning").code == 0


def test_a_folder_that_is_not_sealed_is_a_kind_of_problem(cli, policies):
    (policies / DATASET).write_bytes(sample_files()[DATASET] + b"# later\n")
    found = cli("validate", policies, "--format", "json")
    assert found.code == 3
    assert {each["rule"] for each in found.json["findings"]} == {"seal"}


@pytest.mark.parametrize("name", ["a::error file=x::b.yml", "a%0A::notice::b.yml", "a,line=3.yml", "]]>.yml"])
def test_a_file_s_name_can_break_no_form(cli, policies, name):
    (policies / name).write_text("kind: x\n")
    for form in ("github", "sarif", "junit", "json"):
        answer = cli("validate", policies, "--format", form)
        assert answer.code == 3
        if form == "github":
            assert all(re.match(r"::error file=[^:]*::", line) for line in answer.out.splitlines())
        elif form == "junit":
            assert ET.fromstring(answer.out) is not None
        else:
            json.loads(answer.out)


# -------------------------------------------------------------------------------------------------- seal


def test_seal_says_how_much_it_sealed(cli, policies):
    (policies / DATASET).write_bytes(sample_files()[DATASET] + b"# reviewed\n")
    assert cli("validate", policies, *ON).code == 3
    assert cli("seal", policies, "--check").code == 1
    answer = cli("seal", policies)
    assert (answer.code, answer.err) == (0, "")
    digest = read_policies(policies).digest
    assert answer.out == f"Sealed {len(sample_files())} files of {policies}.\ndigest {digest}\n"
    assert cli("seal", policies, "--check").code == 0
    assert cli("validate", policies, *ON).code == 0


def test_seal_check_writes_nothing(cli, policies):
    (policies / "SHA256SUMS").unlink()
    answer = cli("seal", policies, "--check")
    assert answer.code == 1
    assert "review it, then seal it" in answer.out
    assert not (policies / "SHA256SUMS").exists()


def test_an_invalid_policy_is_not_sealed(cli, policies):
    before = (policies / "SHA256SUMS").read_bytes()
    (policies / DATASET).write_bytes(patched(sample_files(), DATASET, "grain: site", "grian: site")[DATASET])
    answer = cli("seal", policies)
    assert (answer.code, answer.out) == (3, "")
    assert "grian" in answer.err
    assert (policies / "SHA256SUMS").read_bytes() == before


def test_there_is_nothing_to_seal_where_there_is_no_folder(cli, tmp_path):
    for options in ((), ("--check",)):
        answer = cli("seal", tmp_path / "none", *options)
        assert answer.code == 1
        assert "there is no policy folder" in answer.err


# ------------------------------------------------------------------------------------------------ schema


def test_schemas_are_written_once_for_every_kind(cli, tmp_path):
    folder = tmp_path / "new" / "schemas"
    first = cli("schema", folder)
    assert first.code == 0
    assert {path.name for path in folder.iterdir()} == {f"{kind}.schema.json" for kind in KINDS}
    assert [line.split()[0] for line in first.out.splitlines()] == ["changed"] * len(KINDS)
    again = cli("schema", folder)
    assert (again.code, again.out) == (0, f"All schemas in {folder} are up to date.\n")


def test_only_what_changed_is_written_and_named(cli, tmp_path):
    cli("schema", tmp_path)
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    (tmp_path / "dataset.schema.json").write_text("{}")
    answer = cli("schema", tmp_path)
    assert answer.out == f"changed  {tmp_path / 'dataset.schema.json'}\n"
    after = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert {name for name in after if after[name] != before[name]} == {"dataset.schema.json"}
    assert set(after) == set(before)  # nothing half-written stays behind


def test_check_writes_nothing_and_fails_if_something_would_change(cli, tmp_path):
    folder = tmp_path / "schemas"
    answer = cli("schema", folder, "--check")
    assert answer.code == 1
    assert answer.out.count("would change") == len(KINDS)
    assert not folder.exists()
    cli("schema", folder)
    assert cli("schema", folder, "--check").code == 0


def test_without_a_folder_they_go_beside_the_policy(cli, policies, monkeypatch):
    monkeypatch.setenv("DTM_SHARING_POLICIES", str(policies))
    cli("schema")
    assert (policies / "schemas" / "dataset.schema.json").is_file()
    assert cli("validate").code == 0  # schemas are no policy files


def test_the_schemas_of_a_policy_folder_go_into_its_folder_of_schemas(cli, policies):
    before = {path.name for path in policies.iterdir()}
    assert cli("schema", policies, "--check").code == 1
    assert cli("schema", policies).code == 0
    assert {path.name for path in policies.iterdir()} == before | {"schemas"}
    assert (policies / "schemas" / "dataset.schema.json").is_file()
    assert cli("schema", policies, "--check").code == 0


def test_every_file_of_the_sample_fits_the_schema_that_its_first_line_names(cli, policies):
    cli("schema", policies / "schemas")
    for name, content in sample_files().items():
        text = content.decode()
        modeline = text.splitlines()[0]
        assert modeline.startswith("# yaml-language-server: $schema=")
        path = (policies / name).parent / modeline.split("=", 1)[1]
        schema = json.loads(path.read_text())
        value = json.loads(json.dumps(yaml.safe_load(text), default=str))
        jsonschema.Draft202012Validator(schema).validate(value)


def test_a_folder_that_cannot_be_written_is_a_failure(cli, tmp_path):
    (tmp_path / "schemas").write_text("a file")
    answer = cli("schema", tmp_path / "schemas")
    assert (answer.code, answer.out) == (1, "")
    assert "schemas" in answer.err
    assert "bug" not in answer.err


# ------------------------------------------------------------------------------------------------ levels


def test_levels_are_table_a_in_the_policy_s_own_words(cli, policies):
    answer = cli("levels", "--policies", policies)
    assert (answer.code, answer.err) == (0, "")
    text = " ".join(answer.out.split())
    for each in read_policies(policies).protocols.values():
        for part in (each.meaning, each.disclosure, *each.includes):
            assert part.strip() in text
    assert "Called by other-agencies: restricted, personal, confidential" in text
    assert [line for line in answer.out.splitlines() if line.isupper()] == [
        "PUBLIC",
        "CONFIDENTIAL",
        "SECRET",
    ]
    assert max(map(len, answer.out.splitlines())) <= 80


def test_the_shipped_policy_walks_over_to_two_other_standards(cli):
    found = cli("levels", "--policies", ROOT / "policies", "--format", "json").json
    assert {each["level"]: each["crosswalks"]["ocha-isp"] for each in found} == {
        "Public": ["Low"],
        "Confidential": ["Moderate", "High"],
        "Secret": ["Severe"],
    }
    # OCSF's confidentiality_id: each of its six classes is one of ours, and no other.
    ocsf = [word for each in found for word in each["crosswalks"]["ocsf"]]
    assert ocsf == [
        "1 Not Confidential",
        "2 Confidential",
        "3 Secret",
        "4 Top Secret",
        "5 Private",
        "6 Restricted",
    ]
    # Data on households stand in two of OCHA's levels, and it says which of them in which.
    households = {each["level"]: each["crosswalks"].get("ocha-isp-on-households") for each in found}
    assert households["Public"] is None
    assert households["Confidential"][0].startswith("High")
    assert households["Secret"][0].startswith("Severe")


def test_no_rule_may_use_a_word_of_a_crosswalk(cli, policies):
    """Else "High" would be a level by the back door, and nobody would have to name its scheme."""
    text = sample_files()["classification.yaml"].decode()
    text += "    crosswalks: {ocha-isp: [Severe]}\n"
    relations = patched(sample_files(), "relations.yaml", "level: Confidential", "level: ocha-isp:Severe")
    write_policies(policies, {**relations, "classification.yaml": text.encode()})
    answer = cli("validate", policies)
    assert answer.code == 3
    assert "there is no naming scheme 'ocha-isp'" in answer.err


def test_levels_without_a_policy_say_what_to_set(cli, monkeypatch, tmp_path):
    monkeypatch.setattr("dtm_sharing.stores.settings.BESIDE_PLUGINS", tmp_path / "none")
    answer = cli("levels")
    assert (answer.code, answer.out) == (1, "")
    assert "DTM_SHARING_POLICIES is not set" in answer.err


# ------------------------------------------------------------------------------------------------ pipes

PIPES = {
    "validate": ("{policies}",),
    "seal": ("--check", "{policies}"),
    "test": ("{policies}",),
    "fmt": ("--check", "{policies}"),
    "diff": ("{policies}", "{policies}"),
    "due": ("--policies", "{policies}"),
    "classify": ("{table}", "--dataset", "xyz/site-assessment", "--policies", "{policies}"),
    "gate": (
        *("{table}", "--dataset", "xyz/site-assessment", "--audience", "public"),
        *("--holds-nothing", "--policies", "{policies}"),
    ),
}


CODES = {
    "SHA256SUMS": {"validate": 3, "seal": 1, "test": 3, "fmt": 1, "due": 3, "classify": 3, "gate": 3},
    "xyz/tests/f.yaml": {"test": 3, "fmt": 3},
    "xyz/f.yaml": {**dict.fromkeys(PIPES, 3), "seal": 1},
    "../round.csv": {"test": 2, "fmt": 1, "classify": 1, "gate": 1},
}


@pytest.mark.parametrize("pipe", ["SHA256SUMS", "xyz/tests/f.yaml", "xyz/f.yaml", "../round.csv"])
@pytest.mark.parametrize("command", PIPES)
def test_no_command_waits_for_somebody_who_writes_into_a_pipe(cli, policies, command, pipe):
    path = policies / pipe
    path.unlink(missing_ok=True)
    path.parent.mkdir(exist_ok=True)
    os.mkfifo(path)
    table = policies.parent / "round.csv"
    if not table.exists():
        table.write_text("Site ID,District,Individuals\nXYZ-001,Xyz,5\n")
    told = [each.format(policies=policies, table=table) for each in PIPES[command]]
    answer = cli(command, *told)
    assert answer.code == CODES.get(pipe, {}).get(command, 0)
    if answer.code and (command, answer.code) not in {("test", 2), ("fmt", 1)}:
        printed = " ".join((answer.out + answer.err).split())
        assert "can be read" in printed or "cannot be read" in printed or "is not what its seal" in printed
