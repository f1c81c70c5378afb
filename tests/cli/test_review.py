"""diff, simulate, replay and due, and --as-of with a ledger: on real folders and real ledgers."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from dtm_sharing.model import PUBLIC
from dtm_sharing.package import Password
from dtm_sharing.stores.credentials import KEY_BYTES, Credentials
from dtm_sharing.stores.database import Ledger
from support.ledgers import COORDINATOR, SIGNING_KEY, tamper
from support.policies import (
    AGREEMENT,
    DATASET,
    OVERLAY,
    PROTECTION,
    RELATIONS,
    REQUEST,
    SCPA,
    WAIVER,
    patched,
    sample_files,
    sample_policy,
    sealed,
    whole_files,
    without,
    write_policies,
)
from support.replays import AGREED, LOW, decide, fill, stricter

HARMLESS = ("Site ID", "District", "Individuals")
SAFETY, GUARDS = ("Site ID", "Feelings of safety"), ("Site ID", "Security provider")
MORNING = datetime(2026, 10, 10, 8, 0, tzinfo=UTC)


@pytest.fixture
def new(tmp_path):
    """A copy of the sample's folder with one place of one file changed, sealed."""

    def write(path, before, after, files=None, name="new"):
        return write_policies(tmp_path / name, patched(files or sample_files(), path, before, after))

    return write


LOOSER = (PROTECTION, "  site: Confidential, household: Secret", "  site: Public, household: Secret")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.db"


@pytest.fixture
def ledger(path):
    return Ledger(path, clock=lambda: MORNING, signing_key=SIGNING_KEY)


def unwrapped(text):
    return " ".join(text.split())


# ------------------------------------------------------------------------------------------------ diff


def test_diff_of_a_policy_with_itself_is_nothing(cli, policies):
    answer = cli("diff", policies, policies, "--as-of", "2026-11-22")
    assert (answer.code, answer.out, answer.err) == (
        0,
        "Nothing changes from 2026-11-22 on, for anybody.\n",
        "",
    )


def test_diff_names_what_is_let_out_for_whom_from_when_and_by_which_rule(cli, policies, new):
    answer = cli("diff", policies, new(*LOOSER), "--as-of", "2026-11-22")
    assert answer.code == 2
    text = unwrapped(answer.out)
    assert text.startswith(
        "Becomes allowed: 3 answers, without a waiver public, xyz/site-assessment, from 2026-11-22"
    )
    assert (
        "until 2027-09-14 what column 'Child-headed households' answer refused, now allowed (by site)" in text
    )
    assert "indicator:child-headed-households@site (old indicators/protection.yaml:9, new indicators" in text
    assert "Becomes refused or undecided: nothing" in text
    assert max(map(len, answer.out.splitlines())) <= 80


def test_diff_the_other_way_round_refuses_and_passes(cli, policies, new):
    answer = cli("diff", new(*LOOSER), policies, "--as-of", "2026-11-22", "--format", "json")
    assert answer.code == 0
    assert (answer.json["allowed"], answer.json["unjustified"]) == ([], 0)
    assert {tuple(each["columns"]) for each in answer.json["refused"]} >= {("Child-headed households",)}
    assert answer.json["refused"][0]["after"]["why"]


def test_diff_as_json_has_all_of_it(cli, policies, new):
    answer = cli("diff", policies, new(*LOOSER), "--as-of", "2026-11-22", "--format", "json")
    found = answer.json
    assert list(found) == [
        "old",
        "new",
        "as_of",
        "allowed",
        "refused",
        "reworded",
        "unjustified",
        "loosened",
    ]
    assert found["loosened"] == [
        {
            "rule": f"indicator:{indicator}@site",
            "sentence": "It was Confidential, and is Public now.",
            "policy": "new",
            "source": f"{PROTECTION}:{line}",
        }
        for indicator, line in (("child-headed-households", 9), ("security-actor", 17))
    ]
    [one] = [each for each in found["allowed"] if each["columns"] == ["Child-headed households"]]
    assert one["audience"] == "public"
    assert one["organization"] is None
    assert (one["what"], one["grains"], one["from"], one["until"]) == (
        "column",
        ["site"],
        "2026-11-22",
        "2027-09-14",
    )
    assert (one["before"]["outcome"], one["before"]["level"]) == ("deny", "Confidential")
    assert (one["after"]["outcome"], one["after"]["level"], one["justified"]) == ("allow", "Public", False)
    assert one["rules"] == [
        {
            "rule": "indicator:child-headed-households@site",
            "old": f"{PROTECTION}:9",
            "new": f"{PROTECTION}:9",
        }
    ]


