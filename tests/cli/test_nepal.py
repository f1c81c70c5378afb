"""The sample country, on the made-up round and, where it is there, on the real one."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from dtm_sharing.demo.sample import write_sample

REPOSITORY = Path(__file__).parents[2]
POLICIES = REPOSITORY / "policies"
REAL_DATA = Path(os.environ.get("DTM_REAL_DATA", REPOSITORY.parent / "shared" / "data"))
REAL_ROUND = REAL_DATA / "nepal_dtm_2015" / "CCCM_Nepal_DTM_R2.csv"
HEADER_ROW = 3
SHORT = 8  # a shorter cell, such as "Yes", stands in sentences by chance


@pytest.fixture(params=["sample", pytest.param("real", marks=pytest.mark.real_data)])
def nepal(request, tmp_path) -> Path:
    if request.param == "real":
        if not REAL_ROUND.is_file():
            pytest.skip(f"needs the real round: {REAL_ROUND.name} under DTM_REAL_DATA")
        return REAL_ROUND
    write_sample(tmp_path / "sample.csv")
    return tmp_path / "sample.csv"


@pytest.fixture
def ask(cli):
    def call(command, file, *options):
        usual = ("--dataset", "npl/site-assessment", "--policies", POLICIES, "--as-of", "2026-11-22")
        return cli(command, file, *usual, *options)

    return call


def values(path: Path) -> set[str]:
    """The cells of a raw file that are long enough to be told apart from ordinary words."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    return {cell for row in rows[HEADER_ROW:] for cell in row if len(cell) >= SHORT}


def test_classify_gives_each_of_the_180_columns_a_level_and_a_reason(ask, nepal):
    answer = ask("classify", nepal, "--format", "json")
    assert answer.code == 0, answer.err
    columns = answer.json["columns"]
    assert [each["position"] for each in columns] == list(range(1, 181))
    assert {each["level"] for each in columns} == {"Public", "Confidential", "Secret"}
    assert all(each["reasons"] for each in columns)
    assert (answer.json["level"], answer.json["gaps"]) == ("Secret", [])


def test_the_file_is_denied_to_the_public_with_a_reason_for_each_column(ask, nepal):
    levels = {
        each["position"]: each["level"] for each in ask("classify", nepal, "--format", "json").json["columns"]
    }
    answer = ask("gate", nepal, "--audience", "public", "--format", "json")
    assert (answer.code, answer.json["outcome"]) == (2, "deny")
    refused = {each["position"]: each["level"] for each in answer.json["refused"]}
    assert refused == {position: level for position, level in levels.items() if level != "Public"}
    assert all(".yaml:" in each["why"] for each in answer.json["refused"])


@pytest.mark.parametrize(
    ("audience", "urgency"),
    [("public", "low"), ("npl/child-protection", "low"), ("npl/child-protection", "medium")],
)
def test_the_releasable_form_is_allowed_when_it_is_gated_again(ask, nepal, tmp_path, audience, urgency):
    asked = ("--audience", audience, "--urgency", urgency, "--stage", "cleaned", "--holds-nothing")
    question = (*asked, "--format", "json")
    forms = ask("gate", nepal, *question).json["forms"]
    form = next(each for each in forms if each["aggregate_to"] is None)
    left_out = set(form["leave_out"])
    names = [
        f"{each['question']}: {each['name']}" if each["question"] else each["name"]
        for each in ask("classify", nepal, "--format", "json").json["columns"]
    ]
    with nepal.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))[HEADER_ROW:]
    kept = [position for position, name in enumerate(names) if name not in left_out]
    assert [names[position] for position in kept] == form["keep"]
    extract = tmp_path / "extract.csv"
    with extract.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([[row[position] for position in kept] for row in [names, *rows]])
    again = ask("gate", extract, *question)
    assert (again.code, again.json["refused"], again.json["gaps"]) == (0, [], [])


def test_the_pages_for_people_fit_80_columns(ask, nepal):
    for answer in (
        ask("classify", nepal),
        ask("gate", nepal, "--audience", "public"),
        ask("gate", nepal, "--audience", "npl/child-protection"),
        ask("explain", nepal, "--column", 24),
    ):
        assert max(map(len, answer.out.splitlines())) <= 80
        assert answer.err == ""


def test_each_column_can_be_explained_by_its_position(ask, nepal):
    for position in (1, 14, 25, 156, 170, 180):
        answer = ask("explain", nepal, "--column", position, "--format", "json")
        assert (answer.code, answer.json["column"]["position"]) == (0, position)
        assert answer.json["sentence"].startswith(f"Column {position}, ")


def test_no_cell_of_the_round_is_in_any_answer(ask, nepal):
    known = "\n".join(path.read_text(encoding="utf-8") for path in POLICIES.rglob("*.yaml"))
    secret = {each for each in values(nepal) if each not in known}
    assert len(secret) > 100
    asked = [
        ("classify",),
        ("gate", "--audience", "public"),
        ("gate", "--audience", "npl/child-protection"),
        ("explain", "--column", 25),
        ("explain", "--column", "nothing of the kind"),
    ]
    for command, *options in asked:
        for form in ("table", "json"):
            answer = ask(command, nepal, *options, "--format", form)
            printed = answer.out + answer.err
            assert not {each for each in secret if each in printed}


@pytest.mark.real_data
def test_a_file_with_another_table_is_a_failure_without_a_cell_of_it(ask):
    """A real file that has no header row at all: every text in it is somebody's answer."""
    path = REAL_DATA / "iraq_dtm_2014" / "DTM_Dataset_28092014.csv"
    if not path.is_file():
        pytest.skip("needs the real round of Iraq under DTM_REAL_DATA")
    answer = ask("classify", path)
    assert (answer.code, answer.out) == (1, "")
    assert len(answer.err.splitlines()) == 1
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        cells = {cell for row in csv.reader(file) for cell in row if len(cell) >= SHORT}
    assert not {each for each in cells if each in answer.err}
