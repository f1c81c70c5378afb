"""classify, gate and explain: what they answer about a file of the made-up country."""

from __future__ import annotations

import json
import re
from datetime import date

import pytest

from dtm_sharing.cli.render import ranges
from dtm_sharing.stores import regular
from support.policies import (
    AGREEMENT,
    ASSESSMENT,
    CONTACTS,
    DATASET,
    GENERAL,
    HEADERS,
    PROTECTION,
    RELATIONS,
    REQUEST,
    patched,
    sample_files,
    whole_files,
    write_policies,
)

AGREED = ("Site ID", "District", "Child-headed households")
HARMLESS = ("Site ID", "District", "Individuals")


def rewrite(policies, path, old, new):
    """Change one place of one policy file on disk."""
    write_policies(policies, {path: patched(sample_files(), path, old, new)[path]})


def place(path, text):
    """``file:line`` of the line that holds ``text``, which stands in one line only."""
    lines = [
        number for number, line in enumerate(sample_files()[path].decode().splitlines(), 1) if text in line
    ]
    assert len(lines) == 1
    return f"{path}:{lines[0]}"


# ---------------------------------------------------------------------------------------------- classify


def test_classify_gives_the_level_of_each_column_as_json(judge, table):
    answer = judge("classify", table(), "--format", "json")
    assert (answer.code, answer.err) == (0, "")
    found = answer.json
    assert list(found) == [
        "dataset",
        "grain",
        "evidence",
        "rows",
        "level",
        "columns",
        "gaps",
        "notices",
        "expires",
        "policy_digest",
        "policy",
        "as_of",
    ]
    assert (found["dataset"], found["grain"], found["rows"]) == ("xyz/site-assessment", "site", 3)
    assert (found["level"], found["gaps"]) == ("Secret", [])
    assert (found["expires"], found["as_of"]) == ("2027-09-14", "2026-11-22")
    assert found["policy_digest"].startswith("sha256:")
    assert [(each["position"], each["level"]) for each in found["columns"]] == [
        (1, "Public"),
        (2, "Public"),
        (3, "Public"),
        (4, "Public"),
        (5, "Secret"),
        (6, "Public"),
        (7, "Confidential"),
        (8, "Confidential"),
        (9, "Confidential"),
        (10, "Confidential"),
    ]


def test_classify_says_which_question_a_repeated_header_continues(judge, table):
    last = judge("classify", table(), "--format", "json").json["columns"][-1]
    assert (last["name"], last["question"]) == ("If other, please specify", "Security provider")
    assert last["indicator"] == "security-actor"


def test_every_reason_stands_in_a_policy_file_at_the_line_it_names(judge, table, policies):
    found = judge("classify", table(), "--format", "json").json
    reasons = [reason for column in found["columns"] for reason in column["reasons"]]
    assert len(reasons) >= len(HEADERS)
    for reason in reasons:
        file, line = reason["source"].rsplit(":", 1)
        named = reason["rule"].split(":", 1)[1].split("@")[0]
        assert f"id: {named}" in (policies / file).read_text().splitlines()[int(line) - 1]


def test_a_column_that_no_rule_knows_is_undecided_and_its_level_is_null(judge, table):
    answer = judge("classify", table([*HEADERS, "Shoe size"]), "--format", "json")
    assert answer.code == 4
    assert answer.json["level"] is None
    assert answer.json["columns"][-1] == {
        "position": 11,
        "name": "Shoe size",
        "question": None,
        "level": None,
        "indicator": None,
        "reasons": [],
    }
    assert [(each["kind"], each["column"]) for each in answer.json["gaps"]] == [
        ("unknown-column", "Shoe size")
    ]


def test_the_table_output_names_levels_in_words_and_has_no_colour_in_a_pipe(judge, table):
    answer = judge("classify", table([*HEADERS, "Shoe size"]))
    assert answer.code == 4
    assert "\x1b" not in answer.out
    lines = {line.split()[0]: line for line in answer.out.splitlines() if line.strip()[:1].isdecimal()}
    assert ["Public" in lines["1"], "Secret" in lines["5"], "Confidential" in lines["7"]] == [True] * 3
    assert "undecided" in lines["11"]
    assert place(RELATIONS, "id: safety-and") in lines["8"]
    assert max(map(len, answer.out.splitlines())) <= 80