def test_diff_for_github_is_a_command_at_the_line_of_the_rule(cli, policies, new, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    answer = cli("diff", policies, new(*LOOSER), "--as-of", "2026-11-22", "--format", "github")
    assert answer.code == 2
    lines = answer.out.splitlines()
    assert lines
    assert all(each.startswith(f"::error file=new/{PROTECTION},line=") for each in lines)


def test_diff_with_a_waiver_that_justifies_it_passes(cli, new, tmp_path):
    overlaid = whole_files()
    old = write_policies(tmp_path / "old", {name: text for name, text in overlaid.items() if name != WAIVER})
    with_waiver = write_policies(tmp_path / "with", overlaid)
    answer = cli("diff", old, with_waiver, "--as-of", "2026-11-22")
    assert answer.code == 0
    assert "until 2026-11-30" in unwrapped(answer.out)
    assert "waiver xyz/published" in unwrapped(answer.out)
    assert "without a waiver" not in answer.out
    github = cli("diff", old, with_waiver, "--as-of", "2026-11-22", "--format", "github")
    assert github.out.startswith("::warning ")


def test_diff_lists_a_waiver_that_is_prolonged_once_with_what_it_lets_out(cli, new, tmp_path):
    old = write_policies(tmp_path / "old", whole_files())
    longer = new(WAIVER, "valid_until: 2026-11-30", "valid_until: 2026-12-15", whole_files())
    answer = cli("diff", old, longer, "--as-of", "2026-11-22", "--format", "json")
    assert answer.code == 0
    assert answer.json["allowed"]
    assert (answer.json["unjustified"], answer.json["loosened"]) == (0, [])
    # Where it lets nothing out that a table of today shows, it is not listed there.
    unseen = patched(whole_files(), WAIVER, "datasets: [xyz/site-assessment]\n", "")
    wider = write_policies(tmp_path / "wider", unseen)
    answer = cli("diff", old, wider, "--as-of", "2026-11-22", "--format", "json")
    assert (answer.code, answer.json["allowed"]) == (2, [])
    assert [each["rule"] for each in answer.json["loosened"]] == ["waiver:xyz/published"]


def test_diff_finds_an_overlay_that_is_gone_for_a_context_that_no_operation_is_in(cli, tmp_path, monkeypatch):
    here = "{countries: [XYZ], operations: [xyz/earthquake]}"
    overlaid = patched(without(whole_files(), WAIVER), OVERLAY, here, "{contexts: [conflict]}")
    write_policies(tmp_path / "old", overlaid)
    write_policies(tmp_path / "new")
    monkeypatch.chdir(tmp_path)
    asked = ("diff", "old", "new", "--as-of", "2026-11-22")
    table, data, github = (cli(*asked, "--format", form) for form in ("table", "json", "github"))
    assert (table.code, data.code, github.code) == (2, 2, 2)
    text = unwrapped(table.out)
    assert text.startswith("Becomes allowed: nothing Becomes refused or undecided: nothing ")
    assert "May allow more, where or when it applies: 1 change overlay:xyz/tense what The overlay is" in text
    assert "where old xyz/overlays/tense.yaml:" in text
    [one] = data.json["loosened"]
    assert (one["rule"], one["policy"]) == ("overlay:xyz/tense", "old")
    assert (data.json["allowed"], data.json["unjustified"]) == ([], 0)
    assert github.out.startswith("::error file=old/xyz/overlays/tense.yaml,line=")
    assert len(github.out.splitlines()) == 1
    back = cli("diff", "new", "old", "--as-of", "2026-11-22")
    assert (back.code, back.out) == (0, "Nothing changes from 2026-11-22 on, for anybody.\n")


def test_diff_does_not_miss_an_overlay_that_had_ended(cli, policies, tmp_path):
    tense = write_policies(tmp_path / "tense", without(whole_files(), WAIVER))
    assert cli("diff", tense, policies, "--as-of", "2026-12-31").code == 2
    assert cli("diff", tense, policies, "--as-of", "2027-01-01").code == 0


@pytest.mark.parametrize("form", ["table", "json", "github"])
@pytest.mark.parametrize(
    ("before", "after", "field"),
    [
        ("primary@scpa.example.org", "elsewhere@other.example.org", "email"),
        ("'+000 2000001'", "'+000 7654321'", "mobile"),
    ],
)
def test_diff_names_who_is_reached_otherwise_and_never_where(cli, policies, new, form, before, after, field):
    answer = cli("diff", policies, new(SCPA, before, after), "--as-of", "2026-11-22", "--format", form)
    assert answer.code == 2
    text = unwrapped(answer.out)
    assert "focal-point:xyz/scpa-primary" in text
    assert f"({field})" in text
    for private in ("example.org", "2000001", "7654321", "elsewhere"):
        assert private not in answer.out + answer.err


def test_diff_names_who_is_added_to_a_destination(cli, policies, new):
    more = new(
        AGREEMENT,
        "destination: [xyz/scpa-primary]\n",
        "destination: [xyz/scpa-primary, xyz/scpa-secondary]\n",
    )
    answer = cli("diff", policies, more, "--as-of", "2026-11-22", "--format", "json")
    assert answer.code == 2
    [one] = answer.json["loosened"]
    assert (one["rule"], one["policy"]) == ("pathway:xyz/child-protection/low", "new")
    assert one["sentence"] == "It goes to more people: xyz/scpa-secondary."
    assert cli("diff", more, policies, "--as-of", "2026-11-22").code == 0


def test_diff_reads_policies_that_the_ledger_keeps(cli, ledger, path, policies):
    ledger.keep_policy(sample_policy(), MORNING)
    digest = sample_policy().digest
    assert cli("diff", f"ledger:{digest}", policies, "--ledger", path).code == 0
    unknown = cli("diff", policies, "ledger:sha256:00", "--ledger", path)
    assert (unknown.code, unknown.out) == (1, "")
    assert "sha256:00" in unknown.err
    nameless = cli("diff", policies, f"ledger:{digest}")
    assert (nameless.code, nameless.out) == (1, "")
    assert "DTM_SHARING_LEDGER" in nameless.err


@pytest.mark.parametrize("which", [0, 1])
def test_diff_with_a_policy_that_does_not_load_is_3(cli, policies, new, which):
    broken = new(DATASET, "grain: site", "grain: sight")
    pair = [policies, policies]
    pair[which] = broken
    answer = cli("diff", *pair)
    assert (answer.code, answer.out) == (3, "")
    assert "sight" in answer.err


def test_diff_looks_at_a_folder_that_is_not_sealed_yet_and_says_so(cli, policies, new):
    edited = new(*LOOSER)
    (edited / "SHA256SUMS").unlink()
    answer = cli("diff", policies, edited, "--as-of", "2026-11-22")
    assert answer.code == 2
    assert "not sealed" in answer.err
    sealed(edited)
    assert cli("diff", policies, edited, "--as-of", "2026-11-22").err == ""


def test_diff_with_no_folder_is_a_failure(cli, policies, tmp_path):
    answer = cli("diff", policies, tmp_path / "nowhere")
    assert (answer.code, answer.out) == (1, "")


# -------------------------------------------------------------------------------------------- simulate


def test_simulate_with_an_empty_ledger_finds_nothing(cli, ledger, path, policies):
    answer = cli("simulate", policies, "--ledger", path)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith("0 extracts held: 0 would be refused")


def test_simulate_names_what_is_public_already_and_what_to_do(cli, ledger, path, tmp_path):
    decide(ledger, sample_policy(), HARMLESS, PUBLIC, MORNING, round_="7")
    decide(ledger, sample_policy(), AGREED, LOW, MORNING, round_="7")
    new = write_policies(tmp_path / "new", stricter())
    answer = cli("simulate", new, "--ledger", path, "--as-of", "2026-11-22")
    assert answer.code == 2
    text = unwrapped(answer.out)
    assert text.startswith("2 extracts held: 1 would be refused, 0 undecided, 1 allowed.")
    assert "public, xyz/site-assessment, round 7, since 2026-10-10 columns 'District' why" in text
    assert "indicator:district@site (indicators/general.yaml:13)" in text
    assert "to do Take it down, then `dispatch recall" in text
    assert max(map(len, answer.out.splitlines())) <= 80


def test_simulate_as_json_has_entry_key_and_relation(cli, ledger, path):
    files = patched(sample_files(), RELATIONS, "      - [security-actor]", "      - [idp-individuals]")
    decide(ledger, sample_policy(), SAFETY, PUBLIC, MORNING, round_="6")
    decide(ledger, sample_policy(), HARMLESS, PUBLIC, MORNING + timedelta(days=1), round_="7")
    answer = cli(
        "simulate",
        write_policies(path.parent / "n", files),
        "--ledger",
        path,
        "--format",
        "json",
        "--as-of",
        "2026-11-22",
    )
    assert answer.code == 2
    [one] = answer.json["refused"]
    assert (one["organization"], one["round"], one["relations"]) == (
        "public",
        "7",
        ["safety-and-armed-actors"],
    )
    held = [each for each in ledger.disclosures() if each.round == "7"]
    assert (one["entry"], one["key"]) == (held[0].entry, held[0].key)
    assert "round 6" in one["refused"][0]["why"]


def test_simulate_passes_over_what_was_recalled(cli, ledger, path, tmp_path):
    decide(ledger, sample_policy(), HARMLESS, PUBLIC, MORNING)
    new = write_policies(tmp_path / "new", stricter())
    assert cli("simulate", new, "--ledger", path, "--as-of", "2026-11-22").code == 2
    [held] = ledger.disclosures()
    ledger.recall(held.key, COORDINATOR, "Taken down; nobody had fetched it", MORNING + timedelta(hours=1))
    usual = ("simulate", new, "--ledger", path, "--as-of", "2026-11-22")
    answer = cli(*usual)
    assert (answer.code, answer.out[:15]) == (0, "0 extracts held")
    assert answer.out.endswith("\n\n1 more extract was recalled, so not judged.\n")
    assert [cli(*usual, "--format", "json").json[each] for each in ("judged", "recalled")] == [0, 1]
    decide(ledger, sample_policy(), HARMLESS, PUBLIC, MORNING, round_="8")
    [again] = [each for each in ledger.disclosures() if each.key != held.key]
    assert cli(*usual).code == 2
    ledger.recall(again.key, COORDINATOR, "Taken down, too", MORNING + timedelta(hours=2))
    assert "2 more extracts were recalled, so not judged." in cli(*usual).out


def test_simulate_as_of_a_day_sees_what_had_left_by_its_end(cli, ledger, path, policies):
    decide(ledger, sample_policy(), HARMLESS, PUBLIC, MORNING)
    usual = ("simulate", policies, "--ledger", path, "--format", "json", "--as-of")
    assert cli(*usual, "2026-10-09").json["judged"] == 0
    assert cli(*usual, "2026-10-10").json["judged"] == 1


def test_simulate_lists_a_column_that_is_declared_no_more_apart(cli, ledger, path, new):
    decide(ledger, sample_policy(), HARMLESS, PUBLIC, MORNING)
    gone = new(
        DATASET,
        "  - name: Individuals\n    spellings: [Number of individuals]\n    indicator: idp-individuals\n",
        "",
    )
    answer = cli("simulate", gone, "--ledger", path, "--as-of", "2026-11-22")
    assert answer.code == 4
    told = "1 extract held: 0 would be refused, 1 undecided, 0 allowed. So 1 would not leave again."
    assert unwrapped(answer.out).startswith(told)
    assert "Undecided: 1" in answer.out
    assert "'Individuals'" in answer.out


def test_simulate_with_something_refused_and_something_undecided_is_a_refusal(cli, ledger, path, tmp_path):
    decide(ledger, sample_policy(), HARMLESS, PUBLIC, MORNING, round_="7")
    decide(ledger, sample_policy(), ("Site ID", "Individuals"), PUBLIC, MORNING, round_="8")
    gone = "  - name: Individuals\n    spellings: [Number of individuals]\n    indicator: idp-individuals\n"
    stricter_still = patched(stricter(), DATASET, gone, "")
    new = write_policies(tmp_path / "new", stricter_still)
    answer = cli("simulate", new, "--ledger", path, "--as-of", "2026-11-22")
    assert answer.code == 2
    told = "2 extracts held: 1 would be refused, 1 undecided, 0 allowed. So 2 would not leave again."
    assert unwrapped(answer.out).startswith(told)


# ------------------------------------------------------------------------- explain, beside what they hold


def test_explain_does_not_contradict_the_gate(cli, ledger, path, table, tmp_path):
    """Harmless by itself, and refused beside what was published."""
    files = patched(sample_files(), *LOOSER)
    decide(ledger, sample_policy(files), GUARDS, PUBLIC, MORNING, round_="6")
    folder = write_policies(tmp_path / "looser", files)
    of = (table(SAFETY, raw=False), "--dataset", "xyz/site-assessment", "--policies", folder)
    asked = (*of, "--as-of", "2026-11-22", "--format", "json", "--ledger", path)
    column = ("--column", "Feelings of safety")
    assert cli("gate", *asked, "--audience", "public").json["outcome"] == "deny"
    alone = cli("explain", *asked, *column).json
    assert alone["sentence"].startswith("Column 2, 'Feelings of safety', is Public, so by itself it may be")
    assert "What an audience already holds may still keep it back" in alone["sentence"]
    public = cli("explain", *asked, *column, "--audience", "public").json
    assert (public["outcome"], public["column"]["level"]) == ("deny", "Confidential")
    assert "is Confidential, and may not go to public: Together they can suggest" in public["sentence"]
    assert "xyz/site-assessment, round 6, which is public since 2026-10-10" in public["sentence"]


# ---------------------------------------------------------------------------------------------- replay


def test_replay_finds_all_as_recorded(cli, path):
    fill(path, 30)
    answer = cli("replay", "--ledger", path)
    assert (answer.code, answer.out, answer.err) == (0, "30 decisions, all as recorded.\n", "")
    since = cli("replay", "--ledger", path, "--since", "2026-10-06", "--format", "json")
    assert since.code == 0
    assert (since.json["decisions"], since.json["differing"]) == (16, [])


def test_replay_names_an_altered_answer_in_every_form(cli, path):
    fill(path, 6)
    tamper(path, """UPDATE decision SET answer = replace(answer, '"outcome":"deny"', '"outcome":"allow"')""")
    answer = cli("replay", "--ledger", path)
    assert answer.code == 2
    assert "outcome: recorded allow, now deny" in unwrapped(answer.out)
    differing = cli("replay", "--ledger", path, "--format", "json").json["differing"]
    assert {"field": "outcome", "recorded": "allow", "now": "deny"} in differing[0]["differences"]
    assert differing[0]["entry"] in {each.entry for each in Ledger(path).decisions()}
    report = ET.fromstring(cli("replay", "--ledger", path, "--format", "junit").out)
    assert report.get("tests") == "6"
    assert int(report.get("failures")) == len(differing)


@pytest.mark.parametrize("form", ["table", "json", "junit"])
@pytest.mark.parametrize(
    ("attack", "said"),
    [
        ("DELETE FROM decision WHERE rowid = 3", "was removed"),
        ("DELETE FROM decision", "was removed"),
        ("UPDATE decision SET profile = replace(profile, '38', '39')", "profile is not what was recorded"),
        ("UPDATE decision SET as_of = '2026-13-99'", "cannot be read"),
    ],
)
def test_replay_names_a_decision_whose_row_is_gone_or_another(cli, path, form, attack, said):
    fill(path, 6)
    tamper(path, attack)
    answer = cli("replay", "--ledger", path, "--format", form)
    assert (answer.code, answer.err) == (2, "")
    assert said in unwrapped(answer.out)
    assert "xyz/site-assessment" in answer.out
    # The day is the entry's, which nobody changes with the row.
    assert cli("replay", "--ledger", path, "--since", "2026-10-04", "--format", form).code == 4


def test_replay_of_no_decision_is_no_success(cli, ledger, path):
    answer = cli("replay", "--ledger", path)
    assert (answer.code, answer.out) == (4, "The ledger has no decision, so nothing was made again.\n")


@pytest.mark.parametrize("command", ["replay", "simulate"])
@pytest.mark.parametrize(
    "content", [None, b"", b"this is no database", b"SQLite format 3\x00" + b"\x00" * 100], ids=repr
)
def test_a_ledger_that_cannot_be_read_is_a_failure(cli, path, policies, command, content):
    if content is not None:
        path.write_bytes(content)
    asked = (command, policies) if command == "simulate" else (command,)
    answer = cli(*asked, "--ledger", path)
    assert (answer.code, answer.out) == (1, "")
    assert str(path) in answer.err


@pytest.mark.parametrize("command", ["replay", "simulate"])
def test_a_ledger_of_another_format_is_a_failure(cli, ledger, path, policies, command):
    tamper(path, "UPDATE meta SET format = 1")
    asked = (command, policies) if command == "simulate" else (command,)
    answer = cli(*asked, "--ledger", path)
    assert (answer.code, answer.out) == (1, "")
    assert "format" in answer.err


# ------------------------------------------------------------------------------------------------- due


@pytest.mark.parametrize(
    ("day", "said"),
    [
        ("2026-13-01", "is not a day of the calendar, written YYYY-MM-DD."),
        ("2026-02-30", "is not a day of the calendar, written YYYY-MM-DD."),
        ("2026-02-30T10:00Z", "is not a day of the calendar, written YYYY-MM-DD."),
        ("0000-01-01", "is not a day of the calendar, written YYYY-MM-DD."),
        ("2026-11-22T10:00", "so give 2026-11-22, without a clock or a zone."),
        ("2026-11-22Z", "so give 2026-11-22, without a clock or a zone."),
        ("2026-11-22 +05:45", "so give 2026-11-22, without a clock or a zone."),
    ],
)
def test_a_day_that_is_none_is_not_called_more_than_one(cli, policies, day, said):
    answer = cli("due", "--policies", policies, "--as-of", day)
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.endswith(f"{said}\n")


@pytest.mark.parametrize("as_of", ["0001-01-01", "0001-01-02", "9999-12-30", "9999-12-31"])
@pytest.mark.parametrize(
    "command",
    [("due", "--within", "3660", "--policies"), ("validate",), ("diff", "."), ("test",), ("simulate",)],
    ids=lambda each: each[0],
)
def test_the_first_and_the_last_day_of_the_calendar_are_days(
    cli, ledger, path, tmp_path, monkeypatch, command, as_of
):
    endless = patched(whole_files(), AGREEMENT, "valid_until: 2027-09-30", "valid_until: 9999-12-31")
    folder = write_policies(tmp_path / "endless", endless)
    decide(ledger, sample_policy(), HARMLESS, PUBLIC, MORNING)
    monkeypatch.chdir(folder)
    of = ("--ledger", path) if command[0] == "simulate" else ()
    answer = cli(*command, folder, "--as-of", as_of, *of)
    assert "bug" not in answer.err
    assert answer.code in {0, 2, 4}


def test_due_lists_by_date_whom_to_tell_and_where(cli, policies):
    answer = cli("due", "--policies", policies, "--as-of", "2027-09-01")
    assert answer.code == 0
    text = unwrapped(answer.out)
    assert text.startswith("2 due on 2027-09-01, looking 30 days ahead.")
    assert text.index("2027-09-14: assessment") < text.index("2027-09-30: agreement xyz/child-protection")
    assert "who DTM Coordinator" in text
    assert "DTM_SHARING_CREDENTIALS is not set" in text
    assert max(map(len, answer.out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("day", "fail_on", "code"),
    [
        ("2026-11-22", "due", 0),
        ("2027-09-01", "never", 0),
        ("2027-09-01", "lapsed", 0),
        ("2027-09-01", "due", 4),
        ("2027-09-15", "lapsed", 4),
        ("2027-09-15", "never", 0),
    ],
)
def test_due_fails_only_if_it_is_asked_to(cli, policies, day, fail_on, code):
    assert cli("due", "--policies", policies, "--as-of", day, "--fail-on", fail_on).code == code


def test_due_and_validate_name_an_agreement_that_rests_on_a_request_that_was_revoked(cli, tmp_path):
    before = "state: approved\n"
    files = patched(sample_files(), REQUEST, before, "state: revoked\nreason: It was passed on\n")
    folder = write_policies(tmp_path / "revoked", files)
    said = "The data access request is revoked, not approved, so xyz/child-protection sends nothing"
    answer = cli("due", "--policies", folder, "--as-of", "2026-11-22", "--fail-on", "lapsed")
    assert answer.code == 4
    assert "2026-09-30, lapsed: request xyz/child-protection-request" in unwrapped(answer.out)
    assert said in unwrapped(answer.out)
    answer = cli("validate", folder, "--as-of", "2026-11-22", "--format", "json")
    assert answer.code == 0
    [one] = answer.json["findings"]
    assert one["rule"] == "request-lapsed"
    assert f"xyz/child-protection-request: {said}" in one["sentence"]


def test_due_as_json_says_what_has_lapsed(cli, policies):
    answer = cli("due", "--policies", policies, "--as-of", "2027-09-15", "--format", "json")
    [assessment, _] = answer.json["due"]
    assert (assessment["kind"], assessment["on"], assessment["lapsed"]) == ("assessment", "2027-09-14", True)
    assert assessment["who"]
    assert answer.json["passwords_known"] is False


def test_due_knows_the_age_of_passwords_and_none_of_their_words(cli, policies, tmp_path, monkeypatch):
    store = tmp_path / "credentials.db"
    held = Credentials(store, bytes(KEY_BYTES)).password_for(
        "xyz/scpa-primary", "excel-email", datetime(2026, 3, 1, tzinfo=UTC)
    )
    monkeypatch.setenv("DTM_SHARING_CREDENTIALS", str(store))
    usual = ("due", "--policies", policies, "--as-of", "2026-11-22")
    answer = cli(*usual)
    assert "2026-08-28, lapsed: password xyz/scpa-primary excel-email" in unwrapped(answer.out)
    assert isinstance(held.password, Password)
    assert not set(held.password.reveal().split("-")) & set(answer.out.split())
    assert "password" not in cli(*usual, "--rotate-every", "400").out
    store.write_bytes(b"not a database at all" * 100)
    broken = cli(*usual)
    assert (broken.code, broken.out) == (1, "")
    assert str(store) in broken.err


@pytest.mark.parametrize("form", ["table", "json"])
def test_due_says_that_passwords_were_not_looked_at(cli, policies, form):
    answer = cli("due", "--policies", policies, "--as-of", "2026-11-22", "--format", form)
    said = '"passwords_known": false' if form == "json" else "Passwords were not looked at"
    assert (answer.code, said in answer.out) == (0, True)


def test_due_without_the_passwords_that_are_named_is_a_failure(cli, policies, tmp_path, monkeypatch):
    monkeypatch.setenv("DTM_SHARING_CREDENTIALS", str(tmp_path / "nowhere.db"))
    answer = cli("due", "--policies", policies, "--as-of", "2026-11-22")
    assert (answer.code, answer.out) == (1, "")
    assert f"DTM_SHARING_CREDENTIALS names {tmp_path / 'nowhere.db'}" in unwrapped(answer.err)


# ---------------------------------------------------------------------------- as of, with a ledger's policy


@pytest.fixture
def past(ledger, policies):
    """A ledger with the sample from October 10 on, and a looser policy from October 20 on."""
    ledger.keep_policy(sample_policy(), MORNING)
    looser = sample_policy(patched(sample_files(), *LOOSER))
    ledger.keep_policy(looser, MORNING + timedelta(days=10))
    return ledger


@pytest.fixture
def judge_past(cli, past, path, policies, monkeypatch, table):
    """``classify`` with policy and ledger from the settings, as a server has them."""
    monkeypatch.setenv("DTM_SHARING_POLICIES", str(policies))
    monkeypatch.setenv("DTM_SHARING_LEDGER", str(path))
    monkeypatch.setattr("dtm_sharing.cli.options.today", lambda: date(2026, 11, 22))

    def call(*options, command="classify", headers=AGREED):
        usual = ("--dataset", "xyz/site-assessment")
        return cli(command, table(headers, raw=False), *usual, *options)

    return call


def level_of_children(answer):
    return answer.json["columns"][2]["level"]


def test_a_past_day_is_judged_by_the_policy_that_was_in_force(judge_past, past):
    before = judge_past("--as-of", "2026-10-19", "--format", "json")
    after = judge_past("--as-of", "2026-10-20", "--format", "json")
    assert (level_of_children(before), level_of_children(after)) == ("Confidential", "Public")
    assert before.json["policy"] == "policy of 2026-10-19, from the ledger"
    assert before.json["policy_digest"] == sample_policy().digest
    assert "Policy of 2026-10-19, from the ledger" in judge_past("--as-of", "2026-10-19").out


def test_today_and_later_are_judged_by_the_files(judge_past, past):
    for day in ((), ("--as-of", "2026-11-22"), ("--as-of", "2027-01-01")):
        answer = judge_past(*day, "--format", "json")
        assert (level_of_children(answer), answer.json["policy"]) == ("Confidential", None)


def test_files_that_are_named_are_judged_by_on_any_day(judge_past, policies):
    answer = judge_past("--as-of", "2026-10-20", "--policies", policies, "--format", "json")
    assert (level_of_children(answer), answer.json["policy"]) == ("Confidential", None)


@pytest.mark.parametrize("command", ["classify", "due"])
def test_a_day_before_any_policy_is_undecided(judge_past, cli, command):
    answer = (
        judge_past("--as-of", "2026-10-09") if command == "classify" else cli("due", "--as-of", "2026-10-09")
    )
    assert (answer.code, answer.out) == (4, "")
    assert "no policy that was in force on 2026-10-09" in answer.err


def test_without_any_ledger_the_policy_of_a_past_day_is_not_known(judge_past, policies, monkeypatch):
    monkeypatch.delenv("DTM_SHARING_LEDGER")
    answer = judge_past("--as-of", "2026-10-20", "--format", "json")
    assert (answer.code, answer.out) == (4, "")
    assert "the policy of 2026-10-20 is not known" in unwrapped(answer.err)
    assert "name a ledger, or the files with --policies" in unwrapped(answer.err)
    assert judge_past("--as-of", "2026-11-22").code == 0
    assert judge_past("--as-of", "2026-10-20", "--policies", policies).code == 0


def emptied(path):
    path.write_bytes(b"")


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2 + 7])


