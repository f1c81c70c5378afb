"""The made-up round: the shape of the real one, values of nobody."""

import csv
import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from dtm_sharing import classify
from dtm_sharing.demo.answers import ASKED_IF, CHOICES, RANKED, SECTIONS
from dtm_sharing.demo.dates import SAMPLE_DATE, shift_dates
from dtm_sharing.demo.sample import DATASET, POLICIES, main, sample_round, write_sample
from dtm_sharing.errors import StoreFailed, UsageProblem
from dtm_sharing.stores.policies import read_policies, seal

REPOSITORY = Path(__file__).parents[2]
REAL_DATA = Path(os.environ.get("DTM_REAL_DATA", REPOSITORY.parent / "shared" / "data"))
REAL_ROUND = REAL_DATA / "nepal_dtm_2015" / "CCCM_Nepal_DTM_R2.csv"

# Indicators whose cells are written freely in a real file, or name a place or a person.
FREE_TEXT = {
    "site-name",
    "admin3",
    "idp-origin-admin3",
    "site-management-agency-name",
    "contact-name",
    "contact-phone",
}


@pytest.fixture(scope="module")
def dataset():
    return read_policies(POLICIES).datasets[DATASET]


@pytest.fixture(scope="module")
def table(dataset):
    return sample_round(dataset=dataset)


@pytest.fixture(scope="module")
def indicators(dataset):
    """Of each of the 180 positions: the indicator, and whether it continues the position before."""
    return [
        (column.indicator, bool(nth))
        for column in dataset.columns
        for nth in range(1 + len(column.continued_by))
    ]


@pytest.fixture(scope="module")
def sites(table, indicators):
    """Each site as indicator -> answers, continuations left out."""
    found = []
    for row in table[3:]:
        site = {}
        for (indicator, continued), cell in zip(indicators, row, strict=True):
            if not continued:
                site.setdefault(indicator, []).append(cell)
        found.append(site)
    return found


def test_it_has_the_three_head_rows_and_the_size_of_the_real_file(table, sites):
    assert len(table) == 3 + 146
    assert {len(row) for row in table} == {180}
    households = sum(int(site["idp-households"][0]) for site in sites)
    individuals = sum(int(site["idp-individuals"][0]) for site in sites)
    assert table[0][:4] == [f"{households:,}", "TOTAL HH", f"{individuals:,}", "TOTAL IND"]
    assert [cell for cell in table[0][4:] if cell] == list(SECTIONS.values())
    assert table[1][0].startswith("NEPAL DTM - Round 2")
    assert not any(table[1][1:])


def test_the_sections_stand_above_the_column_that_opens_them(table):
    above = {
        section: table[2][position] for position, section in enumerate(table[0]) if position >= 4 and section
    }
    assert above["PROTECTION"].startswith("11.3.b.1 Do any recruiters")
    assert above["SITE MANAGEMENT"].startswith("1.2.b.1 ")


def test_every_column_resolves_to_the_declared_one_at_its_place(table, dataset):
    found = classify.identify(table[2], dataset)
    declared = [
        (name, column.name if name != column.name else None)
        for column in dataset.columns
        for name in (column.name, *column.continued_by)
    ]
    assert [(header.name, header.question) for header in found] == declared


def test_the_same_seed_gives_the_same_cells_and_another_seed_others(dataset, table):
    assert sample_round(dataset=dataset) == table
    other = sample_round(seed=2027, dataset=dataset)
    assert other[2] == table[2]
    assert other[3:] != table[3:]


def test_ages_make_up_sexes_and_sexes_make_up_the_total(sites):
    for site in sites:
        count = {
            each: sum(map(int, site[each]))
            for each in site
            if each.startswith("idp-") and "origin" not in each
        }
        assert count["idp-males-by-age"] == count["idp-males"]
        assert count["idp-females-by-age"] == count["idp-females"]
        assert count["idp-males"] + count["idp-females"] == count["idp-individuals"]
        assert int(site["pregnant-women"][0]) <= int(site["idp-females-by-age"][3])
        assert int(site["child-headed-households"][0]) <= count["idp-households"]