def test_colour_is_only_added_to_the_words(judge, table, monkeypatch):
    plainly = judge("classify", table()).out
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    coloured = judge("classify", table()).out
    assert "\x1b[1;31mSecret" in coloured
    bare = re.sub("\x1b\\[[0-9;]*m", "", coloured)
    assert [line.rstrip() for line in bare.splitlines()] == plainly.splitlines()


# -------------------------------------------------------------------------------------------------- gate


def test_the_gate_denies_the_table_as_it_is_to_the_public(judge, table):
    answer = judge("gate", table(), "--audience", "public", "--format", "json")
    assert (answer.code, answer.err) == (2, "")
    found = answer.json
    assert list(found) == [
        "outcome",
        "level",
        "audience",
        "dataset",
        "grain",
        "evidence",
        "holdings",
        "obligations",
        "gaps",
        "notices",
        "refused",
        "forms",
        "columns",
        "rules",
        "waivers",
        "expires",
        "policy_digest",
        "policy",
        "as_of",
    ]
    assert (found["outcome"], found["level"], found["audience"]) == ("deny", "Secret", "public")
    assert [(each["position"], each["level"]) for each in found["refused"]] == [
        (5, "Secret"),
        (7, "Confidential"),
        (8, "Confidential"),
        (9, "Confidential"),
        (10, "Confidential"),
    ]
    assert set(found["refused"][0]) == {"position", "column", "question", "level", "why"}
    assert place(CONTACTS, "id: contact-phone") in found["refused"][0]["why"]
    assert {"rule", "source"} == set(found["rules"][0])


def test_the_releasable_form_that_it_names_is_allowed(judge, table):
    options = ("--audience", "public", "--holds-nothing", "--format", "json")
    [form] = judge("gate", table(), *options).json["forms"]
    assert form["drop_at_collection"] == ["Site manager phone"]
    assert form["keeps"] == len(form["keep"])
    assert form["keeps"] + len(form["leave_out"]) == len(HEADERS)
    again = judge("gate", table(form["keep"], raw=False), *options)
    assert (again.code, again.json["outcome"], again.json["refused"]) == (0, "allow", [])
    assert again.json["forms"] == []


def test_the_gate_allows_a_pathway_exactly_what_was_agreed(judge, table):
    options = ("--audience", "xyz/child-protection", "--stage", "cleaned", "--format", "json")
    answer = judge("gate", table(AGREED, raw=False), *options)
    assert (answer.code, answer.json["outcome"], answer.json["level"]) == (0, "allow", "Confidential")
    assert answer.json["audience"] == "xyz/child-protection/low"
    assert "encrypt" in {each["kind"] for each in answer.json["obligations"]}


def test_urgency_chooses_the_pathway(judge, table):
    options = ("--audience", "xyz/child-protection", "--urgency", "medium", "--format", "json")
    answer = judge("gate", table(AGREED, raw=False), *options)
    assert (answer.code, answer.json["audience"]) == (2, "xyz/child-protection/medium")
    assert [each["column"] for each in answer.json["refused"]] == ["District"]


def test_low_urgency_waits_for_the_cleaned_stage(judge, table):
    options = ("--audience", "xyz/child-protection", "--format", "json", "--stage")
    assert judge("gate", table(AGREED, raw=False), *options, "collected").code == 4
    assert judge("gate", table(AGREED, raw=False), *options, "cleaned").code == 0
    unknown = judge("gate", table(AGREED, raw=False), *options[:-1])
    assert (unknown.code, [each["kind"] for each in unknown.json["gaps"]]) == (4, ["stage-unknown"])


def test_secret_is_refused_on_every_pathway(judge, table):
    columns = (*AGREED, "Site manager phone")
    options = ("--audience", "xyz/child-protection", "--stage", "cleaned", "--format", "json")
    answer = judge("gate", table(columns, raw=False), *options)
    assert answer.code == 2
    assert [(each["column"], each["level"]) for each in answer.json["refused"]] == [
        ("Site manager phone", "Secret")
    ]