def cut_to_its_first_page(path):
    path.write_bytes(path.read_bytes()[:4096])


def text(path):
    path.write_text("this is no database\n" * 300)


def directory(path):
    path.unlink()
    path.mkdir()


def of_another_schema(path):
    path.unlink()
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE entry (x)")
        database.commit()


def of_another_format(path):
    tamper(path, "UPDATE meta SET format = 'another'")


UNREADABLE = [
    emptied,
    cut,
    cut_to_its_first_page,
    text,
    directory,
    of_another_schema,
    of_another_format,
    Path.unlink,
]


@pytest.fixture
def closed(ledger, path):
    """One file, without the parts that SQLite keeps beside it."""

    def harm(by):
        ledger.close()
        for beside in path.parent.glob(f"{path.name}-*"):
            beside.unlink()
        by(path)
        return path

    return harm


@pytest.mark.parametrize("harm", UNREADABLE, ids=lambda each: each.__name__)
@pytest.mark.parametrize("named_by", ["option", "setting"])
def test_a_ledger_that_cannot_be_read_knows_no_policy_of_a_past_day(
    judge_past, closed, monkeypatch, harm, named_by
):
    path = closed(harm)
    if named_by == "option":
        monkeypatch.delenv("DTM_SHARING_LEDGER")
    answer = judge_past("--as-of", "2026-10-20", *(("--ledger", path) if named_by == "option" else ()))
    assert (answer.code, answer.out) == (4, "")
    assert str(path) in answer.err
    said = unwrapped(answer.err)
    assert "nobody knows which policy was in force on 2026-10-20: mend or restore the ledger" in said


