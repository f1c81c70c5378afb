"""What the cells of a table say of its grain, on made-up tables of every kind and on the real files."""

from __future__ import annotations

import csv
import os
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dtm_sharing.detect import grain_evidence
from dtm_sharing.detect.columns import pairs
from dtm_sharing.errors import TableUnreadable
from dtm_sharing.model import Dataset, Grain, GrainEvidence
from support.rules import dataset

Columns = Mapping[str, Sequence[str]]
PLACES = {"zone": Grain.ADMIN1, "district": Grain.ADMIN2}
SITES = {**PLACES, "site": Grain.SITE}


def declared(grain: Grain, *key: str, country: str = "mwi") -> Dataset:
    return dataset([], id=f"{country}/table", grain=grain, key=key)


def finer(
    columns: Columns, of: Dataset, identifies: Mapping[str, Grain] = PLACES
) -> list[tuple[Grain, str | None]]:
    """The grains that the data show beyond the declared one, and in which column; the finest first."""
    found = grain_evidence(pd.DataFrame(columns, dtype="str"), of, identifies)
    return [(each.grain, each.column) for each in found if each.grain.depth > of.grain.depth]


def grain(columns: Columns, of: Dataset, identifies: Mapping[str, Grain] = PLACES) -> Grain:
    return max([of.grain, *(each for each, _ in finer(columns, of, identifies))], key=lambda each: each.depth)


def districts(count: int = 12) -> dict[str, list[str]]:
    """Figures by district: P-codes, names, a count, a share, a centroid."""
    rng = Random(count)
    numbers = range(count)
    return {
        "zone": [f"Zone {number // 6}" for number in numbers],
        "district": [f"District {'ABCDEFGHIJKLMNOPQRSTUVWXYZ'[number]}" for number in numbers],
        "pcode": [f"MW{1 + number // 6}{number % 6 + 1:02}" for number in numbers],
        "idps": [str(rng.randint(100, 90_000)) for _ in numbers],
        "share": [f"{rng.random():.6f}" for _ in numbers],
        "lat": [f"{-14 + rng.random():.5f}" for _ in numbers],
        "lon": [f"{34 + rng.random():.5f}" for _ in numbers],
    }