def test_the_table_output_groups_what_is_refused_by_level_and_fits_80_columns(judge, table):
    answer = judge("gate", table(), "--audience", "public", "--holds-nothing")
    assert answer.code == 2
    assert answer.out.startswith("DENIED for public: xyz/site-assessment by site, 3 rows, 10 columns")
    assert answer.out.index("Refused, Secret: 1 column") < answer.out.index(
        "Refused, Confidential: 4 columns"
    )
    for name in ("Site manager phone", "Child-headed households", "Feelings of safety", "Security provider"):
        assert name in answer.out
    assert "Leave out 4 columns: 5, 7, 9, 10. The other 6 columns may go." in answer.out
    assert max(map(len, answer.out.splitlines())) <= 80
    assert not [line for line in answer.out.splitlines() if line != line.rstrip()]


def test_columns_that_are_not_agreed_share_one_reason(judge, table):
    out = judge("gate", table(), "--audience", "xyz/child-protection").out
    assert out.count("Not agreed") == 2  # once for what is Confidential, once for what is Public


def test_an_undecided_answer_names_every_gap(judge, table):
    answer = judge("gate", table([*HEADERS, "Shoe size"]), "--audience", "public")
    assert answer.code == 4
    assert answer.out.startswith("UNDECIDED for public")
    assert "No rule knows column 11, 'Shoe size'" in " ".join(answer.out.split())
    assert "Releasable form" not in answer.out


@pytest.mark.parametrize(
    ("positions", "text"),
    [([], ""), ([4], "4"), ([4, 5], "4, 5"), ([9, 4, 6, 5], "4-6, 9"), (range(1, 181), "1-180")],
)
def test_positions_in_a_row_are_printed_as_a_range(positions, text):
    assert ranges(positions) == text


# ----------------------------------------------------------------------------------------------- explain


def test_explain_begins_with_a_sentence_and_ends_in_rules_with_their_place(judge, table):
    answer = judge("explain", table(), "--column", "Feelings of safety")
    assert answer.code == 0
    sentence = " ".join(answer.out.split("\n\n")[0].split())
    assert sentence.startswith("Column 8, 'Feelings of safety', is Confidential, so it leaves only under an")
    assert "Together they can suggest" in sentence
    assert place(RELATIONS, "id: safety-and") in answer.out
    assert place(PROTECTION, "id: feelings-of-safety") in answer.out


def test_explain_as_json_has_the_column_and_the_sentence(judge, table):
    found = judge("explain", table(), "--column", "Site ID", "--format", "json").json
    assert (found["column"]["position"], found["column"]["level"]) == (1, "Public")
    assert found["sentence"].startswith("Column 1, 'Site ID', is Public, so by itself it may be published: ")


@pytest.mark.parametrize(
    ("name", "position"),
    [
        ("Security provider: If other, please specify", 10),  # its key
        ("10", 10),
        ("security  PROVIDER", 9),  # case and spaces as a person types them
        ("Number of individuals", 6),  # another spelling that the policy declares
    ],
)
def test_explain_finds_a_column_by_key_header_or_position(judge, table, name, position):
    answer = judge("explain", table(), "--column", name, "--format", "json")
    assert (answer.code, answer.json["column"]["position"]) == (0, position)


def test_explain_asks_which_of_several_columns_is_meant(judge, table):
    answer = judge("explain", table(), "--column", "If other, please specify")
    assert (answer.code, answer.out) == (1, "")
    assert "4 after 'Site type'; 10 after 'Security provider'" in answer.err


def test_explain_of_an_undecided_column_says_what_is_missing(judge, table):
    answer = judge("explain", table([*HEADERS, "Shoe size"]), "--column", "Shoe size")
    assert answer.code == 4
    assert "is undecided, so it goes nowhere: No rule knows column 11" in " ".join(answer.out.split())


def test_explain_of_a_decided_column_is_decided_though_another_one_is_not(judge, table):
    answer = judge("explain", table([*HEADERS, "Shoe size"]), "--column", "Site ID", "--format", "json")
    assert (answer.code, answer.json["gaps"]) == (0, [])


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Feeling of safety", "did you mean Feelings of safety"),
        ("99", "There is no column 99: the table has 3 columns."),
        ("0", "There is no column 0"),
        ("9" * 5000, "There is no column 999"),
        ("Site type", "declares column 'Site type', but the file does not have it"),
        ("", "There is no column ''"),
    ],
)
def test_explain_of_a_column_that_is_not_there_is_a_failure(judge, table, name, hint):
    answer = judge(
        "explain", table(("Site ID", "District", "Feelings of safety"), raw=False), "--column", name
    )
    assert (answer.code, answer.out) == (1, "")
    assert hint in answer.err


