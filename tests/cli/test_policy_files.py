"""validate and schema: the policy folder itself."""

from __future__ import annotations

import json

import jsonschema
import pytest
import yaml

from dtm_sharing.stores.policies import read_policies
from support.policies import AGREEMENT, ASSESSMENT, DATASET, patched, sample_files

KINDS = {
    "agreement",
    "assessment",
    "classification",
    "dataset",
    "focal_points",
    "indicators",
    "operation",
    "relations",
    "request",
}


# ---------------------------------------------------------------------------------------------- validate


def test_a_valid_folder_is_said_to_be_so_with_what_was_counted(cli, policies):
    answer = cli("validate", policies)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith("The policy is valid: operations 1, datasets 1, indicators 8, relations 1,")
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
    (policies / path).write_bytes(text)
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
        (policies / path).write_bytes(patched(sample_files(), path, old, new)[path])
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