def sites(each: int = 3, **more: Callable[[int], str]) -> dict[str, list[str]]:
    """Figures by site: ``each`` sites in each of twelve districts; ``more`` columns from the row's number."""
    areas = districts()
    rows = range(12 * each)
    rng = Random(each)
    return {
        "zone": [areas["zone"][row // each] for row in rows],
        "district": [areas["district"][row // each] for row in rows],
        "answer": [("Yes", "No", "Unknown")[row % 3] for row in rows],
        "idps": [str(rng.randint(10, 900)) for _ in rows],
        **{key: [value(row) for row in rows] for key, value in more.items()},
    }


UUID = "{:08x}-0000-4000-8000-000000000000"
CODES: dict[str, Callable[[int], str]] = {
    "letters and digits": lambda row: f"S{row + 1:03}",
    "without padding": lambda row: f"S{row + 1}",
    "separators": lambda row: f"MWI-SITE-{row + 11}",
    "letters within": lambda row: f"301-A-{row + 10}",
    "groups of digits": lambda row: f"301-08-{row + 1000}",
    "as long as an SSID": lambda row: f"30108013{row + 100}",
    "padded": lambda row: f"{row + 7:05}",
    "figures of one length": lambda row: str(10_001 + row),
    "a UUID": lambda row: f"{row:08x}-0000-4000-8000-00000000{row:04x}",
    "an instance ID": lambda row: f"uuid:{row:08x}-0000-4000-8000-00000000{row:04x}",
}
NO_CODES: dict[str, Callable[[int], str]] = {
    "a row number": lambda row: str(row + 1),
    "counts": lambda row: str(37 * row % 101 + 4),
    "large counts": lambda row: str(9_000 + 3_571 * row),
    "days": lambda row: f"2026-05-{row % 28 + 1:02}",
    "days, as written": lambda row: f"{row % 28 + 1:02}/05/2026",
    "days in digits": lambda row: f"202605{row % 28 + 1:02}",
    "months": lambda row: f"{row % 12 + 1:02}-2026",
    "times": lambda row: f"2026-05-{row % 28 + 1:02}T10:{row % 60:02}:00",
    "age groups": lambda row: ("0-4", "5-17", "18-59", "60-99")[row % 4],
    "one round": lambda _: "B2_01",
    "answers with digits": lambda row: ("within_2km", "level1", "level2")[row % 3],
    "shares": lambda row: f"{(row * 7919 % 1000) / 1000:.4f}",
    "figures with commas": lambda row: f"{row + 1},{row * 31 % 900 + 100}",
    "spans": lambda row: f"{row + 1}-{row + 5}",
    "days, as said": lambda row: f"{row % 28 + 1} May 2026",
    "missing answers": lambda row: ("N/A", "unknown", "-")[row % 3],
}


# ----------------------------------------------------------------------------------------------- codes


@pytest.mark.parametrize("code", CODES.values(), ids=CODES)
@pytest.mark.parametrize("header", ["Site ID", "x", "Remarks", "Number of IDPs", "answer"])
def test_a_code_of_each_site_makes_a_table_of_districts_one_of_sites_under_any_header(
    code: Callable[[int], str], header: str
) -> None:
    table = sites() | {header: [code(row) for row in range(36)]}
    of = declared(Grain.ADMIN2, "district", "month")
    assert (Grain.SITE, header) in finer(table, of)
    assert (Grain.SITE, header) in finer(table, replace(of, grain=Grain.NATIONAL, key=()), {})


@pytest.mark.parametrize("value", NO_CODES.values(), ids=NO_CODES)
def test_what_is_no_code_is_none(value: Callable[[int], str]) -> None:
    """Only that rows repeat is said then, and no more than one step: their answers say what they are."""
    table = sites(something=value)
    assert finer(table, declared(Grain.ADMIN2, "district")) == [(Grain.ADMIN3, None)]


def test_rows_that_the_declared_key_tells_apart_need_no_explanation() -> None:
    """A district's figures by month, each row with the number of its record: nothing is finer."""
    table = districts()
    months = [f"2026-{month:02}" for month in range(1, 6)]
    rows = [(place, month) for month in months for place in range(12)]
    long = {key: [cells[place] for place, _ in rows] for key, cells in table.items()}
    long |= {
        "month": [month for _, month in rows],
        "record": [f"REC-{number:06}" for number in range(len(rows))],
        "submission": [f"{number:08x}-0000-4000-8000-000000000000" for number in range(len(rows))],
    }
    identifies = {**PLACES, "pcode": Grain.ADMIN2}
    for key in (("district", "month"), ("pcode", "month"), ("pcode", "month", "record"), ("month", "pcode")):
        assert finer(long, declared(Grain.ADMIN2, *key), identifies) == []
    assert grain(long, declared(Grain.ADMIN2, "pcode"), identifies) is Grain.SITE


def test_the_same_answers_in_every_district_are_no_codes_of_sites() -> None:
    ages = ("F0-4", "F5-17", "M0-4", "M5-17")
    table = sites(4, age=lambda row: ages[row % 4])
    assert finer(table, declared(Grain.ADMIN2, "district", "age")) == []
    assert finer(table, declared(Grain.ADMIN2, "district")) == [(Grain.ADMIN3, None)]


@pytest.mark.parametrize(("rows", "found"), [(19, False), (20, True)])
def test_figures_of_one_length_are_codes_only_where_there_are_enough_of_them(rows: int, found: bool) -> None:
    table = {"district": ["A"] * rows, "n": [str(10_001 + 7 * row) for row in range(rows)]}
    of, known = declared(Grain.ADMIN2, "district"), {"district": Grain.ADMIN2}

    def are_codes(numbers: Sequence[str]) -> bool:
        return (Grain.SITE, "n") in finer(table | {"n": numbers}, of, known)

    assert are_codes(table["n"]) is found
    for other in ("100001", "", table["n"][1]):
        assert not are_codes([*table["n"][1:], other])


def test_one_site_more_than_districts_may_be_a_row_that_stands_twice_and_two_are_not() -> None:
    table = districts()
    for spare, found in ((1, []), (2, [(Grain.SITE, None), (Grain.SITE, "code")])):
        rows = [*range(12), *range(spare)]
        longer = {key: [cells[row] for row in rows] for key, cells in table.items()}
        longer["code"] = [f"S{number}" for number in range(len(rows))]
        del longer["lat"], longer["lon"], longer["share"]
        assert finer(longer, declared(Grain.ADMIN2, "district")) == found


def test_a_code_of_each_site_under_the_header_of_an_area_is_no_p_code() -> None:
    table = sites(site_code=lambda row: f"S{row + 1:03}")
    table["district"] = table.pop("site_code")
    assert (Grain.SITE, "district") in finer(table, declared(Grain.ADMIN2, "district"))
    proper = [
        ("mwi", [f"MW{number}" for number in range(301, 337)]),
        ("mwi", [f"MW-B{number}" for number in range(36)]),
        ("afg", [f"AF01{number:02}" for number in range(36)]),
        ("afg", [f"TCD01{number:02}" for number in range(36)]),  # a region's table, with its neighbours
        ("jor", [f"JO{number:05}" for number in range(36)]),  # whose P-codes are not known here
        ("mwi", [f"Ward {number}" for number in range(36)]),
        ("mwi", [f"Block A{number}" for number in range(36)]),
        ("bhs", [f"BS-{number:03}" for number in range(36)]),  # whose letters are not its first two
        ("tur", [f"TR-{number:02}" for number in range(36)]),  # whose P-codes have three
    ]
    for country, codes in proper:
        assert finer(table | {"district": codes}, declared(Grain.ADMIN2, "district", country=country)) == []


@pytest.mark.parametrize("country", ["npl", "irq", "tjk", "kgz", "jor", "ind", "mda", "aze", "bhs"])
@pytest.mark.parametrize(
    "code",
    ["SS-{:03}", "KT-{:04}", "AD-S{:03}", "S-{}", "SS{:03}", "{}-S{:03}", "{}{:08}"],
)
def test_codes_of_sites_pass_for_iso_3166_2_or_p_codes_in_no_country(country: str, code: str) -> None:
    """Another country's letters, or one sign too many; in a table that has a row for each."""
    own = {"kgz": "KG", "bhs": "BS"}.get(country, country[:2].upper())
    named = code.count("{") > 1
    codes = [code.format(own, row) if named else code.format(row) for row in range(9)]
    table = {"district": codes, "idps": [str(row) for row in range(9)]}
    of = declared(Grain.ADMIN2, "district", country=country)
    assert finer(table, of, {"district": Grain.ADMIN2})[0] == (Grain.SITE, "district")


@pytest.mark.parametrize(
    "spelling",
    [
        "NP 01 {0:02} 001",
        "NP01 {0:02} 001",
        "Site NP01{0:02}001",
        "\u0938\u093e\u0907\u091f - NP01{0:02}001",
        "Site: NP 01 {0:02} 001",
    ],
)
def test_spaces_in_a_p_code_and_a_word_before_it_do_not_hide_how_deep_it_is(spelling: str) -> None:
    table = {"zone": ["A", "B", "C"], "x": [spelling.format(row) for row in range(3)]}
    assert (Grain.ADMIN3, "x") in finer(table, declared(Grain.ADMIN1, "zone", country="npl"))
    table = {"zone": table["x"]}
    assert (Grain.ADMIN3, "zone") in finer(table, declared(Grain.ADMIN1, "zone", country="npl"))


def test_codes_in_one_of_two_columns_of_an_area_are_seen_where_the_other_has_fewer_areas() -> None:
    """Where the country's P-codes are not known here: the names say how many areas there are."""
    table = sites(area_code=CODES["letters and digits"])
    identifies = {**PLACES, "area_code": Grain.ADMIN2}
    assert (Grain.SITE, "area_code") in finer(
        table, declared(Grain.ADMIN2, "district", country="jor"), identifies
    )
    table["area_code"] = [f"A{row // 3}" for row in range(36)]
    assert finer(table, declared(Grain.ADMIN2, "district", "month", country="jor"), identifies) == []


@pytest.mark.parametrize("kind", ["letters and digits", "as long as an SSID", "a UUID"])
def test_spaces_around_a_code_do_not_hide_it(kind: str) -> None:
    table = sites(code=lambda row: f" {CODES[kind](row)} \t")
    assert (Grain.SITE, "code") in finer(table, declared(Grain.ADMIN2, "district"))
    points = sites(one=lambda row: f" {34.5 + row / 89:.6f} ", two=lambda row: f"{-13.5 + row / 97:.6f} ")
    assert (Grain.SITE, "one") in finer(points, declared(Grain.ADMIN2, "district"))


SPELLINGS = {
    "a space within": "S {0:03}",
    "two letters and a space": "SD {0}",
    "small letters, a space and a zero": "s {0:03}",
    "a word, a space and a zero": "SITE {0:03}",
    "a no-break space behind": "S{0:03}\u00a0",
    "a no-break space within": "S\u00a0{0:03}",
    "a zero-width space before": "\u200bS{0:03}",
    "a zero-width joiner within": "S\u200d{0:03}",
    "a byte order mark": "\ufeffS{0:03}",
    "full width": "\uff33{0:03}",
    "another hyphen": "S\u2011{0:03}",
    "another dash": "S\u2013{0:03}",
    "plus signs": "+14.{0:05},+33.{0:05}",
    "WKT": "POINT (33.{0:05} -14.{0:05})",
    "WKT in small letters with a height": "point z(33.{0:05} -14.{0:05} 100.5)",
    "EWKT": "SRID=4326;POINT(33.{0:05} -14.{0:05})",
    "decimal commas": "-14,{0:05}; 33,{0:05}",
    "decimal commas and a space": "-14,{0:05} 33,{0:05}",
    "minus signs": "\u221214.{0:05}, 33.{0:05}",
    "degrees with a sign and a letter": "14.{0:05}\u00b0 S 33.{0:05}\u00b0 E",
    "degrees with a letter and few decimals": "S14.{0:02}\u00b0, E33.{0:02}\u00b0",
    "degrees with a sign and no letter": "-14.{0:05}\u00b0; 33.{0:05}\u00b0",
    "degrees and minutes": "14\u00b0{0:02}.5' S 33\u00b0{0:02}.5' E",
    "degrees, minutes and seconds": "14\u00b000'{0:02}.1\"S, 33\u00b000'{0:02}.1\"E",
    "primes": "S14\u00b000\u2032{0:02}\u2033 E33\u00b000\u2032{0:02}\u2033",
    "curly quotes and an ordinal sign": "14\u00ba00\u2019{0:02}\u201dS 33\u00ba00\u2019{0:02}\u201dE",
}


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_codes_and_points_are_seen_however_they_are_spelled(spelling: str) -> None:
    table = {
        "district": [f"District {'ABCDEFGHIJ'[row * 2 // 3]}" for row in range(15)],
        "x": [spelling.format(row + 1) for row in range(15)],
    }
    assert finer(table, declared(Grain.ADMIN2, "district")) == [(Grain.SITE, None), (Grain.SITE, "x")]


@pytest.mark.parametrize("zero", [0x0660, 0x06F0, 0x0966, 0x09E6, 0x1040, 0x17E0])
def test_digits_of_other_scripts_are_digits(zero: int) -> None:
    digits = {ord("0") + digit: chr(zero + digit) for digit in range(10)}
    table = sites(x=lambda row: f"S{row + 1:03}".translate(digits))
    assert (Grain.SITE, "x") in finer(table, declared(Grain.ADMIN2, "district"))
    counts = sites(x=lambda row: NO_CODES["counts"](row).translate(digits))
    assert finer(counts, declared(Grain.ADMIN2, "district")) == [(Grain.ADMIN3, None)]


@pytest.mark.parametrize(
    "degrees", ["+{0}.{1:05}", "{0},{1:05}", "{0}\u00b0{1:02}'", "{0}.{1:05}\u00b0 N", "{0}.{1:05}\u00a0"]
)
def test_two_columns_of_degrees_are_seen_however_they_are_spelled(degrees: str) -> None:
    table = sites(one=lambda row: degrees.format(14, row), two=lambda row: degrees.format(33, row))
    assert (Grain.SITE, "one") in finer(table, declared(Grain.ADMIN2, "district"))


@pytest.mark.parametrize("text", ["{} 000", "1,{:03}", "{}.5%", "+{}", "{}E+01", "1'{:03}"])
def test_figures_are_neither_codes_nor_names(text: str) -> None:
    table = sites(x=text.format)
    assert finer(table, declared(Grain.ADMIN2, "district")) == [(Grain.ADMIN3, None)]


def test_a_space_in_a_p_code_makes_it_no_other_code() -> None:
    table = {"district": [f"MW {number}" for number in range(301, 337)]}
    of = declared(Grain.ADMIN2, "district")
    assert finer(table, of) == []
    table["district"][7] = "MW\u00a030110"
    assert finer(table, of) == [(Grain.ADMIN3, "district")]


# --------------------------------------------------------------------- rows that share a declared unit


ANY_SPELLING: dict[str, Callable[[int], str]] = {
    "a sign": lambda row: f"Site #{row:03}",
    "a colon": lambda row: f"KTM:{row:03}",
    "a backslash": lambda row: f"KTM\\{row:03}",
    "brackets": lambda row: f"(KTM-{row:03})",
    "spaces around a hyphen": lambda row: f"KTM - {row:03}",
    "many letters": lambda row: f"KATHMANDUX{row:03}",
    "figures": lambda row: str(1001 + row),
    "figures with a decimal": lambda row: f"{1001 + row}.0",
    "figures with commas": lambda row: f"{10_001 + row:,}",
    "letters only": lambda row: f"KTM{chr(65 + row // 26)}{chr(65 + row % 26)}",
    "a name": lambda row: f"Camp of {chr(65 + row // 26)}{chr(97 + row % 26)}",
    "Cyrillic": lambda row: f"\u041a\u0422\u041c-{row:03}",
    "Devanagari": lambda row: "\u0938\u093e\u0907\u091f " + chr(0x0905 + row % 25) + chr(0x0905 + row // 25),
    "Tamil digits": lambda row: "KTM-" + "".join(chr(0x0BE6 + int(digit)) for digit in f"{row:03}"),
    "days": lambda row: f"20{row // 28 + 10}-05-{row % 28 + 1:02}",
    "a point with letters": lambda row: f"27.{700 + row}N | 85.{300 + row}E",
    "a point in brackets": lambda row: f"(27.{700 + row}, 85.{300 + row})",
    "a point with a slash": lambda row: f"27.{700 + row}/85.{300 + row}",
    "a point with words": lambda row: f"lat 27.{700 + row} lon 85.{300 + row}",
    "a geo URI": lambda row: f"geo:27.{700 + row},85.{300 + row}",
    "a map": lambda row: f"https://example.org/?q=27.{700 + row},85.{300 + row}",
    "GeoJSON": lambda row: f'{{"type":"Point","coordinates":[85.{300 + row},27.{700 + row}]}}',
    "MGRS": lambda row: f"45R UL {39_500 + row} {63_000 + row}",
    "plus code": lambda row: f"7MV7P8Q{row % 9 + 1}+{row // 9 + 2}X",
    "geohash": lambda row: f"tuu{chr(97 + row // 26)}{chr(97 + row % 26)}zq",
    "degrees without signs": lambda row: f"27 42 {row}.5 N 85 18 {row}.5 E",
    "degrees with colons": lambda row: f"27:42:{row}",
    "degrees with an exponent": lambda row: f"2.7{700 + row}E+01",
    "UTM": lambda row: f"{330_000 + row * 17}.52",
    "decimals, mostly missing": lambda row: "n/a" if row % 3 else f"27.{700 + row}",
}


@pytest.mark.parametrize("spelling", ANY_SPELLING.values(), ids=ANY_SPELLING)
@pytest.mark.parametrize("key", [("district",), ("district", "round")])
def test_rows_that_share_a_district_are_of_sites_in_any_spelling(
    spelling: Callable[[int], str], key: tuple[str, ...]
) -> None:
    """Twenty-four sites in fourteen districts: fewer than two in each."""
    table = {
        "district": [f"District {chr(65 + row % 14)}" for row in range(24)],
        "round": ["1"] * 24,
        "x": [spelling(row) for row in range(24)],
        "males": [str(row * 7 % 11) for row in range(24)],
    }
    assert grain(table, declared(Grain.ADMIN2, *key)) is Grain.SITE


@settings(max_examples=200)
@given(data=st.data())
def test_a_site_is_a_site_whatever_injective_spelling_its_name_has(data: st.DataObject) -> None:
    """One row per site under a district declaration, with its columns and rows in any order."""
    homes = data.draw(st.lists(st.integers(0, 9), min_size=3, max_size=40).filter(_share_districts))
    names = data.draw(
        st.one_of(
            st.lists(st.text(min_size=1), min_size=len(homes), max_size=len(homes), unique=True),
            st.lists(st.integers().map(str), min_size=len(homes), max_size=len(homes), unique=True),
            st.sampled_from([*ANY_SPELLING.values()][:-1]).map(lambda each: [*map(each, range(len(homes)))]),
        )
    )
    rng = Random(data.draw(st.integers(0, 9)))
    table = {
        "x": names,
        "idps": [str(rng.randint(10, 900)) for _ in homes],
        "district": [f"District {home}" for home in homes],
    }
    ordered = {key: table[key] for key in data.draw(st.permutations(list(table)))}
    assert grain(ordered, declared(Grain.ADMIN2, "district")) is Grain.SITE


def _share_districts(homes: Sequence[int]) -> bool:
    return len(homes) - len(set(homes)) >= 2


def test_rows_that_are_the_same_in_every_column_are_one() -> None:
    table = {key: districts()[key] for key in ("zone", "district", "pcode", "idps")}
    of = declared(Grain.ADMIN2, "district")
    twice = {key: [*cells, *cells[:10], *cells[:1]] for key, cells in table.items()}
    assert finer(twice, of) == []
    corrected = {**twice, "idps": [*twice["idps"][:-2], "1", "2"]}
    assert finer(corrected, of) == [(Grain.SITE, None)]
    assert finer({**corrected, "idps": [*twice["idps"][:-1], "2"]}, of) == []
    assert sentences(corrected, of)[0] == (
        "14 rows stand for 12 units by admin2, and no answers that recur in each say what they are"
    )


AGES = ("0-4", "5-17", "18-59", "60+")


def test_answers_that_recur_say_what_the_rows_of_a_district_are() -> None:
    """Ages, sexes and both; not where they are few, differ by chance, or are figures."""
    of = declared(Grain.ADMIN2, "district")
    both = [f"{sex} {age}" for sex in "FM" for age in AGES]
    for each, answers in (
        (4, {"age": lambda row: AGES[row % 4]}),
        (8, {"age": lambda row: AGES[row % 4], "sex": lambda row: "FM"[row // 4 % 2]}),
        (8, {"who": lambda row: both[row % 8]}),
    ):
        assert finer(sites(each, **answers), of) == [(Grain.ADMIN3, None)]
    some = [row for row in range(96) if row % 7]  # not every district has each
    sparse = {
        key: [cells[row] for row in some] for key, cells in sites(8, who=lambda row: both[row % 8]).items()
    }
    assert finer(sparse, of) == [(Grain.ADMIN3, None)]
    rng = Random(1)
    by_chance = sites(8, answer=lambda _: "", **{f"q{n}": lambda _: rng.choice("YN") for n in range(60)})
    assert finer(by_chance, of) == [(Grain.SITE, None)]
    few = sites(2, answer=lambda row: ("Yes", "No")[row % 2])
    assert finer(few, of) == [(Grain.SITE, None)]
    numbered = sites(3, answer=lambda _: "", n=lambda row: str(row % 3 + 1))
    assert finer(numbered, of) == [(Grain.SITE, None)]


def test_a_name_beside_answers_that_recur_is_that_of_a_site() -> None:
    table = sites(4, age=lambda row: AGES[row % 4], x=lambda row: f"Camp of {row}")
    assert finer(table, declared(Grain.ADMIN2, "district")) == [(Grain.SITE, "x"), (Grain.ADMIN3, None)]
    assert sentences(table, declared(Grain.ADMIN2, "district"), PLACES)[0] == (
        "column 'x' holds 48 names, several for one unit by admin2"
    )
    table["x"] = [f"Part {row // 4}" for row in range(48)]  # of each district
    assert finer(table, declared(Grain.ADMIN2, "district")) == [(Grain.ADMIN3, None)]


def test_finer_areas_that_tell_the_rows_apart_may_have_names() -> None:
    table = sites(3, area=lambda row: f"Place {row}", pcode=lambda row: f"MW1{row // 3:02}{row % 3 + 10}")
    of = declared(Grain.ADMIN2, "district")
    assert grain(table, of) is Grain.ADMIN3
    assert grain(table, of, {**PLACES, "area": Grain.ADMIN3}) is Grain.ADMIN3
    assert grain({**table, "pcode": [""] * 36}, of, {**PLACES, "area": Grain.ADMIN3}) is Grain.ADMIN3
    assert grain({**table, "pcode": [""] * 36}, of) is Grain.SITE
    table["pcode"] = [table["pcode"][row // 2 * 2] for row in range(36)]  # two places in each
    assert grain(table, of) is Grain.SITE


def test_a_month_hides_no_site_that_has_months_of_its_own() -> None:
    """Where each district has the same months, a number on each row may be that of its record."""
    of = declared(Grain.ADMIN2, "district", "month")
    same = {"month": lambda row: f"2026-{row % 10 + 1:02}"}
    own = {"month": lambda row: f"{2000 + row}-01"}
    codes = ("letters and digits", "a UUID")
    for kind in codes:
        assert finer(sites(10, code=CODES[kind], **same), of) == []
        assert finer(sites(10, code=CODES[kind], **own), of) == [(Grain.SITE, "code")]
    name = {"x": lambda row: f"Camp of {row}"}
    assert finer(sites(10, **name, **same), of) == []
    assert finer(sites(10, **name, **own), of) == [(Grain.SITE, "x")]
    assert finer(sites(10, x=lambda row: f"Camp of {row // 2}", **own), of) == []  # a partner, or a remark
    half_year = sites(10, code=lambda row: f"S{row // 5}", **same)
    assert finer(half_year, of) == [(Grain.SITE, "code")]  # it is of no record
    at = {"at": lambda row: f"-13.{1000 + row} 34.{5000 + row}"}
    for months in (same, own):
        assert finer(sites(10, **at, **months), of) == [(Grain.SITE, "at")]
    two = {"a": lambda row: f"13.{1000 + row}", "b": lambda row: f"34.{5000 + row}"}
    assert finer(sites(10, **two, **same), of) == []  # or shares
    assert finer(sites(10, **two, **own), of) == [(Grain.SITE, "a")]
    centre = {"at": lambda row: f"-13.{1000 + row // 10} 34.5000"}
    assert finer(sites(10, **centre, **own), of) == []


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ([2] * 10 + [1] * 10, False),
        ([2] * 11 + [1] * 9, True),
        ([9] + [1] * 19, False),
        ([10] + [1] * 19, True),
    ],
)
def test_most_sites_several_times_or_one_very_often_are_households(rows: list[int], found: bool) -> None:
    """A site that was assessed twice is none; nor are a few of one name, as in a real round."""
    names = [f"Camp {number}" for number, each in enumerate(rows) for _ in range(each)]
    table = {"site": names, "size": [str(row) for row in range(len(names))]}
    of, known = declared(Grain.SITE, "site"), {"site": Grain.SITE}
    assert finer(table, of, known) == ([(Grain.HOUSEHOLD, None)] if found else [])
    assert finer({**table, "size": ["1"] * len(names)}, of, known) == []
    some = {**table, "site": [each if names.count(each) == 1 else "N/A" for each in names]}
    many = {key: [*cells, *(f"{key} {row}" for row in range(200))] for key, cells in some.items()}
    assert finer(many, of, known) == []  # some rows name none: they are no site of many rows
    people = {**table, "person_id": table["size"]}
    assert ((Grain.INDIVIDUAL, "person_id") in finer(people, of, known)) is found


# --------------------------------------------------------------------------------------------- P-codes


@pytest.mark.parametrize(
    ("country", "code", "grain_"),
    [
        ("mwi", "MW3", Grain.ADMIN1),
        ("mwi", "MW301", Grain.ADMIN2),
        ("mwi", "MW30110", Grain.ADMIN3),
        ("mwi", "MW30110005", Grain.SITE),
        ("sdn", "SD07", Grain.ADMIN1),
        ("sdn", "SD07090", Grain.ADMIN2),
        ("eth", "ET0103", Grain.ADMIN2),
        ("eth", "ET010302", Grain.ADMIN3),
        ("eth", "ET010302001", Grain.SITE),
        ("npl", "NP0775", Grain.ADMIN2),
        ("nga", "NG037014", Grain.ADMIN2),
        ("tur", "TUR081008", Grain.ADMIN2),
        ("irq", "IQG18", Grain.ADMIN1),
        ("irq", "IQG18Q05", Grain.ADMIN2),
        ("irq", "IQ-P00353", Grain.SITE),
        ("mmr", "MMR018D002", Grain.ADMIN2),
        ("mmr", "MMR018002", Grain.ADMIN3),
        ("lso", "LSK06", Grain.ADMIN2),
        ("hti", "HT0111", Grain.ADMIN2),
        ("hti", "HT0111-01", Grain.ADMIN3),
        ("npl", "NP0101-0012", Grain.SITE),
        ("npl", "NP0101-012", Grain.SITE),
        ("npl", "NP010101-01", Grain.SITE),
    ],
)
def test_the_depth_of_a_p_code_follows_its_countrys_pattern(country: str, code: str, grain_: Grain) -> None:
    table = {"a": ["x", "", "y", "z"], "b": ["x", "", code, "y"]}
    [found] = grain_evidence(pd.DataFrame(table), declared(Grain.NATIONAL, country=country), {})
    assert (found.grain, found.column) == (grain_, "b")
    assert found.why == f"1 cells of column 'b' are P-codes as deep as {grain_}"


@pytest.mark.parametrize(
    "text", ["MW", "MWI", "3 MW301", "see also MW301", "MW301x", "AF0101", "Mw", "mw301a2"]
)
def test_what_is_no_p_code_of_the_country_is_none(text: str) -> None:
    assert grain_evidence(pd.DataFrame({"a": [text] * 3}), declared(Grain.NATIONAL), {}) == ()


def test_one_deeper_p_code_among_many_is_enough() -> None:
    table = districts()
    table["pcode"][7] += "04"
    assert finer(table, declared(Grain.ADMIN2, "district")) == [(Grain.ADMIN3, "pcode")]
    assert finer(districts(), declared(Grain.ADMIN2, "district")) == []


# ------------------------------------------------------------------------------------------ coordinates


@pytest.mark.parametrize("north", ["lat", "share of women"])
def test_coordinates_of_each_site_make_a_table_of_districts_one_of_sites(north: str) -> None:
    table = sites(
        **{north: lambda row: f"{-13.5 - row / 97:.6f}", "east": lambda row: f"{34.5 + row / 89:.6f}"}
    )
    assert (Grain.SITE, "east") in finer(table, declared(Grain.ADMIN2, "district"))


@pytest.mark.parametrize("point", ["{:.6f} {:.6f} 531.92 4.9", "{:.6f} {:.6f} 0 0", "{:.5f}, {:.5f}"])
def test_a_geopoint_of_each_site_does_so_too(point: str) -> None:
    table = sites(notes=lambda row: point.format(-13.5 - row / 97, 34.5 + row / 89))
    assert (Grain.SITE, "notes") in finer(table, declared(Grain.ADMIN2, "district"))


@pytest.mark.parametrize(
    "columns",
    [
        {"one": lambda row: f"{34.5 + row / 89:.6f}"},  # one of them is no point
        {"one": lambda row: f"{row / 89:.6f}", "two": lambda row: f"{row / 97:.6f}"},  # shares
        {"one": lambda row: f"{row * 3.5:.1f}", "two": lambda row: f"{row * 2.5:.2f}"},  # too coarse
        {"one": lambda row: f"{200 + row / 89:.6f}", "two": lambda row: f"{300 + row / 97:.6f}"},
        {"one": lambda row: f"{-13 - row // 3 / 89:.6f}", "two": lambda row: f"{34 + row // 3 / 97:.6f}"},
    ],
    ids=["one alone", "shares", "one decimal", "no degrees", "centroids of the districts"],
)
def test_what_are_no_coordinates_of_sites_are_none(columns: dict[str, Callable[[int], str]]) -> None:
    assert finer(sites(**columns), declared(Grain.ADMIN2, "district")) == [(Grain.ADMIN3, None)]


def test_several_points_in_each_site_are_those_of_households() -> None:
    table = sites(
        4, site=lambda row: f"Camp {row // 4}", gps=lambda row: f"-13.{1000 + row} 34.{5000 + row} 0 0"
    )
    of = declared(Grain.SITE, "site", "visit")
    table["visit"] = [str(row // 4 % 2) for row in range(48)]
    assert (Grain.HOUSEHOLD, "gps") in finer(table, of, SITES)
    table["gps"] = [f"-13.{1000 + row // 4} 34.5000 0 0" for row in range(48)]
    assert (Grain.HOUSEHOLD, "gps") not in finer(table, of, SITES)


# ------------------------------------------------------------------------------- keys, rosters, headers


def test_a_key_that_repeats_throughout_is_one_step_finer_and_a_few_duplicates_are_not() -> None:
    of = declared(Grain.SITE, "site")
    for each, found in ((1, []), (2, [(Grain.HOUSEHOLD, None)]), (9, [(Grain.HOUSEHOLD, None)])):
        table = sites(4 * each, site=lambda row, each=each: f"Camp {row // each}")
        assert finer(table, of, SITES) == found
    twice = sites(4, site=lambda row: f"Camp {row}")
    twice = {key: [*cells, *cells[:30]] for key, cells in twice.items()}
    assert finer(twice, of, SITES) == []


def test_a_form_of_kobo_for_each_site_is_by_site_and_several_for_each_site_are_households() -> None:
    kobo = {
        "_uuid": lambda row: f"{row:08x}-0000-4000-8000-00000000{row:04x}",
        "_id": lambda row: str(348_000_000 + 17 * row),
        "deviceid": lambda row: f"collect:{row % 3}Qx81",
        "_index": lambda row: str(row + 1),
        "start": lambda row: f"2026-05-01T10:{row:02}:00",
    }
    for key in (("site",), ("_uuid",), ("_id",), ("_index",)):
        assert finer(sites(site=lambda row: f"Camp {row}", **kobo), declared(Grain.SITE, *key), SITES) == []
        several = sites(site=lambda row: f"Camp {row // 3}", **kobo)
        assert grain(several, declared(Grain.SITE, *key), SITES) is Grain.HOUSEHOLD


def test_a_site_that_is_assessed_every_round_is_a_site() -> None:
    table = sites(
        3, site=lambda row: f"Camp {row // 3}", round=lambda row: f"R{row % 3}", day=NO_CODES["days"]
    )
    assert finer(table, declared(Grain.SITE, "site", "round"), SITES) == []
    assert finer(table, declared(Grain.SITE, "site"), SITES) == [(Grain.HOUSEHOLD, None)]


def test_without_a_part_of_its_key_nobody_says_that_it_repeats() -> None:
    """A table whose key was left out before it goes to somebody is the table that it was."""
    table = sites(3, site=lambda row: f"Camp {row // 3}", round=lambda row: f"R{row % 3}")
    of = declared(Grain.SITE, "site", "round")
    for left_out in ("round", "site"):
        less = {key: cells for key, cells in table.items() if key != left_out}
        assert finer(less, of, {key: each for key, each in SITES.items() if key in less}) == []


def test_sites_that_nobody_named_are_no_unit() -> None:
    names = ("NULL", "", "Not available", "-", "N/A", "#loc+name")
    table = sites(10, site=lambda row: f"Camp {row}" if row >= 12 else names[row % 6])
    assert finer(table, declared(Grain.SITE, "site"), SITES) == []
    table["site"][12] = "none"  # more than one of ten
    assert finer(table, declared(Grain.SITE, "site"), SITES) == [(Grain.HOUSEHOLD, None)]
    assert sentences(table, declared(Grain.SITE, "site"))[0] == "13 of 120 rows name no unit by site"


@pytest.mark.parametrize("each", [2, 4])
@pytest.mark.parametrize("beside", [(), ("district",), ("district", "zone")])
def test_merged_cells_of_an_id_are_seen_as_if_they_were_filled(each: int, beside: tuple[str, ...]) -> None:
    """The id stands on the first row of each site, as Excel exports merged cells."""
    filled = sites(each, site=lambda row: f"Camp {row // each}")
    for key in (("site",), ("site", "zone")):
        of = declared(Grain.SITE, *key)
        assert finer(filled, of, SITES)[0] == (Grain.HOUSEHOLD, None)
        assert finer(merged(filled, each, "site", *beside), of, SITES)[0] == (Grain.HOUSEHOLD, None)
        of = declared(Grain.ADMIN2, *key)  # which the sites themselves say is finer
        assert finer(merged(filled, each, "site", *beside), of, SITES)[0] == (Grain.HOUSEHOLD, None)
    areas = {key: cells for key, cells in sites(each).items() if key != "answer"}
    for of in (declared(Grain.ADMIN2, "district"), declared(Grain.ADMIN2, "district", "zone")):
        assert set(finer(merged(areas, each, "district"), of)) == {(Grain.SITE, None)}
    of = declared(Grain.ADMIN2, "district")  # of which the key alone says what it is
    assert set(finer(merged(areas, each, "district"), of, {})) == {(Grain.SITE, None)}


def test_people_need_not_be_named_and_households_must() -> None:
    table = sites(3, hh=lambda row: f"hh {row}" if row % 3 else "", answer=str)
    for of, found in ((Grain.HOUSEHOLD, [(Grain.INDIVIDUAL, None)]), (Grain.INDIVIDUAL, [])):
        for known in ({}, {"hh": of}):
            assert finer(table, declared(of, "hh"), known) == found


def merged(columns: Columns, each: int, *keys: str) -> dict[str, list[str]]:
    return {
        key: ["" if key in keys and row % each else cell for row, cell in enumerate(cells)]
        for key, cells in columns.items()
    }


def test_an_id_of_which_most_cells_are_blank_hides_no_name_beside_it() -> None:
    names = {"site": lambda row: f"Camp {row // 4}", "name": lambda row: f"of {row // 4}"}
    known = {**SITES, "name": Grain.SITE}
    for blank in ("site", "name"):
        table = merged(sites(4, **names), 4, blank)
        assert finer(table, declared(Grain.SITE, "site"), known)[0] == (Grain.HOUSEHOLD, None)
    once = sites(4, site=lambda row: f"Camp {row}" if row % 4 else "", name=lambda row: f"of {row}")
    assert finer(once, declared(Grain.SITE, "site"), known) == []  # what has no id has a name


def test_totals_of_coarser_areas_and_blank_lines_are_no_rows_that_name_no_unit() -> None:
    table = {key: districts()[key] for key in ("zone", "district", "idps")}
    totals = {"zone": ["Zone 0", "Zone 1", "", "", ""], "district": [""] * 5, "idps": ["7", "9", "", "", ""]}
    longer = {key: [*cells, *totals[key]] for key, cells in table.items()}
    assert finer(longer, declared(Grain.ADMIN2, "district")) == []
    longer["zone"][13] = "Zone 0"
    assert finer(longer, declared(Grain.ADMIN2, "district")) == []
    longer["idps"][15] = "3"
    assert finer(longer, declared(Grain.ADMIN2, "district")) == [(Grain.SITE, None)]


TYPED = {
    "blanks": lambda cell, row: (
        " " * (row % 2) + cell.replace(" ", "  ", row // 2 % 2) + "\u00a0" * (row % 3)
    ),
    "case": lambda cell, row: (cell.upper(), cell.lower(), cell.title())[row % 3],
    "composition": lambda cell, row: unicodedata.normalize(("NFC", "NFD")[row % 2], cell),
    "what is not seen": lambda cell, row: cell[:3] + "\u200b" * (row % 3) + cell[3:],
}


@pytest.mark.parametrize("typed", TYPED.values(), ids=TYPED)
def test_however_an_id_is_typed_it_is_that_of_one_unit(typed: Callable[[str, int], str]) -> None:
    table = sites(2, site=lambda row: typed(f"Camp d\u2019\u00c9l\u00e9phant {row // 2}", row))
    assert (Grain.HOUSEHOLD, None) in finer(table, declared(Grain.SITE, "site"), SITES)
    assert (Grain.HOUSEHOLD, None) in finer(table, declared(Grain.SITE, "site"), {"district": Grain.ADMIN2})
    areas = {
        "district": [typed(f"R\u00e9gion {'ABCDEFGH'[row // 2]}", row) for row in range(16)],
        "idps": [str(row) for row in range(16)],
    }
    assert finer(areas, declared(Grain.ADMIN2, "district")) == [(Grain.SITE, None)]


@pytest.mark.parametrize("parent", ["uuid", "x"])
@pytest.mark.parametrize("of", [Grain.HOUSEHOLD, Grain.SITE, Grain.ADMIN2, Grain.NATIONAL])
def test_members_beside_the_id_of_their_form_are_individuals(parent: str, of: Grain) -> None:
    form = "1a2409f8-203c-44414d-8b878f-d7e3b40fc{:03}"
    table = sites(
        4,
        **{
            parent: lambda row: form.format(row // 4),
            "y": lambda row: f"{form.format(row // 4)}-{row % 4 + 1}",
        },
        site=lambda row: f"Camp {row // 12}",
    )
    key = {Grain.HOUSEHOLD: parent, Grain.SITE: "site", Grain.ADMIN2: "district", Grain.NATIONAL: "zone"}[of]
    assert grain(table, declared(of, key), SITES) is Grain.INDIVIDUAL


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("person_id", Grain.INDIVIDUAL),
        ("health_person_id", Grain.INDIVIDUAL),
        ("Member No.", Grain.INDIVIDUAL),
        ("Beneficiary ID", Grain.INDIVIDUAL),
        ("hh_id", Grain.HOUSEHOLD),
        ("HHID", Grain.HOUSEHOLD),
        ("Household number", Grain.HOUSEHOLD),
        ("ID household", Grain.HOUSEHOLD),
        ("incident code", Grain.INCIDENT),
        ("site_id", None),
        ("site_name", None),
        ("camp_name", None),
        ("adm2_name", None),
        ("partner_name", None),
        ("number of persons", None),
        ("m0310_loc_num_idp_ind", None),
        ("m0847_loc_num_return_idp_hh", None),
        ("Individuals with ID cards", None),
        ("personnel code", None),
        ("industry code", None),
        ("valid household", None),
    ],
)
def test_a_header_that_numbers_people_adds_evidence_in_whole_words_only(
    header: str, found: Grain | None
) -> None:
    table = sites(4, site=lambda row: f"Camp {row // 4}", **{header: lambda row: f"no {row}"})
    at = [each for each, column in finer(table, declared(Grain.SITE, "site"), SITES) if column == header]
    assert at == ([found] if found else [])
    once = {**table, "site": [f"Camp {row}" for row in range(48)]}
    assert finer(once, declared(Grain.SITE, "site"), SITES) == []


def test_a_column_that_the_policy_knows_to_tell_sites_apart_does_so_in_any_table() -> None:
    table = districts() | {"site": [f"Camp {number}" for number in range(12)]}
    assert finer(table, declared(Grain.ADMIN2, "district"), SITES) == [(Grain.SITE, "site")]
    people = SITES | {"who": Grain.INDIVIDUAL}
    one_each = sites(site=lambda row: f"Camp {row}", who=lambda row: f"name {row}")
    assert finer(one_each, declared(Grain.SITE, "site"), people) == []
    several = sites(4, site=lambda row: f"Camp {row // 4}", who=lambda row: f"name {row}")
    assert (Grain.INDIVIDUAL, "who") in finer(several, declared(Grain.SITE, "site"), people)


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["Camp Hope"], True),
        (["Camp Hope", "", ""], True),
        (["Camp Hope", "Camp Hope"], True),
        (["", "N/A", "N/A", "Camp Hope"], True),
        ([""], False),
        (["", " ", "\u00a0"], False),
        (["N/A", "N/A", ""], False),
    ],
)
def test_a_single_site_that_is_named_is_enough(names: Sequence[str], found: bool) -> None:
    table = {"district": ["D1"] * len(names), "site": names, "children": ["7"] * len(names)}
    evidence = finer(table, declared(Grain.ADMIN2, "district"), SITES)
    assert ((Grain.SITE, "site") in evidence) is found
    if names == ["Camp Hope"]:
        assert sentences(table, declared(Grain.ADMIN2, "district"))[0] == "column 'site' names a unit by site"
        assert finer(table, declared(Grain.SITE, "site"), SITES) == []


@pytest.mark.parametrize("who", [Grain.HOUSEHOLD, Grain.INDIVIDUAL])
def test_a_single_household_or_person_in_a_table_of_areas_that_names_no_site_is_enough(who: Grain) -> None:
    known = {**SITES, "who": who}
    table = {"district": ["Dowa", "Salima"], "site": ["", "N/A"], "who": ["", "name 1"]}
    assert finer(table, declared(Grain.ADMIN2, "district"), known) == [(who, "who")]
    named = table | {"site": ["Camp A", "Camp B"]}
    assert finer(named, declared(Grain.ADMIN2, "district"), known) == [(Grain.SITE, "site")]
    assert finer(table | {"who": ["", "-"]}, declared(Grain.ADMIN2, "district"), known) == []


def test_households_in_sites_in_a_table_that_is_declared_by_district_are_found() -> None:
    table = sites(6, site=lambda row: f"Camp {row // 3}")
    assert (Grain.HOUSEHOLD, None) in finer(table, declared(Grain.ADMIN2, "district"), SITES)


# ------------------------------------------------------------------------------------------ just so far


def sentences(columns: Columns, of: Dataset, identifies: Mapping[str, Grain] = SITES) -> list[str]:
    """All that is said, in order: also what is no finer than declared."""
    frame = pd.DataFrame(columns, dtype="str")
    return [each.why for each in grain_evidence(frame, of, identifies)]


def test_a_plain_table_of_sites_says_which_column_has_the_most_units_of_each_grain_and_no_more() -> None:
    table = sites(site=CODES["letters and digits"], hh_id=str, point=lambda row: f"1.{row} 2.{row}")
    table["part of"] = [f"Part {row % 5}" for row in range(36)]
    assert sentences(table, declared(Grain.SITE, "site"), {**SITES, "part of": Grain.ADMIN2}) == [
        "column 'site' tells 36 units by site apart",
        "column 'district' tells 12 units by admin2 apart",
        "column 'zone' tells 2 units by admin1 apart",
    ]
    two = {key: cells[:2] for key, cells in table.items() if key != "district"}
    assert sentences(two, declared(Grain.SITE, "site")) == ["column 'site' tells 2 units by site apart"]


def test_sentences_name_the_column_with_the_most_codes_and_both_of_two_coordinates() -> None:
    table = sites(
        few=lambda row: f"S{row // 2}",
        code=CODES["letters and digits"],
        z=lambda row: f"1.{row + 100}",
        y=lambda row: f"2.{row + 100}",
        x=lambda row: f"3.{row + 100}",
    )
    assert sentences(table, declared(Grain.ADMIN2, "district"), PLACES) == [
        "column 'code' holds 36 codes, several for one unit by admin2",
        "coordinates in column 'x' and 'y' differ within one unit by admin2",
        "36 rows stand for 12 units by admin2",
        "column 'district' tells 12 units by admin2 apart",
        "column 'zone' tells 2 units by admin1 apart",
    ]
    named = declared(Grain.NATIONAL)
    assert sentences(table, named, {})[0] == "column 'code' holds 36 codes, several for one unit by national"


@pytest.mark.parametrize(
    ("repeated", "found"),
    [(22, []), (23, []), (24, [(Grain.HOUSEHOLD, None)]), (36, [(Grain.HOUSEHOLD, None)])],
)
def test_from_two_rows_for_each_site_on_average_they_are_no_duplicates(
    repeated: int, found: list[tuple[Grain, None]]
) -> None:
    names = [f"Camp {row}" for row in range(24)] + [f"Camp {row % 24}" for row in range(repeated)]
    table = {"site": names, "answer": ["Yes"] * len(names)}
    assert finer(table, declared(Grain.SITE, "site"), {"site": Grain.SITE}) == found


def test_each_grain_has_a_next_one_but_the_last() -> None:
    names = {"unit": ["a", "a", "b", "b"]}
    steps = [finer(names, declared(each, "unit"), {"unit": each}) for each in Grain]
    assert steps == [*([(each, None)] for each in tuple(Grain)[1:]), []]


@pytest.mark.parametrize(
    ("degrees", "found"),
    [
        (("1.001", "1.002", "1.003", "1.004"), True),
        (("1.000", "0.999", "0.001", "0.500"), False),
        (("180.000", "180.000", "179.999", "179.998"), True),
        (("180.001", "200.000", "999.999", "180.002"), False),
        (("-1.001", "-1.002", "-1.003", "-1.004"), True),
        (("12.345", "12.346", "yes", "no"), True),
        (("12.345", "yes", "no", "12.34"), False),
    ],
)
def test_coordinates_are_degrees_with_three_decimals_in_half_of_the_cells(
    degrees: Sequence[str], found: bool
) -> None:
    table = {"one": [*degrees, ""], "two": ["34.001", "34.002", "34.003", "34.004", ""]}
    assert grain(table, declared(Grain.NATIONAL), {}) is (Grain.SITE if found else Grain.NATIONAL)


@pytest.mark.parametrize(
    ("codes", "found"),
    [
        (("S1", "S2", "S3"), True),
        (("S1", "S1", "S2"), True),
        (("S1", "S1", "S1"), False),
        (("S1", "S2", "Kasungu", "Dowa"), False),
        (("S1", "S2", "S2", "Kasungu"), True),
        (("S1", "MW301", "MW302", "MW303"), False),
    ],
)
def test_codes_under_the_header_of_an_area_are_two_or_more_and_most_of_its_cells(
    codes: Sequence[str], found: bool
) -> None:
    evidence = finer({"district": codes}, declared(Grain.ADMIN2, "month"), {"district": Grain.ADMIN2})
    assert evidence == ([(Grain.SITE, "district")] if found else [])


def test_the_header_of_a_site_may_stand_over_codes() -> None:
    table = {"site": ["S1", "S2", "S3"]}
    assert sentences(table, declared(Grain.SITE, "site")) == ["column 'site' tells 3 units by site apart"]


ROSTER = {
    "uuid": [UUID.format(row // 2) for row in range(4)],
    "n": ["1", "2", "3", "4"],
}


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, True),
        ({"uuid": [UUID.format(0)] * 4}, False),  # one form is none of several
        ({"uuid": [UUID.format(row % 3) for row in range(4)]}, False),  # nearly a row each
        ({"uuid": ["household 1"] * 2 + ["household 2"] * 2}, False),  # neither by value nor by header
        ({"uuid": [*ROSTER["uuid"][:3], "none"]}, False),
        ({"n": ["1", "2", "1", "2"]}, False),  # not each their own
        ({"n": ["1.0", "2.0", "3.0", "4.0"]}, True),
        ({"n": ["a", "b", "c", "d"]}, False),  # names, or answers
        ({"n": ["M-1", "M-2", "M-3", "M-4"]}, True),
        ({"n": ["1", "2", "", ""]}, False),  # most members have none
        ({"n": ["1", "2", "3", ""]}, True),
    ],
)
def test_a_roster_is_an_id_that_several_share_beside_one_of_their_own(changes: Columns, found: bool) -> None:
    evidence = finer(ROSTER | changes, declared(Grain.HOUSEHOLD), {})
    assert evidence == ([(Grain.INDIVIDUAL, "uuid")] if found else [])


def test_a_member_that_stands_twice_among_ten_hides_no_roster_and_two_are_no_members() -> None:
    for twice, found in ((1, True), (2, False)):
        table = {
            "uuid": [UUID.format(row // 5) for row in range(10)],
            "n": [str(max(row, twice)) for row in range(10)],
        }
        assert bool(finer(table, declared(Grain.HOUSEHOLD), {})) is found


def test_two_points_in_most_sites_are_households_and_fewer_are_not() -> None:
    table = {
        "site": [f"Camp {row // 2}" for row in range(8)],
        "visit": ["1", "2"] * 4,
        "gps": [f"-13.{1000 + row} 34.{5000 + row}" for row in range(8)],
    }
    of = declared(Grain.SITE, "site", "visit")
    known = {"site": Grain.SITE}
    assert finer(table, of, known) == []  # one in each visit to each site
    table["visit"] = ["1", "1"] * 4
    assert (Grain.HOUSEHOLD, "gps") in finer(table, of, known)
    table["gps"][1] = table["gps"][0]
    assert (Grain.HOUSEHOLD, "gps") in finer(table, of, known)  # in most of the sites
    table["gps"][3] = table["gps"][2]
    assert finer(table, of, known) == [(Grain.HOUSEHOLD, None)]


def test_codes_that_lie_in_two_places_each_are_answers_and_in_fewer_they_are_ids() -> None:
    table = {"district": ["A", "A", "A", "A", "B", "B", "B", "B"]}
    of = declared(Grain.ADMIN2, "month")
    recur = table | {"code": ["S1", "S2", "S3", "S4"] * 2}
    assert finer(recur, of, {"district": Grain.ADMIN2}) == []
    once = table | {"code": ["S1", "S2", "S3", "S4", "S1", "S2", "S3", "S5"]}
    assert finer(once, of, {"district": Grain.ADMIN2}) == [(Grain.SITE, "code")]


def test_a_blank_place_hides_no_codes() -> None:
    table = {"district": ["", "", "", "A", "B"], "code": ["S1", "S2", "S3", "S4", "S5"]}
    for key in ("district", "month"):
        assert (Grain.SITE, "code") in finer(table, declared(Grain.ADMIN2, key), {"district": Grain.ADMIN2})
    part = {key: cells[1:] for key, cells in table.items()}
    assert finer(part, declared(Grain.ADMIN2, "district"), {"district": Grain.ADMIN2}) == []


def test_an_identifying_column_without_a_cell_or_with_coordinates_names_no_unit() -> None:
    table = sites(
        4, site=lambda row: f"Camp {row // 2}", point=lambda row: f"1.{100 + row // 24}", none=lambda _: ""
    )
    known = {**SITES, "point": Grain.SITE, "none": Grain.SITE}
    assert (Grain.HOUSEHOLD, None) in finer(table, declared(Grain.SITE, "site"), known)
    once = table | {"site": [f"Camp {row}" for row in range(48)]}
    assert finer(once, declared(Grain.SITE, "site"), known) == []


def test_the_key_of_a_household_may_be_its_own_number_whether_or_not_the_policy_says_so() -> None:
    table = {"hh_id": ["1", "1", "2", "2"], "uuid": [UUID.format(row) for row in range(4)]}
    for known in ({}, {"hh_id": Grain.HOUSEHOLD}):
        of = declared(Grain.HOUSEHOLD, "hh_id")
        assert (Grain.INDIVIDUAL, None) in finer(table, of, known)
    assert finer({**table, "hh_id": ["1", "2", "3", "4"]}, declared(Grain.HOUSEHOLD, "hh_id"), {}) == []


def test_a_record_number_in_the_key_is_whole_and_different_on_every_row() -> None:
    table = {"site": ["Camp A", "Camp A", "Camp B", "Camp B"]}
    known = {"site": Grain.SITE}
    of = declared(Grain.SITE, "site", "n")
    for numbers, found in (
        (("1", "2", "3", "4"), [(Grain.HOUSEHOLD, None)]),
        (("1", "2", "1", "2"), []),  # a visit
        (("a", "b", "c", "d"), []),  # a name
    ):
        assert finer(table | {"n": numbers}, of, known) == found


def test_a_form_that_the_policy_knows_for_the_declared_unit_is_no_parent() -> None:
    of = declared(Grain.HOUSEHOLD, "uuid", "visit")
    table = ROSTER | {"visit": ["1", "2", "1", "2"]}
    assert finer(table, of, {"uuid": Grain.HOUSEHOLD}) == []
    assert finer(ROSTER, declared(Grain.INDIVIDUAL, "n"), {}) == []
    assert finer({**ROSTER, "_parent_index": ["5", "5", "7", "7"], "uuid": [""] * 4}, of, {}) == [
        (Grain.INDIVIDUAL, "_parent_index")
    ]


# ------------------------------------------------------------------------------------ no false alarms


def test_plain_tables_are_what_they_are_declared() -> None:
    assert finer(districts(), declared(Grain.ADMIN2, "pcode"), PLACES | {"pcode": Grain.ADMIN2}) == []
    days = [f"2026-05-{day:02}" for day in range(1, 31)]
    totals = {
        "day": days,
        "reason": ["Conflict"] * 30,
        "idps": [str(9_000_000 + 31_337 * n) for n in range(30)],
    }
    for key in (("day",), ("day", "reason")):
        assert finer(totals, declared(Grain.NATIONAL, *key), {}) == []
    flows = {
        "point": [f"Point {row // 30}" for row in range(300)],
        "day": [days[row % 30] for row in range(300)],
        "people": [str(row * 7 % 90) for row in range(300)],
    }
    assert finer(flows, declared(Grain.SITE, "point", "day"), {"point": Grain.SITE}) == []


def test_a_table_without_rows_or_columns_says_nothing() -> None:
    of = declared(Grain.ADMIN2, "district")
    for frame in (pd.DataFrame(), pd.DataFrame(districts()).head(0), pd.DataFrame(index=range(3))):
        assert grain_evidence(frame, of, PLACES) == ()
    blank = pd.DataFrame({"district": ["", ""], "site": ["", ""]})
    assert grain_evidence(blank, of, SITES) == ()


# ------------------------------------------------------------------------------------------ whatever else


KINDS = {
    "district": (districts(), declared(Grain.ADMIN2, "district")),
    "site by code": (sites(code=CODES["letters and digits"]), declared(Grain.ADMIN2, "district")),
    "site by SSID": (sites(code=CODES["as long as an SSID"]), declared(Grain.ADMIN2, "district", "month")),
    "site by point": (
        sites(at=lambda row: f"-13.{1000 + row} 34.{5000 + row} 0 0"),
        declared(Grain.ADMIN2, "district"),
    ),
    "deep P-code": (sites(p=lambda row: f"MW301{row + 10}"), declared(Grain.ADMIN2, "district")),
    "roster": (
        sites(
            4,
            form=lambda row: f"{row // 4:08x}-0000-4000-8000-000000000000",
            member=lambda row: f"{row // 4:08x}-0000-4000-8000-000000000000-{row % 4 + 1}",
        ),
        declared(Grain.SITE, "site"),
    ),
}
KEPT = {"zone", "district", "site"}  # their names are what the declaration knows them by


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=30)
@given(data=st.data())
def test_order_and_names_of_columns_and_order_of_rows_do_not_matter(kind: str, data: st.DataObject) -> None:
    table, of = KINDS[kind]
    expected = grain(table, of)
    rows = data.draw(st.permutations(range(len(table["zone"]))))
    shuffled = {key: [table[key][row] for row in rows] for key in data.draw(st.permutations(list(table)))}
    names = data.draw(
        st.lists(
            st.sampled_from(
                [
                    "idps",
                    "Remarks",
                    "1.1.c.1",
                    "camp_name",
                    "Number of IDPs",
                    "x",
                    "\u0639\u062f\u062f",
                    "date",
                    "?",
                ]
            ),
            min_size=len(table),
            max_size=len(table),
        )
    )
    renamed = {
        key if key in KEPT else f"{name} {place}": cells
        for place, (name, (key, cells)) in enumerate(zip(names, shuffled.items(), strict=True))
    }
    assert grain(shuffled, of) is expected
    assert grain(renamed, of) is expected


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=30)
@given(data=st.data())
def test_more_rows_of_a_finer_table_never_make_it_coarser(kind: str, data: st.DataObject) -> None:
    table, of = KINDS[kind]
    total = len(table["zone"])
    some = sorted(data.draw(st.sets(st.integers(0, total - 1), min_size=1)))
    part = {key: [cells[row] for row in some] for key, cells in table.items()}
    districts_too = data.draw(st.booleans())
    whole = {key: [*cells] for key, cells in table.items()}
    if districts_too:  # figures of whole districts below those of sites
        for key in whole:
            whole[key] += districts()[key] if key in {"zone", "district"} else [""] * 12
    assert grain(part, of).depth <= grain(whole, of).depth


def test_any_kind_of_frame_says_the_same() -> None:
    table, of = KINDS["site by code"]
    plain = pd.DataFrame(table, dtype="str")
    expected = grain_evidence(plain, of, PLACES)
    assert expected[0].grain is Grain.SITE
    frames = [
        plain.astype(object),
        plain.astype("category"),
        plain.replace("", None),
        plain.assign(idps=plain["idps"].astype(int)),
        pa.Table.from_pandas(plain, preserve_index=False),
        pa.concat_tables(
            [
                pa.Table.from_pandas(plain, preserve_index=False).slice(0, 5),
                pa.Table.from_pandas(plain, preserve_index=False).slice(5),
            ]
        ),
    ]
    for frame in frames:
        assert grain_evidence(frame, of, PLACES) == expected
    mixed = plain.astype(object)
    mixed["answer"] = [1, "two", None] * 12
    assert grain_evidence(mixed, of, PLACES) == expected


@pytest.mark.parametrize("cell", [10**30, "\ud800", "a\udfff"])
@pytest.mark.parametrize("other", [None, 1])
def test_a_cell_that_has_no_text_is_refused_by_the_name_of_its_column(cell: object, other: object) -> None:
    """Not by an error of Arrow or of Python, whose words may quote the cell."""
    frame = pd.DataFrame({"district": ["A", "B"], "idps": pd.Series([cell, other], dtype=object)})
    with pytest.raises(TableUnreadable) as error:
        grain_evidence(frame, declared(Grain.ADMIN2, "district"), PLACES)
    assert str(error.value) == (
        "Column 'idps' holds a number that is too long, or a broken character: correct it"
    )
    assert (error.value.__cause__, error.value.__suppress_context__) == (None, True)


def test_blank_and_null_cells_are_the_same() -> None:
    table, of = KINDS["deep P-code"]
    frame = pd.DataFrame(table, dtype="str")
    frame.loc[::2, "p"] = ""
    nulls = frame.copy()
    nulls.loc[::2, "p"] = None
    found = grain_evidence(frame, of, PLACES)
    assert found == grain_evidence(nulls, of, PLACES)
    assert any(each.why == "18 cells of column 'p' are P-codes as deep as admin3" for each in found)


@pytest.mark.parametrize("kind", KINDS)
def test_no_sentence_holds_a_cell(kind: str) -> None:
    table, of = KINDS[kind]
    cells = {cell for column in table.values() for cell in column if not cell.isdigit() and len(cell) > 1}
    for each in grain_evidence(pd.DataFrame(table, dtype="str"), of, PLACES):
        assert not [cell for cell in cells if cell in each.why]


def test_pairs_are_told_apart_beyond_32_bits() -> None:
    """A million rows have more pairs of a place and a code than 32 bits can number."""
    places, codes = np.array([0, 2, 0], np.int32), np.array([0, 0, 2**31 - 1], np.int32)
    assert len(set(pairs(places, codes))) == 3


# --------------------------------------------------------------------------------------------- real files


def real(name: str, head: int = 0) -> pd.DataFrame:
    folder = Path(os.environ.get("DTM_REAL_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
    if not (folder / name).exists():
        pytest.skip("the real DTM files are not there; DTM_REAL_DATA names their folder")
    with (folder / name).open(encoding="utf-8-sig", newline="") as file:
        lines = list(csv.reader(file))[head:]
    names = [f"{place} {text}" for place, text in enumerate(lines[0])]
    cells = [line + [""] * (len(names) - len(line)) for line in lines[1:]]
    return pd.DataFrame(cells, columns=names, dtype="str")


def seen(frame: pd.DataFrame, of: Dataset, identifies: Mapping[int, Grain]) -> tuple[GrainEvidence, ...]:
    known = {frame.columns[place]: each for place, each in identifies.items()}
    key = tuple(frame.columns[int(place)] for place in of.key)
    found = grain_evidence(frame, replace(of, key=key), known)
    return tuple(each for each in found if each.grain.depth > of.grain.depth)


NEPAL = {0: Grain.SITE, 1: Grain.SITE, 4: Grain.ADMIN1, 5: Grain.ADMIN2, 6: Grain.ADMIN3}
API = {
    2: Grain.NATIONAL,
    3: Grain.NATIONAL,
    4: Grain.ADMIN1,
    5: Grain.ADMIN1,
    6: Grain.ADMIN2,
    7: Grain.ADMIN2,
}
STATES = {0: Grain.ADMIN1, 1: Grain.ADMIN1}
LOCALITIES = {**STATES, 2: Grain.ADMIN2, 3: Grain.ADMIN2}
MALAWI = {72: Grain.ADMIN1, 66: Grain.ADMIN2, 59: Grain.ADMIN3, 53: Grain.SITE, 58: Grain.SITE}
IRAQ = {6: Grain.ADMIN1, 7: Grain.ADMIN2, 10: Grain.SITE}
FILES = {
    "nepal": ("nepal_dtm_2015/CCCM_Nepal_DTM_R2.csv", 2),
    "api": ("dtm_api/global-iom-dtm-from-api-admin-0-to-2.csv", 0),
    "localities": ("sudan_dtm/raw_idps_locality_data.csv", 3),
    "states": ("sudan_dtm/raw_idps_state_data.csv", 3),
    "malawi": ("malawi_dtm_2024/survey_B2_01.csv", 0),
    "iraq": ("iraq_dtm_2014/DTM_Dataset_28092014.csv", 0),
}


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("file", "of", "identifies"),
    [
        ("nepal", declared(Grain.SITE, "0", country="npl"), NEPAL),
        ("api", declared(Grain.ADMIN2, "0", country="afg"), API),
        ("api", declared(Grain.ADMIN2, "7", "10", "14", country="hti"), API),
        ("api", declared(Grain.ADMIN2, "7", "10", "14", "18", "19", country="tcd"), API),
        ("localities", declared(Grain.ADMIN2, "3", country="sdn"), LOCALITIES),
        ("localities", declared(Grain.ADMIN2, "3", country="sdn"), {}),
        ("states", declared(Grain.ADMIN1, "1", country="sdn"), STATES),
        ("malawi", declared(Grain.SITE, "53"), MALAWI),
        ("malawi", declared(Grain.SITE, "0"), MALAWI),
        ("iraq", declared(Grain.SITE, "0", country="irq"), IRAQ),
    ],
)
def test_real_tables_are_what_they_are(file: str, of: Dataset, identifies: Mapping[int, Grain]) -> None:
    assert seen(real(*FILES[file]), of, identifies) == ()


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("file", "of", "identifies", "found"),
    [
        ("nepal", declared(Grain.ADMIN2, "5", country="npl"), NEPAL, Grain.SITE),
        ("nepal", declared(Grain.ADMIN2, "5", country="npl"), {4: Grain.ADMIN1, 5: Grain.ADMIN2}, Grain.SITE),
        ("nepal", declared(Grain.NATIONAL, country="npl"), {}, Grain.SITE),
        ("api", declared(Grain.NATIONAL, "10", country="afg"), API, Grain.ADMIN2),
        ("localities", declared(Grain.ADMIN1, "1", country="sdn"), STATES, Grain.ADMIN2),
        ("localities", declared(Grain.NATIONAL, country="sdn"), {}, Grain.ADMIN2),
        ("malawi", declared(Grain.ADMIN2, "66"), {66: Grain.ADMIN2}, Grain.SITE),
        ("malawi", declared(Grain.NATIONAL), {}, Grain.SITE),
        ("iraq", declared(Grain.ADMIN2, "7", country="irq"), {7: Grain.ADMIN2}, Grain.SITE),
    ],
)
def test_real_tables_under_a_coarser_declaration_are_seen_through(
    file: str, of: Dataset, identifies: Mapping[int, Grain], found: Grain
) -> None:
    assert seen(real(*FILES[file]), of, identifies)[0].grain is found