# -------------------------------------------------------------------------------------------- on which day


@pytest.mark.parametrize(
    ("day", "code", "kind"),
    [
        ("2026-11-22", 0, None),
        ("2027-09-14", 0, None),  # the review date itself
        ("2027-09-15", 4, "lapsed-assessment"),
        ("2026-09-14", 4, "assessment-not-made"),
        ("2028-01-01", 4, "operation-not-valid"),
    ],
)
def test_a_decision_is_made_as_of_a_day(cli, table, policies, day, code, kind):
    options = ("--dataset", "xyz/site-assessment", "--policies", policies, "--format", "json", "--as-of", day)
    answer = cli("classify", table(HARMLESS, raw=False), *options)
    assert answer.code == code
    assert answer.json["as_of"] == day
    kinds = {each["kind"] for each in answer.json["gaps"]}
    assert kinds == set() if kind is None else kind in kinds


def test_without_a_day_it_is_today(cli, table, policies):
    options = ("--dataset", "xyz/site-assessment", "--policies", policies, "--format", "json")
    from dtm_sharing.cli.options import today

    days = {str(today())}
    found = cli("classify", table(HARMLESS, raw=False), *options).json["as_of"]
    days.add(str(today()))  # midnight may have passed
    assert found in days


@pytest.mark.parametrize(
    "day", ["2026-02-30", "22.11.2026", "20261122", "2026-W47-7", "tomorrow", "", "٢٠٢٦-11-22"]
)
def test_a_day_that_is_none_is_a_failure(cli, table, policies, day):
    answer = cli(
        "classify", table(), "--dataset", "xyz/site-assessment", "--policies", policies, "--as-of", day
    )
    assert (answer.code, answer.out) == (1, "")
    assert "YYYY-MM-DD" in answer.err


# ------------------------------------------------------------------------------------------------ bad input


def test_an_unknown_dataset_is_a_failure_with_the_nearest_id(cli, table, policies):
    answer = cli("classify", table(), "--dataset", "xyz/site-assesment", "--policies", policies)
    assert (answer.code, answer.out) == (1, "")
    assert "xyz/site-assessment" in answer.err


@pytest.mark.parametrize("audience", ["xyz/child-protecton", "Public", ""])
def test_an_unknown_audience_is_a_failure_with_the_nearest_agreement(judge, table, audience):
    answer = judge("gate", table(), "--audience", audience)
    assert (answer.code, answer.out) == (1, "")
    assert "xyz/child-protection" in answer.err


@pytest.mark.parametrize("command", ["classify", "gate", "explain"])
@pytest.mark.parametrize("content", [b"", b"\n\n", None], ids=["empty", "blank", "absent"])
def test_a_file_without_a_table_is_a_failure(judge, tmp_path, command, content):
    path = tmp_path / "round.csv"
    if content is not None:
        path.write_bytes(content)
    more = {"gate": ("--audience", "public"), "explain": ("--column", "1")}.get(command, ())
    answer = judge(command, path, *more)
    assert (answer.code, answer.out) == (1, "")
    assert str(path) in answer.err
    assert len(answer.err.splitlines()) == 1


def test_a_folder_is_no_table(judge, tmp_path):
    (tmp_path / "round.csv").mkdir()
    answer = judge("classify", tmp_path / "round.csv")
    assert (answer.code, answer.out) == (1, "")
    assert "folder" in answer.err


def test_a_file_that_may_not_be_read_is_a_failure(judge, table, monkeypatch):
    """Made by hand: tests may run as root, who may read everything."""
    file, read = table(), regular.read

    def refuse(path, most=None):
        if path == file:
            raise PermissionError(13, "Permission denied", str(path))
        return read(path, most)

    monkeypatch.setattr(regular, "read", refuse)
    answer = judge("classify", file)
    assert (answer.code, answer.out) == (1, "")
    assert answer.err == f"{file}: the file cannot be read (Permission denied)\n"


def test_a_table_without_rows_is_undecided(judge, table):
    answer = judge("gate", table(rows=0), "--audience", "public", "--format", "json")
    assert answer.code == 4
    assert [each["kind"] for each in answer.json["gaps"]] == ["empty-table"]