def test_there_are_small_cells_as_in_a_real_round(sites):
    assert sum(site["child-headed-households"][0] in {"1", "2", "3"} for site in sites) >= 10
    assert any(cell in {"1", "2", "3", "4"} for site in sites for cell in site["idp-males-by-age"])


def test_site_identifiers_are_distinct(sites):
    assert len({site["site-id"][0] for site in sites}) == len(sites)


def test_coordinates_lie_in_nepal_and_are_sometimes_missing(sites):
    pairs = [site["site-gps"] for site in sites]
    known = [(float(latitude), float(longitude)) for latitude, longitude in pairs if latitude]
    assert all(26.35 <= latitude <= 30.45 and 80.06 <= longitude <= 88.20 for latitude, longitude in known)
    assert ["", ""] in pairs
    assert len(known) > 130


def _day(cell):
    """Of a DD/MM/YYYY cell."""
    day, month, year = map(int, cell.split("/"))
    return date(year, month, day)


def test_dates_are_day_month_year_in_a_plausible_order(sites):
    for site in sites:
        opened, first, last, surveyed = (
            _day(site[each][0])
            for each in ("site-opening-date", "first-arrival-date", "last-arrival-date", "survey-date")
        )
        assert SAMPLE_DATE - timedelta(days=70) <= opened <= first <= last <= surveyed < SAMPLE_DATE


def test_no_site_is_surveyed_before_the_assessment_lets_collection_begin(sites):
    begins = read_policies(POLICIES).assessments["npl/site-assessment-2026"].collection_begins
    surveyed = [_day(site["survey-date"][0]) for site in sites]
    assert min(surveyed) >= begins


@pytest.mark.parametrize("indicator", sorted(ASKED_IF))
def test_a_question_that_does_not_apply_is_blank(sites, indicator):
    question, answer = ASKED_IF[indicator]
    blank = {cell == "" for site in sites for cell in site[indicator] if site[question][0] != answer}
    filled = {cell == "" for site in sites for cell in site[indicator] if site[question][0] == answer}
    assert blank == {True}
    assert filled == {False}


def test_a_continuation_is_filled_where_its_question_asks_for_it_and_nowhere_else(table, indicators):
    seen = Counter()
    for row in table[3:]:
        for position, (_, continued) in enumerate(indicators):
            if continued:
                asked = row[position - 1] == ("Yes" if table[2][position].startswith("If yes") else "Other")
                assert bool(row[position]) is asked
                seen[asked] += 1
    assert seen[True] > 100
    assert seen[False] > 100


def test_contacts_are_functions_with_numbers_that_cannot_be_called(sites):
    names = {cell for site in sites for cell in site["contact-name"]} - {""}
    phones = {cell for site in sites for cell in site["contact-phone"]} - {""}
    assert names
    assert all(re.fullmatch(r"Sample Contact \d+", name) for name in names)
    assert all(re.fullmatch(r"\+000 000 \d{6}", phone) for phone in phones)
    assert len(names) == len(phones)


def test_every_column_has_a_value_somewhere(table):
    assert [
        header for position, header in enumerate(table[2]) if not any(row[position] for row in table[3:])
    ] == []


def test_there_are_no_answers_for_indicators_that_the_questionnaire_does_not_ask(indicators):
    asked = {indicator for indicator, _ in indicators}
    assert {*CHOICES, *RANKED, *ASKED_IF, *SECTIONS} <= asked


def test_an_indicator_without_values_is_named(dataset):
    first, *others = dataset.columns
    strange = replace(dataset, columns=(replace(first, indicator="horoscope"), *others))
    with pytest.raises(UsageProblem, match="horoscope"):
        sample_round(1, dataset=strange)


def test_fewer_columns_cut_and_more_add_questions_that_no_rule_knows(dataset):
    assert {len(row) for row in sample_round(4, dataset=dataset, columns=20)} == {20}
    wide = sample_round(4, dataset=dataset, columns=300)
    assert {len(row) for row in wide} == {300}
    assert len(set(wide[2][180:])) == 120
    assert not set(wide[2][180:]) & set(wide[2][:180])