def test_an_altered_bundle_judges_nothing(judge_past, path):
    tamper(path, "UPDATE policy_file SET content = x'00'")
    answer = judge_past("--as-of", "2026-10-20")
    assert answer.code == 2  # the ledger does not verify
    assert answer.out == ""


@pytest.mark.parametrize(
    ("day", "given"),
    [
        ("2026-11-22T10:00", "2026-11-22"),
        ("2026-11-22 10:00:00", "2026-11-22"),
        ("2026-11-22Z", "2026-11-22"),
        ("2026-11-22T10:00:00+05:45", "2026-11-22"),
    ],
)
def test_a_day_with_a_clock_or_a_zone_is_told_what_to_give(cli, table, policies, day, given):
    answer = cli(
        "classify", table(), "--dataset", "xyz/site-assessment", "--policies", policies, "--as-of", day
    )
    assert (answer.code, answer.out) == (1, "")
    assert f"give {given}, without a clock or a zone" in answer.err


# --------------------------------------------------------------------------------- gate, beside what is held


@pytest.fixture
def gate(cli, table, policies, path, monkeypatch):
    monkeypatch.setattr("dtm_sharing.cli.options.today", lambda: date(2026, 11, 22))

    def call(headers, *options, audience="public"):
        usual = ("--dataset", "xyz/site-assessment", "--policies", policies, "--audience", audience)
        return cli("gate", table(headers, raw=False), *usual, *options, "--format", "json")

    return call