def test_another_encoding_is_a_failure_that_names_the_setting(judge, table):
    answer = judge("classify", table(cell=lambda _row, _column: "Népal", encoding="latin-1"))
    assert (answer.code, answer.out) == (1, "")
    assert "encoding: in xyz/datasets/site-assessment.yaml" in answer.err
    assert "Népal" not in answer.err


def test_the_declared_encoding_is_used(judge, table, policies):
    rewrite(policies, DATASET, "encoding: utf-8", "encoding: latin-1")
    assert judge("classify", table(cell=lambda _row, _column: "Népal", encoding="latin-1")).code == 0


def test_a_declared_column_that_is_absent_from_a_whole_file_is_undecided(judge, table):
    fewer = [each for each in HEADERS if each != "Individuals"]
    answer = judge("gate", table(fewer), "--audience", "public", "--format", "json")
    assert answer.code == 4
    assert [(each["kind"], each["column"]) for each in answer.json["gaps"]] == [
        ("absent-column", "Individuals")
    ]


def test_a_column_dropped_at_collection_is_not_missed(judge, table):
    fewer = [each for each in HEADERS if each != "Site manager phone"]
    assert judge("classify", table(fewer)).code == 0


def test_a_header_that_stands_twice_is_a_failure_that_names_both_places(judge, table):
    answer = judge("classify", table([*HEADERS, "District"]))
    assert (answer.code, answer.out) == (1, "")
    assert "2" in answer.err
    assert "11" in answer.err
    assert "District" in answer.err


def test_an_invalid_policy_stops_every_command_and_names_each_problem(judge, table, policies):
    rewrite(policies, DATASET, "grain: site", "grain: sight")
    rewrite(policies, REQUEST, "state: approved", "state: fine")
    answer = judge("gate", table(), "--audience", "public", "--format", "json")
    assert (answer.code, answer.out) == (3, "")
    lines = answer.err.splitlines()
    assert len(lines) == 2
    assert [line.split(":")[0] for line in lines] == [DATASET, REQUEST]


def test_an_agreement_that_has_ended_sends_nothing(judge, table, policies):
    rewrite(policies, AGREEMENT, "valid_until: 2027-09-30", "valid_until: 2026-10-31")
    options = ("--audience", "xyz/child-protection", "--stage", "cleaned", "--format", "json")
    answer = judge("gate", table(AGREED, raw=False), *options)
    assert answer.code == 4
    assert [each["kind"] for each in answer.json["gaps"]] == ["agreement-not-in-force"]


def test_the_folder_of_the_settings_is_used_without_an_option(cli, table, policies, monkeypatch):
    options = ("--dataset", "xyz/site-assessment", "--as-of", "2026-11-22")
    monkeypatch.setattr("dtm_sharing.cli.options.today", lambda: date(2026, 11, 22))
    monkeypatch.setenv("DTM_SHARING_POLICIES", str(policies))
    assert cli("classify", table(), *options).code == 0
    monkeypatch.setenv("DTM_SHARING_POLICIES", str(policies / "nowhere"))
    answer = cli("classify", table(), *options)
    assert (answer.code, answer.out) == (1, "")
    assert "nowhere" in answer.err


# --------------------------------------------------------------------------- what somebody else's header does


def test_a_header_cannot_command_the_terminal(judge, table):
    nasty = "Shoe\x1b[2J\x07 size\u202e\x9b"
    for form in ("table", "json"):
        answer = judge("classify", table([*HEADERS, nasty]), "--format", form)
        assert answer.code == 4
        assert not {"\x1b", "\x07", "\u202e", "\x9b"} & set(answer.out)
    assert answer.json["columns"][-1]["name"].startswith("Shoe\x1b[2J")
    answer = judge("explain", table([*HEADERS, nasty]), "--column", "Shoe")
    assert not {"\x1b", "\x07", "\u202e", "\x9b"} & set(answer.err)


def test_a_header_is_neither_markup_nor_emoji(judge, table):
    odd = "[bold]Shoe[/bold] :smile: [/]"
    assert odd in judge("classify", table([*HEADERS, odd])).out.replace("\n", " ")


def test_headers_of_other_scripts_are_printed_as_they_are(judge, table):
    assert "عدد الأسر" in judge("classify", table([*HEADERS, "عدد الأسر"])).out
    assert "عدد الأسر" in judge("classify", table([*HEADERS, "عدد الأسر"]), "--format", "json").out


