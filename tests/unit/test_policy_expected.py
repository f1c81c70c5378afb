"""Given/expect files as they are read: what a case is, and all that is said of one that is wrong.

What a case decides, and most of what may be wrong in one, is in ``tests/cli/test_policy_tests.py``.
"""

# ruff: noqa: E501 - whole sentences, as they are printed

from __future__ import annotations

from datetime import date

import jsonschema
import pytest

from dtm_sharing.errors import PolicyInvalid
from dtm_sharing.model import Grain, Outcome, Source, Stage
from dtm_sharing.policy import expected, texts
from support.policies import DATASET, patched, sample_files, sample_policy, whole_files

FILE = "xyz/tests/a.yaml"
WHOLE = """\
kind: test
id: xyz/one
title: What is asked of the sample
as_of: 2026-11-22
cases:
  - name: Everything that may be given
    given:
      dataset: xyz/site-assessment
      columns: [Site ID, Number of individuals, 'Site type: If other, please specify']
      undeclared: [GPS]
      grain: household
      rows: 0
      whole: true
      stage: cleaned
      round: '7'
      audience: xyz/child-protection/medium
      context: conflict
      as_of: 2026-11-30
      holds:
        - {dataset: xyz/site-assessment, round: '6', indicators: [site-id], grain: admin1, by: public, since: 2026-11-30}
        - {dataset: xyz/site-assessment, round: '5', indicators: [site-id, district], by: scpa, since: 2026-01-01}
    expect:
      outcome: undecided
      level: undecided
      levels: {GPS: undecided, site-id: Public, 'Site type: If other, please specify': Public}
      refused: [GPS, Site ID]
      gaps: [unknown-column]
      releasable: false
      form: {leave_out: [GPS], drop_at_collection: [], keeps: [site-id], aggregate_to: admin2, by: [district], without_tables: [xyz/site-assessment]}
      rules: [indicator:site-id@site]
      waivers: [xyz/published]
      obligations: []
      notices: []
      expires: 2026-12-31
  - given: {dataset: xyz/site-assessment, indicators: [site-id]}
    name: Almost nothing
    expect: {outcome: allow}
"""


def parsed(text, files=None):
    return expected.parse({FILE: text.encode()}, sample_policy(files or whole_files()))


def problems(contents, files=None):
    with pytest.raises(PolicyInvalid) as refused:
        expected.parse(
            {path: text.encode() for path, text in contents.items()}, sample_policy(files or whole_files())
        )
    return [str(problem) for problem in refused.value.problems]


def changed(old, new):
    assert WHOLE.count(old) == 1
    return WHOLE.replace(old, new)


def test_a_case_has_all_that_it_gives_and_expects_and_its_place():
    everything, almost_nothing = parsed(WHOLE)
    assert (everything.file, everything.name) == ("xyz/one", "Everything that may be given")
    assert everything.as_of == date(2026, 11, 30)
    assert everything.source == Source(FILE, 6, 5)
    given, expect = everything.given, everything.expect
    assert given.columns == ("Site ID", "Number of individuals", "Site type: If other, please specify")
    assert (given.indicators, given.undeclared, given.grain) == (None, ("GPS",), Grain.HOUSEHOLD)
    assert (given.rows, given.whole, given.stage, given.round) == (0, True, Stage.CLEANED, "7")
    assert (given.audience, given.context) == ("xyz/child-protection/medium", "conflict")
    assert [(each.by, each.grain, each.since) for each in given.holds] == [
        ("public", Grain.ADMIN1, date(2026, 11, 30)),
        ("scpa", None, date(2026, 1, 1)),
    ]
    assert (expect.outcome, expect.level, expect.refused) == (
        Outcome.UNDECIDED,
        "undecided",
        ("GPS", "Site ID"),
    )
    assert expect.form.without_tables == ("xyz/site-assessment",)
    assert (almost_nothing.as_of, almost_nothing.source) == (date(2026, 11, 22), Source(FILE, 35, 5))
    assert (almost_nothing.given.rows, almost_nothing.given.audience) == (100, "public")


@pytest.mark.parametrize(("word", "columns"), [("all", ("all",)), ("kept", ("kept",)), ("[all]", ("all",))])
def test_one_word_stands_for_columns(word, columns):
    text = f"kind: test\nid: xyz/one\nas_of: 2026-11-22\ncases: [{{name: x, given: {{dataset: xyz/site-assessment, columns: {word}}}, expect: {{outcome: deny}}}}]\n"
    (case,) = parsed(text)
    assert case.given.columns == columns