def test_what_they_hold_decides(gate, ledger, path):
    assert gate(SAFETY, "--ledger", path).code == 0
    decide(ledger, sample_policy(patched(sample_files(), *LOOSER)), GUARDS, PUBLIC, MORNING, round_="6")
    answer = gate(SAFETY, "--ledger", path)
    assert (answer.code, answer.json["holdings"]) == (2, 1)
    assert [each["column"] for each in answer.json["refused"]] == ["Feelings of safety"]
    assert "round 6" in answer.json["refused"][0]["why"]


def test_what_they_held_on_a_past_day_decides_as_of_that_day(gate, ledger, path):
    decide(ledger, sample_policy(patched(sample_files(), *LOOSER)), GUARDS, PUBLIC, MORNING, round_="6")
    assert gate(SAFETY, "--ledger", path, "--as-of", "2026-10-09").json["holdings"] == 0
    assert gate(SAFETY, "--ledger", path, "--as-of", "2026-10-10").json["holdings"] == 1


def test_without_a_ledger_what_depends_on_it_is_undecided_and_the_rest_is_not(gate):
    answer = gate(SAFETY)
    assert (answer.code, answer.json["holdings"]) == (4, None)
    assert [each["kind"] for each in answer.json["gaps"]] == ["holdings-unknown"]
    assert gate(HARMLESS).code == 0
    assert gate(SAFETY, "--holds-nothing").code == 0