def test_the_same_question_gets_the_same_bytes(judge, table):
    first = judge("gate", table(), "--audience", "public", "--format", "json").out
    assert judge("gate", table(), "--audience", "public", "--format", "json").out == first
    assert json.loads(first)["outcome"] == "deny"


def test_without_the_relation_feelings_of_safety_are_public(judge, table, policies):
    rewrite(policies, RELATIONS, "grains: [admin2, admin3, site,", "grains: [")
    levels = [each["level"] for each in judge("classify", table(), "--format", "json").json["columns"]]
    assert levels[7] == "Public"


def test_an_assessment_can_only_tighten_and_is_named_as_the_reason(judge, table, policies):
    levels = b"levels:\n  - {indicator: district, grain: site, level: Secret, why: Few sites there.}\n"
    write_policies(policies, {ASSESSMENT: sample_files()[ASSESSMENT] + levels})
    district = judge("classify", table(), "--format", "json").json["columns"][1]
    assert district["level"] == "Secret"
    assert district["reasons"][0]["source"].startswith(ASSESSMENT)


# -------------------------------------------------------------------- waivers, finer grains, what ends soon


@pytest.fixture
def waived(policies):
    """The sample with an overlay on feelings of safety, and a waiver of it and of who guards a site."""
    return write_policies(policies, whole_files())


def test_a_waiver_is_marked_wherever_it_relaxed_something(judge, table, waived):
    columns = ("Site ID", "Feelings of safety")
    page = judge("classify", table(columns, raw=False)).out
    row = " ".join(page.split("\n2  ")[1].split("\n\n")[0].split())
    assert row.startswith("Public Feelings of safety ")
    assert "".join(row.split()).endswith("xyz/overlays/tense.yaml:10,waivedbyxyz/published")
    reason = judge("classify", table(columns, raw=False), "--format", "json").json["columns"][1]["reasons"][0]
    assert (reason["rule"], reason["level"], reason["waiver"]) == (
        "indicator:feelings-of-safety@site",
        "Public",
        None,
    )
    options = ("--audience", "public", "--holds-nothing")
    answer = judge("gate", table(columns, raw=False), *options, "--format", "json")
    assert (answer.code, answer.json["waivers"], answer.json["expires"]) == (
        0,
        ["xyz/published"],
        "2026-11-30",
    )
    assert [each["kind"] for each in answer.json["notices"]] == ["waiver-lapses"]
    page = judge("gate", table(columns, raw=False), *options).out
    assert "Relaxed by 1 waiver\n-  xyz/published: 2\n" in page
    assert "Ends soon, or has just ended\n-  Waiver xyz/published ends on 2026-11-30" in page
    told = judge("explain", table(columns, raw=False), "--column", "Feelings of safety").out
    assert "Public: overlay:xyz/tense/feelings-of-safety@site, waived by xyz/published" in told


def test_a_table_that_is_finer_than_declared_says_what_shows_it(judge, table):
    roster = table(
        ("Site ID", "District"), raw=False, cell=lambda row, column: "A" if column == 0 else str(row)
    )
    answer = judge("classify", roster)
    text = " ".join(answer.out.split())
    assert text.startswith("xyz/site-assessment by household, 3 rows, 2 columns")
    assert "Declared by site, but 3 rows stand for 1 units by site: it is judged by household." in text
    found = judge("classify", roster, "--format", "json").json
    assert (found["grain"], found["evidence"][0]["grain"]) == ("household", "household")
    gated = judge("gate", roster, "--audience", "public", "--holds-nothing")
    assert "Declared by site, but" in gated.out


def test_an_assessment_that_lapses_soon_is_told(cli, table, policies):
    options = ("--dataset", "xyz/site-assessment", "--policies", policies, "--as-of", "2027-08-20")
    answer = cli("classify", table(HARMLESS, raw=False), *options)
    assert answer.code == 0
    assert "Ends soon, or has just ended" in answer.out
    assert "2027-09-14" in answer.out


# ------------------------------------------------------------------------------------- forms, tables together