def test_cases_come_in_order_of_file_and_stand_in_one_or_several():
    policy = sample_policy(whole_files())
    other = WHOLE.replace("id: xyz/one", "id: other")
    found = expected.parse({"tests/b.yaml": WHOLE.encode(), "tests/a.yaml": other.encode()}, policy)
    assert [each.file for each in found] == ["other", "other", "xyz/one", "xyz/one"]
    assert expected.parse({}, policy) == ()


HELD = "round: '5', indicators: [site-id, district], by: scpa, since: 2026-01-01"
WRONG = {
    "audience near to one": (
        "audience: xyz/child-protection/medium",
        "audience: xyz/child-protecton/medium",
        "16:17: 'xyz/child-protecton/medium' is no audience; write public or <agreement>/<urgency> (did you mean 'xyz/child-protection/medium'?)",
    ),
    "audience near to everyone": (
        "audience: xyz/child-protection/medium",
        "audience: publik",
        "16:17: 'publik' is no audience; write public or <agreement>/<urgency> (did you mean 'public'?)",
    ),
    "audience near to none": (
        "audience: xyz/child-protection/medium",
        "audience: zzz",
        "16:17: 'zzz' is no audience; write public or <agreement>/<urgency>",
    ),
    "urgency that is none": (
        "audience: xyz/child-protection/medium",
        "audience: xyz/child-protection/slow",
        "16:17: the agreement 'xyz/child-protection' has no pathway 'slow'",
    ),
    "column near to one": (
        "columns: [Site ID,",
        "columns: [Site,",
        "9:17: there is no column 'Site' in this dataset (did you mean 'Site ID'?)",
    ),
    "spelling that is expected": (
        "refused: [GPS, Site ID]",
        "refused: [GPS, Number of individuals]",
        "26:22: there is no column 'Number of individuals' in this dataset (did you mean 'Individuals'?)",
    ),
    "column of a form": (
        "keeps: [site-id]",
        "keeps: [site-idd]",
        "29:64: there is no column 'site-idd' in this dataset (did you mean 'site-id'?)",
    ),
    "column that is dropped in a form": (
        "drop_at_collection: []",
        "drop_at_collection: [Phone]",
        "29:53: there is no column 'Phone' in this dataset",
    ),
    "column by which a form counts": (
        "by: [district]",
        "by: [distrit]",
        "29:101: there is no column 'distrit' in this dataset (did you mean 'district'?)",
    ),
    "indicator that the dataset lacks": (
        "indicators: [site-id]}\n",
        "indicators: [site-id, site-uid]}\n",
        "35:65: 'xyz/site-assessment' has no column of the indicator 'site-uid' (did you mean 'site-id'?)",
    ),
    "undeclared, and it is": (
        "undeclared: [GPS]",
        "undeclared: [GPS, Individuals]",
        "10:25: 'Individuals' is declared",
    ),
    "waiver near to one": (
        "waivers: [xyz/published]",
        "waivers: [xyz/publishd]",
        "31:17: there is no waiver 'xyz/publishd' (did you mean 'xyz/published'?)",
    ),
    "held of a dataset near to one": (
        "{dataset: xyz/site-assessment, round: '5'",
        "{dataset: xyz/site-assesment, round: '5'",
        "21:21: there is no dataset 'xyz/site-assesment' (did you mean 'xyz/site-assessment'?)",
    ),
    "held indicator": (
        "indicators: [site-id, district], by",
        "indicators: [site-id, distrit], by",
        "21:76: there is no indicator 'distrit' (did you mean 'district'?)",
    ),
    "held by nobody": (
        "by: scpa",
        "by: publc",
        "21:91: there is no organization 'publc' (did you mean 'public'?)",
    ),
    "held from the day after the case's on": (
        "since: 2026-11-30",
        "since: 2026-12-01",
        "20:111: 2026-12-01 is after 2026-11-30, the day of the case",
    ),
    "a name that stands above, wherever it stands in its case": (
        "- name: Everything that may be given",
        "- name: Almost nothing",
        "36:11: a case of this name stands on line 6; give each its own",
    ),
    "rows": ("rows: 0", "rows: -1", "12:13: 'rows' must be 0 or more"),
    "an expectation that is none": (
        "expect: {outcome: allow}",
        "expect: {}",
        "37:13: nothing is expected, so this case could not fail",
    ),
    "a ledger that nobody can read": (
        "round: '7'",
        "ledger: unreadable",
        "15:7: a ledger that cannot be read says nothing of what is held; remove 'ledger' or 'holds'",
    ),
    "a level": (
        "level: undecided\n",
        "level: undecidd\n",
        "24:14: 'undecidd' is not a level (did you mean 'undecided'?)",
    ),
    "a ledger that is none": (
        "round: '7'",
        "ledger: lost",
        "15:15: 'lost' is not a state of the ledger; write one of unreadable",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_file_that_is_wrong_gets_exactly_its_problem_at_its_place(name):
    old, new, sentence = WRONG[name]
    found = problems({FILE: changed(old, new)})
    assert found == [f"{FILE}:{sentence}"]


def test_the_second_of_two_names_is_wrong_even_on_the_same_line():
    case = "{name: x, given: {dataset: xyz/site-assessment, columns: all}, expect: {outcome: deny}}"
    text = f"kind: test\nid: xyz/one\nas_of: 2026-11-22\ncases: [{case}, {case}]\n"
    assert problems({FILE: text}) == [
        f"{FILE}:4:{len(f'cases: [{case}, ') + len('{name: ') + 1}: a case of this name stands on line 4; give each its own"
    ]


def test_a_name_that_stands_below_another_key_is_found_on_its_own_line():
    text = (
        WHOLE
        + "  - {name: Almost nothing, given: {dataset: xyz/site-assessment, columns: all}, expect: {outcome: deny}}\n"
    )
    assert problems({FILE: text}) == [
        f"{FILE}:38:12: a case of this name stands on line 36; give each its own"
    ]


def test_the_same_id_in_two_files_names_both_places():
    assert problems({"tests/b.yaml": WHOLE, "tests/a.yaml": f"# First.\n{WHOLE}"}) == [
        "tests/b.yaml:2:5: the test id 'xyz/one' is used twice; the first is in tests/a.yaml:3"
    ]


def test_each_file_has_its_problems_told_whatever_is_wrong_with_the_others():
    contents = {
        "tests/a.yaml": WHOLE.replace("xyz/one", "a").replace("as_of: 2026-11-22\n", ""),
        "tests/b.yaml": "kind: [\n",
        "tests/c.yaml": WHOLE.replace("xyz/one", "c").replace("rows: 0", "rows: 0\n      rows: 1"),
        "tests/d.yaml": WHOLE.replace("xyz/one", "d").replace("by: scpa", "by: nobody"),
        "tests/e.yaml": "kind: dataset\n",
    }
    assert problems(contents) == [
        "tests/a.yaml:1:1: 'as_of' is missing from a test file",
        "tests/b.yaml:2:1: this is not YAML; look for a quote, bracket or indentation that is not right",
        "tests/c.yaml:13:7: the key 'rows' stands twice; the first is on line 12",
        "tests/d.yaml:21:91: there is no organization 'nobody'",
        "tests/e.yaml:1:7: 'dataset' is not a kind of policy file; write one of test",
    ]


# ------------------------------------------------------------------------------------ beside the policy


def test_a_file_of_cases_is_laid_out_like_a_policy_file():
    given = "given: {dataset: xyz/site-assessment, indicators: [site-id]}"
    text = changed("kind: test\nid: xyz/one\n", "id: xyz/one\n# Why.\nkind: test\n")
    assert expected.tidy(FILE, text.encode()).decode() == (
        "# yaml-language-server: $schema=../../schemas/test.schema.json\n# Why.\n"
        + changed(f"- {given}\n    name: Almost nothing\n", f"- name: Almost nothing\n    {given}\n")
    )


def test_a_file_of_cases_follows_its_schema_and_no_policy_file_does():
    schema = expected.schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["title"] == "dtm_sharing policy file: test"
    validator = jsonschema.Draft202012Validator(schema)
    assert validator.is_valid(as_json(texts.read(FILE, WHOLE.encode()).data))
    assert not validator.is_valid(as_json(texts.read(FILE, changed("rows: 0", "row: 0").encode()).data))


def as_json(value):
    if isinstance(value, dict):
        return {key: as_json(each) for key, each in value.items()}
    return [as_json(each) for each in value] if isinstance(value, tuple) else value


def test_columns_are_known_by_key_each_with_its_continuations_behind_it():
    files = patched(
        sample_files(), DATASET, "[Site manager phone]", "[Site manager phone, Security provider]"
    )
    dataset = sample_policy(files).datasets["xyz/site-assessment"]
    everything = (
        "Site ID",
        "District",
        "Site type",
        "Site type: If other, please specify",
        "Site manager phone",
        "Individuals",
        "Child-headed households",
        "Feelings of safety",
        "Security provider",
        "Security provider: If other, please specify",
    )
    assert expected.keys(dataset) == everything
    assert expected.keys(dataset, dropped=False) == tuple(
        each for each in everything if not each.startswith(("Site manager", "Security"))
    )
    assert expected.names(dataset) == {*everything, *(each.indicator for each in dataset.columns)}