def test_holding_nothing_and_a_ledger_contradict_each_other(gate, ledger, path):
    answer = gate(SAFETY, "--holds-nothing", "--ledger", path)
    assert (answer.code, answer.out) == (1, "")
    assert "contradict" in answer.err


def test_an_unreadable_ledger_never_allows(gate, path):
    path.write_bytes(b"this is no database")
    answer = gate(HARMLESS, "--ledger", path)
    assert (answer.code, answer.out) == (4, "")


@pytest.mark.parametrize("harm", UNREADABLE, ids=lambda each: each.__name__)
@pytest.mark.parametrize("headers", [HARMLESS, SAFETY], ids=["harmless", "of a relation"])
@pytest.mark.parametrize("day", ["2026-10-20", "2026-11-22"])
def test_a_ledger_that_is_named_and_cannot_be_read_decides_nothing(
    gate, ledger, closed, monkeypatch, harm, headers, day
):
    decide(ledger, sample_policy(patched(sample_files(), *LOOSER)), GUARDS, PUBLIC, MORNING, round_="6")
    path = closed(harm)
    by_option = gate(headers, "--ledger", path, "--as-of", day)
    monkeypatch.setenv("DTM_SHARING_LEDGER", str(path))
    for answer in (by_option, gate(headers, "--as-of", day)):
        assert (answer.code, answer.out) == (4, "")
        assert str(path) in answer.err
        assert "so nobody knows what this audience holds: mend or restore" in unwrapped(answer.err)


def test_a_ledger_of_another_kind_of_database_decides_nothing(gate, monkeypatch):
    monkeypatch.setenv("DTM_SHARING_LEDGER", "postgresql://example.org/ledger")
    answer = gate(HARMLESS)
    assert (answer.code, answer.out) == (4, "")
    assert "nobody knows what this audience holds" in unwrapped(answer.err)