def test_every_form_is_named_also_the_sums_by_a_coarser_grain(judge, table, policies):
    few = """\
    title: Displaced individuals
    additive: true
    basis: few people
    levels: {national: Public, admin1: Public, admin2: Public, admin3: Public, site: Confidential,
      household: Confidential, individual: Confidential, incident: Secret}
"""
    files = patched(sample_files(), GENERAL, "    title: Displaced individuals\n", few)
    files = patched(files, GENERAL, "    title: District\n", "    title: District\n    identifies: admin2\n")
    files = patched(files, GENERAL, "  - id: site-id\n", "  - id: site-id\n    identifies: site\n")
    write_policies(policies, files)
    options = ("--audience", "public", "--holds-nothing")
    answer = judge("gate", table(HARMLESS, raw=False), *options, "--format", "json")
    assert answer.code == 2
    plain, summed, *_ = answer.json["forms"]
    assert (plain["leave_out"], plain["aggregate_to"]) == (["Individuals"], None)
    assert (summed["aggregate_to"], summed["by"], summed["keep"]) == (
        "admin2",
        ["District"],
        ["District", "Individuals"],
    )
    page = " ".join(judge("gate", table(HARMLESS, raw=False), *options).out.split())
    assert "Releasable forms, any one of them" in page
    assert "Leave out 1 column: 3. The other 2 columns may go." in page
    assert (
        "Leave out 1 column: 1; sum up the others by admin2, told apart by 2. The other 2 columns may go."
        in page
    )


def test_tables_that_leave_together_are_judged_beside_each_other(judge, table, policies):
    files = patched(
        sample_files(),
        PROTECTION,
        "  site: Confidential, household: Secret",
        "  site: Public, household: Secret",
    )
    write_policies(policies, files)
    one = table(("Site ID", "Feelings of safety"), raw=False, name="one.csv")
    other = table(("Site ID", "Security provider"), raw=False, name="other.csv")
    options = ("--audience", "public", "--holds-nothing")
    assert judge("gate", one, *options).code == judge("gate", other, *options).code == 0
    beside = ("--beside", f"xyz/site-assessment={other}")
    answer = judge("gate", one, *options, *beside, "--format", "json")
    assert answer.code == 2
    [second] = answer.json["beside"]
    assert (answer.json["outcome"], second["outcome"]) == ("deny", "deny")
    assert "which is to leave with it" in answer.json["refused"][0]["why"]
    page = judge("gate", one, *options, *beside).out
    assert page.count("DENIED for public") == 2


@pytest.mark.parametrize("beside", ["xyz/site-assessment", "=round.csv", "xyz/site-assessment=", ""])
def test_a_table_beside_it_is_named_by_dataset_and_file(judge, table, beside):
    answer = judge("gate", table(HARMLESS, raw=False), "--audience", "public", "--beside", beside)
    assert (answer.code, answer.out) == (1, "")
    assert "dataset's id, =, and its file" in answer.err


def test_a_table_beside_it_that_is_not_there_is_a_failure(judge, table):
    usual = (table(HARMLESS, raw=False), "--audience", "public")
    assert judge("gate", *usual, "--beside", "xyz/site-assessment=nowhere.csv").code == 1
    assert judge("gate", *usual, "--beside", f"xyz/sites={usual[0]}").code == 1


# ----------------------------------------------------------------------------------- explain, without a file


@pytest.fixture
def explained(cli, policies):
    def call(*options):
        usual = ("--dataset", "xyz/site-assessment", "--policies", policies, "--as-of", "2026-11-22")
        return cli("explain", *usual, *options)

    return call


def test_explain_without_a_file_judges_the_declared_column_alone(explained):
    answer = explained("--column", "Feelings of safety", "--format", "json")
    assert answer.code == 0  # the relation with who provides security has no part in it
    assert answer.json["sentence"].startswith("Column 'Feelings of safety', alone, is Public, so by its")
    assert answer.json["column"]["position"] == 1
    confidential = explained("--column", "Security provider: If other, please specify")
    assert "alone, is Confidential" in " ".join(confidential.out.split())


def test_explain_without_a_file_knows_the_declared_columns_only(explained):
    answer = explained("--column", "Shoe size")
    assert (answer.code, answer.out) == (1, "")
    assert "Shoe size" in answer.err
    assert explained("--column", "If other, please specify").code == 1  # which of the two?


# ------------------------------------------------------------------------------- explain, for an audience


def said(answer):
    return " ".join(answer.json["sentence"].split())