def test_the_round_and_the_day_are_the_callers(dataset):
    table = sample_round(5, round="7", dataset=dataset, sampled_on=date(2031, 3, 1))
    assert table[1][0].startswith("NEPAL DTM - Round 7")
    assert {row[2] for row in table[3:]} == {"7"}
    assert {row[3][-4:] for row in table[3:]} <= {"2031"}


def test_the_written_file_reads_back_as_the_same_cells(tmp_path, table, dataset):
    write_sample(tmp_path / "round.csv", dataset=dataset)
    with (tmp_path / "round.csv").open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == table


def test_a_file_that_cannot_be_written_is_one_sentence(tmp_path, dataset):
    with pytest.raises(StoreFailed, match="cannot be written to"):
        write_sample(tmp_path / "nowhere" / "round.csv", 1, dataset=dataset)


def test_the_command_writes_a_round(tmp_path):
    out = tmp_path / "out.csv"
    ran = subprocess.run(
        [
            sys.executable,
            "-m",
            "dtm_sharing.demo.sample",
            out,
            "--rows",
            "3",
            "--seed",
            "5",
            "--columns",
            "12",
        ],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY / "plugins")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    with out.open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == sample_round(3, 5, columns=12)


def test_the_command_says_what_is_wrong(tmp_path, capsys):
    assert main([str(tmp_path / "nowhere" / "out.csv"), "--rows", "1"]) == 1
    assert capsys.readouterr().err.startswith("The sample cannot be written to")
    with pytest.raises(SystemExit) as stopped:
        main([str(tmp_path / "out.csv"), "--rows", "-1"])
    assert stopped.value.code == 2
    assert "-1" in capsys.readouterr().err


@pytest.mark.real_data
@pytest.mark.skipif(not REAL_ROUND.exists(), reason=f"the real Nepal file is not at {REAL_ROUND}")
def test_no_free_text_contact_or_place_of_the_real_round_is_in_the_sample(table, indicators):
    with REAL_ROUND.open(encoding="utf-8", newline="") as file:
        real = list(csv.reader(file))[3:]
    free = [n for n, (indicator, continued) in enumerate(indicators) if continued or indicator in FREE_TEXT]
    free.append(table[2].index("11.3.a.2 if yes, to which city/country"))

    def words(rows):
        return {row[n].strip().casefold() for row in rows for n in free} - {""}

    taken, made_up = words(real), words(table[3:])
    assert len(taken) > 300
    assert len(made_up) > 100
    assert taken & made_up == set()


# ------------------------------------------------------------------------------------------- dates


def test_dates_move_and_everything_else_stays():
    text = (
        "valid_from: 2026-12-31  # since 2026\nid: npl/site-assessment-2026\nwithin 2 days, +000 0000 0001\n"
    )
    assert shift_dates(text, 1) == text.replace("2026-12-31", "2027-01-01")
    assert shift_dates(text, -366) == text.replace("2026-12-31", "2025-12-30")
    assert shift_dates(text, 0) == text


def test_what_is_no_date_is_left_for_the_policy_to_report():
    text = "2026-02-30 2026-13-01 12026-01-01 2026-01-011 a2026-01-01 2026-01-01-x"
    assert shift_dates(text, 30) == text


def test_a_day_beyond_the_calendar_stays():
    assert shift_dates("valid_until: 9999-12-31", 1) == "valid_until: 9999-12-31"


def test_quoted_dates_move_too():
    assert shift_dates("{valid_from: '2027-02-28', valid_until: \"2028-02-28\"}", 1) == (
        "{valid_from: '2027-03-01', valid_until: \"2028-02-29\"}"
    )


@pytest.mark.parametrize("days", [-3000, -1, 365, 366, 4000])
def test_the_sample_country_loads_on_any_other_day_and_is_in_force_then(tmp_path, days):
    for path in POLICIES.rglob("*.yaml"):
        copy = tmp_path / path.relative_to(POLICIES)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(shift_dates(path.read_text("utf-8"), days), "utf-8")
    seal(tmp_path)
    shifted = read_policies(tmp_path)
    today = SAMPLE_DATE + timedelta(days=days)
    assert all(each.validity.covers(today) for each in shifted.agreements.values())
    assert all(each.assessed_on < today <= each.review_by for each in shifted.assessments.values())