def test_explain_says_of_what_is_not_secret_that_it_judges_the_table_by_itself(judge, table):
    held = "What an audience already holds may still keep it back: ask of a file, with --audience."
    for name, more in (("Site ID", True), ("Child-headed households", True), ("Site manager phone", False)):
        answer = judge("explain", table(), "--column", name, "--format", "json")
        assert said(answer).endswith(held) is more
        assert (answer.json["audience"], answer.json["outcome"]) == (None, None)


@pytest.mark.parametrize(
    ("column", "options", "begins"),
    [
        ("Feelings of safety", (), "is Confidential, and may not go to public: Together they can suggest"),
        ("Site manager phone", (), "is Secret, and may not go to public: Telephone number"),
        ("Site ID", (), "is Public: Site identifier"),
    ],
)
def test_explain_for_an_audience_answers_as_the_gate_decides(judge, table, column, options, begins):
    asked = ("--audience", "public", "--holds-nothing", "--format", "json", *options)
    answer = judge("explain", table(), "--column", column, *asked)
    assert (answer.code, answer.json["audience"], answer.json["outcome"]) == (0, "public", "deny")
    assert f"{column!r}, {begins}" in said(answer)
    assert "by itself" not in said(answer)
    refused = [each["column"] for each in judge("gate", table(), *asked).json["refused"]]
    assert ("may not go to public:" in said(answer)) is (column in refused)


def test_explain_of_a_column_that_nothing_refuses_says_what_else_is_refused(judge, table):
    asked = ("--audience", "public", "--holds-nothing", "--format", "json")
    told = said(judge("explain", table(), "--column", "Site ID", *asked))
    assert told.endswith("Nothing refuses it to public, but 5 other columns of the table may not go.")
    alone = judge("explain", table(HARMLESS, raw=False), "--column", "Site ID", *asked)
    assert (alone.code, alone.json["outcome"]) == (0, "allow")
    assert "'Site ID', is Public, and may go to public with this table: Site identifier" in said(alone)


def test_explain_for_a_pathway_knows_what_was_agreed_and_at_which_stage(judge, table):
    asked = ("--audience", "xyz/child-protection", "--format", "json", "--column", "District")
    file = table(AGREED, raw=False)
    low = judge("explain", file, *asked, "--stage", "cleaned")
    assert (low.code, low.json["audience"]) == (0, "xyz/child-protection/low")
    assert "may go to xyz/child-protection/low with this table" in said(low)
    medium = judge("explain", file, *asked, "--urgency", "medium")
    assert "may not go to xyz/child-protection/medium: Not agreed" in said(medium)
    early = judge("explain", file, *asked, "--stage", "collected")
    assert (early.code, [each["kind"] for each in early.json["gaps"]]) == (4, ["stage-not-reached"])
    assert "does not go to xyz/child-protection/low, since the table has 1 gap: Pathway" in said(early)
    assert "Missing: 1 gap" in judge("explain", file, *asked[:2], *asked[4:], "--stage", "collected").out


def test_explain_without_a_ledger_does_not_know_what_they_hold(judge, table):
    file = table(("Site ID", "Feelings of safety"), raw=False)
    asked = ("--audience", "public", "--column", "Feelings of safety", "--format", "json")
    answer = judge("explain", file, *asked)
    assert (answer.code, [each["kind"] for each in answer.json["gaps"]]) == (4, ["holdings-unknown"])
    assert "does not go to public, since the table has 1 gap: What this audience already holds" in said(
        answer
    )


@pytest.mark.parametrize("option", [("--holds-nothing",), ("--urgency", "low"), ("--stage", "cleaned")])
def test_what_is_known_of_an_audience_needs_one(judge, table, explained, option):
    answer = judge("explain", table(), "--column", "1", *option)
    assert (answer.code, answer.out) == (1, "")
    assert "name it with --audience" in answer.err
    without_a_file = explained("--column", "Site ID", "--audience", "public")
    assert (without_a_file.code, without_a_file.out) == (1, "")
    assert "name its FILE" in without_a_file.err


def test_explain_holds_nothing_against_a_ledger(judge, table, tmp_path):
    asked = ("--audience", "public", "--holds-nothing", "--ledger", tmp_path / "ledger.db")
    answer = judge("explain", table(), "--column", "1", *asked)
    assert (answer.code, answer.out) == (1, "")
    assert "contradict each other" in answer.err
