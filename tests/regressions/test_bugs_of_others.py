"""Bugs that other systems had, each as a test that ours has not.

The numbers are issues of the projects named, as they stood in 2026. Where it can be done the real path runs:
real stores, a real mail server, the program itself. What must never be written at all is looked for in the
source, and each of those checks is first shown a text that it has to find.
"""

from __future__ import annotations

import ast
import logging
import secrets
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from random import Random

import pandas as pd
import pytest

from dtm_sharing import classify, detect, gate, package, pipeline, policy
from dtm_sharing.cli.edge import run
from dtm_sharing.errors import (
    GateDenied,
    PackageUnsafe,
    PolicyInvalid,
    SharingError,
    StoreFailed,
    Undecided,
)
from dtm_sharing.model import (
    PUBLIC,
    Approved,
    Audience,
    Decision,
    DispatchState,
    Grain,
    GrainEvidence,
    Level,
    Method,
    Outcome,
    Policy,
    Stage,
    TableProfile,
    Urgency,
)
from dtm_sharing.stores.database import Ledger
from support import random_policies
from support.calls import Call, calls, calls_in
from support.policies import (
    AGREEMENT,
    ASSESSMENT,
    DATASET,
    GENERAL,
    OPERATION,
    REQUEST,
    SCPA,
    patched,
    sample_files,
    sample_policy,
    whole_files,
    write_policies,
)
from support.rules import dataset
from support.spaces import CANARY, NOW, Clock, Space, admitted, raw_round, space

ROOT = Path(__file__).parents[2]
PLUGINS = ROOT / "plugins"
LOW = Audience("xyz/child-protection", Urgency.LOW)
SITES = "xyz/site-assessment"


# --------------------------------------------------------------- 1. an end that is stored, not evaluated

ENDS = {
    "the agreement": (AGREEMENT, "valid_until: 2027-09-30"),
    "the request": (REQUEST, "valid_until: 2027-09-30"),
    "the assessment": (ASSESSMENT, "review_by: 2027-09-14"),
    "the operation": (OPERATION, "valid_until: 2027-12-31"),
    "every focal point's time in office": (SCPA, "in_office_from: 2026-01-01}"),
}


@pytest.mark.parametrize("what", ENDS)
def test_1_what_ended_yesterday_sends_nothing_today(what: str, tmp_path: Path) -> None:
    """Validity was modelled and not enforced: apache/ranger#945, #946; eclipse-tractusx/tractusx-edc#2259."""
    file, line = ENDS[what]
    last_day = NOW.date().isoformat()
    files = sample_files()
    if file == SCPA:
        files = patched(files, SCPA, "in_office_until: 2027-12-31", f"in_office_until: {last_day}")
        files = patched(files, SCPA, line, f"in_office_from: 2026-01-01, in_office_until: {last_day}}}")
    else:
        files = patched(files, file, line, f"{line.partition(':')[0]}: {last_day}")
    with space(tmp_path) as here:
        here.clock.on(1)
        stores = here.stores(files)
        ref = admitted(stores)
        with pytest.raises(Undecided):
            pipeline.share(ref, LOW, stores)
        assert here.messages() == []
        here.clock.on(-1)  # the last day itself is still good, so it is the end that stopped it
        (sending,) = pipeline.share(ref, LOW, stores)
        assert sending.state is DispatchState.SENT


# ------------------------------------------------------------------------- 2. tests that rot with the date

CLOCKS = frozenset(
    {
        *("date.today", "datetime.now", "datetime.utcnow", "datetime.today", "time.time", "time.time_ns"),
        *("time.localtime", "time.gmtime", "datetime.date.today", "datetime.datetime.now", "today", "now"),
        *("pd.Timestamp.now", "pd.Timestamp.today", "Timestamp.now", "time.strftime"),
    }
)
# Who reads the clock: the edges that hand it on, and a ledger that was opened without one.
READS_THE_CLOCK = {
    "dtm_sharing/cli/": "what a person asks for today",
    "dtm_sharing/demo/": "the demonstration's dates",
    "dtm_sharing/orchestration/wiring.py": "hands the clock to the stores",
    "dtm_sharing/stores/ledger_book.py": "the default of an argument",
    "dtm_sharing/stores/database.py": "the default of an argument",
}


def clock_readings(found: Iterable[Call]) -> list[str]:
    return [
        f"{each.place} calls {each.name}()"
        for each in found
        if each.name in CLOCKS and not each.file.startswith(tuple(READS_THE_CLOCK))
    ]


def test_2_no_step_reads_the_clock() -> None:
    """Real dates in fixtures turned the tests red a year later: apache/ranger#1018, #1021."""
    assert clock_readings(calls_in("def judge():\n    return date.today()")) == [
        "<text>:judge calls date.today()"
    ]
    assert clock_readings(calls(PLUGINS)) == []


def test_2_the_same_question_has_the_same_answer_in_any_year() -> None:
    for seed in range(50):
        case = random_policies.case(Random(seed))
        answers = [decide(case.policy, case.table, case.day) for _ in range(2)]
        assert answers[0] == answers[1]


def decide(made: Policy, table: TableProfile, day: date) -> Decision:
    return gate.decide(made, classify.classify(made, table, day), PUBLIC, ())


# ------------------------------------------------------------------------ 3. tagged once, never judged again


def test_3_a_stricter_policy_counts_for_tables_that_were_tagged_before(tmp_path: Path) -> None:
    """A column that had a tag was never evaluated again: open-metadata/OpenMetadata#32129."""
    here = Space(tmp_path)
    ref = admitted(here.stores())
    title = "title: Displaced individuals\n"
    stricter = patched(
        sample_files(), GENERAL, title, title + "    levels: {site: Confidential}\n    basis: Reviewed.\n"
    )
    publication = pipeline.publish(ref, here.stores(stricter), releasable=True)
    assert "Individuals" not in publication.columns
    assert "Site type" in publication.columns


def test_3_a_column_that_is_no_longer_declared_stops_a_table_that_was_tagged_before(tmp_path: Path) -> None:
    here = Space(tmp_path)
    ref = admitted(here.stores())
    block = "  - name: Individuals\n    spellings: [Number of individuals]\n    indicator: idp-individuals\n"
    with pytest.raises(Undecided, match="Individuals"):
        pipeline.publish(ref, here.stores(patched(sample_files(), DATASET, block, "")), releasable=True)
    assert here.published() == []


# ------------------------------------------------------------------------------- 4. green, and nothing done


@pytest.mark.parametrize("frame", ["no columns", "no rows"])
def test_4_nothing_evaluated_is_no_success(frame: str, tmp_path: Path) -> None:
    """Classification was skipped and the run was green: open-metadata/OpenMetadata#32606."""
    here = Space(tmp_path)
    stores = here.stores()
    table = raw_round().head(0) if frame == "no rows" else pd.DataFrame(index=range(3))

    def whole_path() -> None:
        ref, _ = pipeline.admit(table, SITES, Stage.COLLECTED, "7", stores)
        pipeline.publish(ref, stores, releasable=True)

    with pytest.raises(SharingError) as refusal:
        whole_path()
    assert refusal.value.exit_code != 0
    assert here.published() == []


@pytest.mark.parametrize("audience", [PUBLIC, LOW], ids=str)
def test_4_zero_columns_are_undecided_for_everyone(audience: Audience) -> None:
    made = sample_policy()
    table = classify.classify(made, TableProfile(SITES, (), 5), NOW.date())
    decision = gate.decide(made, table, audience, ())
    assert decision.outcome is Outcome.UNDECIDED
    assert "no-columns" in {each.kind for each in decision.gaps}


# -------------------------------------------------------------------------- 5. a name that is in another name

LIKE_A_DECLARED_NAME = [
    "site_name",
    "Site ID number",
    "Site IDs",
    "My Site ID",
    "SiteID",
    "District capital",
    "Subdistrict",
    "Not Individuals",
    "Individuals (f)",
    "username",
    "Security",
    "Feelings",
    "e",
]


def test_5_a_header_is_a_declared_one_or_unknown_and_nothing_matches_in_part() -> None:
    """Tags by substring: open-metadata/OpenMetadata#30868, #29049 ("name" in "site_name")."""
    declared = sample_policy().datasets[SITES]
    sound = [each.name for each in declared.columns]
    for header in LIKE_A_DECLARED_NAME:
        found = classify.identify([*sound, header], declared)[-1]
        assert (found.name, found.question) == (header, None), header
        table = TableProfile(SITES, classify.identify([*sound, header], declared), 3)
        last = classify.classify(sample_policy(), table, NOW.date()).columns[-1]
        assert (last.indicator, last.level) == (None, None), header


# A word of a person, of a household or of a code stands in each of them, and none is about one.
LIKE_A_WORD_OF_OURS = [
    *("personal_idea", "personality id", "householder", "site_name", "platform", "information no"),
    *("identity", "paid", "number_of_persons", "beneficiary_idp", "valid", "hhh no", "memberships", "notes"),
]


def shown(header: str, cell: Callable[[int], str]) -> set[GrainEvidence]:
    """What a column adds to what a table of 48 rows in 12 sites shows without it."""
    sites = {"site": [f"Camp {row // 4}" for row in range(48)]}
    column = {header: [cell(row) for row in range(48)]}
    declared, places = dataset([], id="mwi/x", key=("site",)), {"site": Grain.SITE}
    bare, full = (
        set(detect.grain_evidence(pd.DataFrame(each, dtype="str"), declared, places))
        for each in (sites, {**sites, **column})
    )
    return full - bare


def test_5_detection_goes_by_whole_words_and_whole_cells() -> None:
    def numbers(row: int) -> str:
        return str(row + 1)

    assert [each.grain for each in shown("person_id", numbers)] == [Grain.INDIVIDUAL]
    assert [header for header in LIKE_A_WORD_OF_OURS if shown(header, numbers)] == []
    assert {each.grain for each in shown("x", lambda row: f"MW101{row + 1:02}")} == {Grain.ADMIN3}
    assert shown("x", lambda row: f"near MW101{row + 1:02}, by the road") == set()


# --------------------------------------------------------------------------------------- 6. lowered by hand


def test_6_only_a_waiver_lowers_and_every_decision_shows_it() -> None:
    """A tag set by hand lowered what was inherited (Snowflake, Lake Formation): here a waiver, or nothing."""
    lowered = 0
    for seed in range(1500):
        case = random_policies.case(Random(seed))
        bare = replace(case, policy=replace(case.policy, waivers={}))
        with_, without = (classify.classify(each.policy, each.table, each.day) for each in (case, bare))
        for one, other in zip(with_.columns, without.columns, strict=True):
            assert not any(each.waiver for each in other.reasons)
            base = at_least(case.policy, one.indicator, with_.grain.value)
            assert other.level is None or base is None or other.level >= base
            if one.level != other.level:
                named = {each.waiver for each in one.reasons if each.waiver}
                assert named, "a level fell and nothing says why"
                decision = gate.decide(case.policy, with_, PUBLIC, ())
                assert named <= set(decision.waivers)
                assert {f"waiver:{each}" for each in named} <= {rule for rule, _ in decision.rules}
                lowered += 1
    assert lowered >= 10


def at_least(made: Policy, indicator: str | None, grain: str) -> Level | None:
    levels = made.indicators[indicator].levels if indicator else {}
    return next((level for each, level in levels.items() if each.value == grain), None)


# ----------------------------------------------------------------------------- 7. visible before it is judged


class Watch(Clock):
    """A clock that, whenever anybody asks for the time, looks whether something is public too early."""

    def __init__(self, here: Space) -> None:
        super().__init__()
        self.here, self.looked = here, 0

    def __call__(self) -> datetime:
        self.looked += 1
        if self.here.published():
            assert "release.approved" in self.here.events()
            assert "release.announced" in self.here.events()
        return super().__call__()


def test_7_nothing_is_visible_before_the_decision_is_in_the_ledger(tmp_path: Path) -> None:
    """A table stood unmasked between its creation and its masking: dbt-labs/dbt-adapters#85."""
    here = Space(tmp_path)
    stores = here.stores()
    watch = Watch(here)
    watched = replace(stores, now=watch, publisher=replace(stores.publisher, store=Judged(here, stores)))
    pipeline.publish(admitted(stores), watched, releasable=True)
    assert watch.looked
    assert len(here.published()) == 1


class Judged:
    """The public store, looking back at what the ledger already knew at the moment of each write."""

    def __init__(self, here: Space, stores: pipeline.Stores) -> None:
        self.here, self.store = here, stores.publisher.store

    def put(self, key: str, content: bytes) -> None:
        assert self.here.published() == []
        events = self.here.events()
        assert events.index("release.approved") < events.index("release.announced")
        self.store.put(key, content)

    def __getattr__(self, name: str) -> object:
        return getattr(self.store, name)


@pytest.mark.parametrize("why", ["denied", "undecided", "the artefact fails its check", "the ledger fails"])
def test_7_whatever_stops_a_publication_stops_it_before_anything_is_visible(
    why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Space(tmp_path)
    stores = here.stores()
    frame = raw_round()
    if why == "undecided":
        frame["Shoe size"] = "41"
    if why == "the artefact fails its check":
        frame["Site ID"] = "the same"
    ref, _ = pipeline.admit(frame, SITES, Stage.COLLECTED, "7", stores)
    if why == "the ledger fails":

        def fails(*_: object, **__: object) -> None:
            raise StoreFailed("the ledger did not take it")

        monkeypatch.setattr(Ledger, "announce", fails)
    with pytest.raises((GateDenied, Undecided, PackageUnsafe, StoreFailed)):
        pipeline.publish(ref, stores, releasable=why != "denied")
    assert here.published() == []


# ---------------------------------------------------------------------------------- 8. the inventory of exits

WRITING = frozenset(
    {
        *("write_bytes", "write_text", "to_csv", "to_excel", "to_parquet", "to_json", "to_pickle", "to_sql"),
        *("write_table", "put_object", "upload_file", "upload_fileobj", "copy_object", "urlopen", "Popen"),
        *("create_multipart_upload", "generate_presigned_url", "sendmail", "send_message", "send", "sendall"),
        *("sendto", "connect", "create_connection", "post", "put", "create", "publish", "hardlink_to"),
        *("symlink_to", "rename", "copyfile", "copytree", "copy2", "move", "xcom_push", "writestr", "save"),
        *("create_engine", "check_call", "check_output", "urlretrieve", "mkfifo"),
    }
)
WRITING_BY_NAME = frozenset(
    {"os.replace", "os.rename", "os.link", "os.open", "os.write", "os.system", "subprocess.run"}
)
# Every function of ours that writes anywhere: what it calls, and why it may. A function, or a call in one,
# that is not here is an exit that nobody has thought about. Which decision stands before it? Then write it
# down.
EXITS = {
    # Seen by others. Nothing else is.
    "pipeline.py:publish": ("publish publisher.put", "after gate.approve and the ledger's announcement"),
    "pipeline.py:_send": ("send", "after gate.approve, and the ledger's intent and claim"),
    "stores/publisher.py:Publisher.put": ("put", "only what carries the gate's clearance"),
    "stores/smtp.py:Smtp._open": ("connect", "the line to the mail server, verified TLS"),
    "stores/smtp.py:Smtp._submit": ("send", "the one message of a dispatch"),
    "orchestration/publishing.py:PublishTable.execute": ("publish", "calls pipeline.publish"),
    # Kept inside: restricted store, ledger, credentials, what is known of pathways.
    "pipeline.py:_prepare": ("put", "the encrypted artefact, into the restricted store"),
    "stores/rounds.py:put_table": ("put write_table", "a round's table, into the restricted store"),
    "stores/bucket.py:BucketStore.put": ("upload_fileobj", "an object store: its caller chose which"),
    "stores/bucket.py:BucketStore.create": ("put_object", "an object store: its caller chose which"),
    "stores/folder.py:FolderStore.put": ("replace", "an object store: its caller chose which"),
    "stores/folder.py:FolderStore.create": ("hardlink_to", "an object store: its caller chose which"),
    "stores/credentials.py:Credentials._create": ("os.open", "the file of passwords, sealed"),
    "stores/credentials.py:live": ("connect", "reads the file of passwords; opens none of them"),
    "stores/credentials.py:Credentials._transaction": ("connect", "the file of passwords, sealed"),
    "stores/ledger_tables.py:LedgerFile.__init__": ("create_engine", "the ledger"),
    "stores/ledger_tables.py:LedgerFile._connect": ("connect", "the ledger"),
    "stores/ledger_tables.py:make_file": ("os.link os.open", "the ledger"),
    "stores/ledger_tables.py:_opened": ("connect", "the ledger"),
    "stores/policies.py:_replace": ("replace", "the list of checksums of a policy folder"),
    "stores/pathways.py:read_index": ("replace write_text", "which pathways exist: no table"),
    # In memory, or no content at all.
    "package/document.py:seal": ("writestr", "a zip in memory"),
    "package/workbook.py:write": ("put", "a sheet in memory"),
    "stores/frames.py:digest": ("write_table", "into a hash"),
    "stores/folder.py:_sync_folder": ("os.open", "opens a folder to sync it"),
    "stores/ledger_tables.py:_sync_folder": ("os.open", "opens a folder to sync it"),
    "cli/terminal.py:abandon_output": ("os.open", "/dev/null in place of a closed pipe"),
    # What the commands for authors write: policy files, schemas, receipts. None of them reads a table.
    "cli/terminal.py:replace_file": ("replace write_text", "files of the person's own machine"),
}
# The demonstration starts servers of its own on this machine; nothing of it runs in production.
NOT_OURS = ("demo/",)


def exits(found: Iterable[Call]) -> dict[str, str]:
    """``file:function`` -> the calls in it that can write."""
    places: dict[str, set[str]] = {}
    for each in found:
        if each.file.startswith(NOT_OURS):
            continue
        # str.replace takes two arguments, dataclasses.replace is no method, and Path.replace takes one
        moves = each.method == "replace" and each.name != "replace" and len(each.node.args) == 1
        if each.method in WRITING or moves or _opens_for_writing(each):
            places.setdefault(each.place, set()).add(
                "publisher.put" if each.name.endswith("publisher.put") else each.method
            )
        if each.name in WRITING_BY_NAME:
            places.setdefault(each.place, set()).discard(each.method)
            places[each.place].add(each.name)
    return {place: " ".join(sorted(names)) for place, names in places.items()}


def _opens_for_writing(call: Call) -> bool:
    modes = (*call.node.args, call.given("mode"))
    return call.method == "open" and any(
        isinstance(mode, ast.Constant)
        and isinstance(mode.value, str)
        and len(mode.value) <= 3
        and not set("wax+").isdisjoint(mode.value)
        for mode in modes
    )


@pytest.mark.parametrize(
    "line",
    [
        "Path('/tmp/x').write_text(cell)",
        "frame.to_csv('/tmp/x')",
        "open(name, 'wb')",
        "path.open(mode='a')",
        "requests.post(url, data=cell)",
        "smtplib.SMTP(host).send_message(message)",
        "new.replace(path)",
        "os.replace(new, path)",
        "socket.create_connection(address).sendall(cell)",
    ],
)
def test_8_the_inventory_finds_an_exit(line: str) -> None:
    assert exits(calls_in(f"def leak():\n    {line}"))


def test_8_every_exit_is_known_and_no_other_is_there() -> None:
    """Documents claimed more coverage than the code had: granit-fx/granit-dotnet#2884."""
    found = exits(calls(PLUGINS / "dtm_sharing"))
    assert found == {place: names for place, (names, _) in EXITS.items()}


@pytest.mark.parametrize(
    ("function", "approves", "leaves"),
    [("publish", "_approve", "stores.publisher.put"), ("share", "_approve", "_send")],
)
def test_8_what_leaves_is_approved_first(function: str, approves: str, leaves: str) -> None:
    lines = {
        each.name: each.node.lineno
        for each in calls(PLUGINS / "dtm_sharing")
        if f"{each.place}.".startswith(f"pipeline.py:{function}.")
    }
    assert lines[approves] < lines[leaves]


# -------------------------------------------------------------------------------------- 9. values in reports


def test_9_no_report_log_or_entry_holds_a_cell(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Rejected values landed in results: great-expectations/great_expectations#8780."""
    caplog.set_level(logging.DEBUG)
    said: list[str] = []
    with space(tmp_path) as here:
        stores = here.stores()
        frame = raw_round().map(lambda cell: f"{CANARY} {cell}")
        for round_, table in (("1", frame), ("2", frame.assign(**{"Site ID": CANARY})), ("3", frame.head(0))):
            ref, _ = pipeline.admit(table, SITES, Stage.COLLECTED, round_, stores)
            ref, _ = pipeline.admit(
                table.drop(columns="Site manager phone"), SITES, Stage.CLEANED, round_, stores
            )
            for go in (
                lambda ref=ref: pipeline.publish(ref, stores),
                lambda ref=ref: pipeline.publish(ref, stores, releasable=True),
                lambda ref=ref: pipeline.share(ref, LOW, stores),
            ):
                try:
                    said.append(repr(go()))
                except SharingError as refusal:
                    said += [str(refusal), repr(refusal.__cause__), repr(refusal.__context__)]
        assert here.messages(), "a run in which nothing is sent proves little"
        assert here.published()
        assert any("expect_" in each for each in said), "the second opinion had nothing to report"
        said += [path.read_text() for path in here.messages()]
    said += [each.decode("utf-8", "replace") for each in databases(tmp_path)]
    printed = capfd.readouterr()
    for text in (*said, caplog.text, printed.out, printed.err):
        assert CANARY not in text


def databases(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in folder.glob("*.db*")]


# -------------------------------------------------------------------------------- 10. encryption as an option


def approved_for_a_partner() -> tuple[Approved, pd.DataFrame]:
    made = sample_policy()
    headers = ["Site ID", "District", "Child-headed households"]
    frame = pd.DataFrame([[f"s{row}", "d", str(row)] for row in range(3)], columns=headers, dtype="str")
    profile = TableProfile(
        SITES, classify.identify(headers, made.datasets[SITES]), len(frame), Stage.CLEANED, "7"
    )
    decision = gate.decide(made, classify.classify(made, profile, NOW.date()), LOW, ())
    return gate.approve(decision), frame


@pytest.mark.parametrize("method", [None, *Method])
def test_10_there_is_no_unencrypted_artefact_for_a_partner_by_any_method(method: Method | None) -> None:
    """Without a format Primero exported in plain text: here every combination without a password fails."""
    approved, frame = approved_for_a_partner()
    with pytest.raises(PackageUnsafe):
        package.build(approved, frame, method, None)


@pytest.mark.parametrize("method", [Method.EXCEL_EMAIL, Method.DOCUMENT_EMAIL])
def test_10_what_is_built_does_not_show_its_cells(method: Method) -> None:
    approved, frame = approved_for_a_partner()
    frame["District"] = CANARY
    password = package.generate_password(7, secrets.choice)
    built = package.build(approved, frame, method, password)
    assert built.encrypted
    assert CANARY.encode() not in built.content
    with pytest.raises(PackageUnsafe):
        package.reopen(built, package.generate_password(7, secrets.choice))


@pytest.mark.parametrize(
    "method", ["email", "plain", "csv", "none", "", "null", "excel", "zip", "false", "[]"]
)
def test_10_no_agreement_can_name_a_method_that_does_not_encrypt(method: str) -> None:
    with pytest.raises(PolicyInvalid) as refused:
        policy.parse(patched(sample_files(), AGREEMENT, "method: excel-email", f"method: {method}"))
    assert "method" in str(refused.value)


def test_10_no_agreement_can_leave_the_method_out() -> None:
    with pytest.raises(PolicyInvalid, match="'method' is missing"):
        policy.parse(patched(sample_files(), AGREEMENT, "    method: excel-email\n", ""))


# ------------------------------------------------------------------------------------- 11. audits that forget


def test_11_what_was_sent_is_known_thirty_years_later(tmp_path: Path) -> None:
    """FileSender keeps its audit for 31 days; an agreement lasts for years."""
    with space(tmp_path) as here:
        stores = here.stores()
        pipeline.share(admitted(stores), LOW, stores)
    here.clock.on(30 * 365)
    later = here.stores().ledger
    (disclosure,) = later.disclosures("scpa")
    assert disclosure.sent_at == NOW
    assert disclosure.columns == ("Site ID", "District", "Child-headed households")
    assert here.verified()


def test_11_nobody_deletes_from_the_ledger(tmp_path: Path) -> None:
    assert deletions("execute('DELETE FROM ledger_entry WHERE seq < 3')")
    assert deletions("table.delete()")
    found = {
        path.name: deletions(path.read_text("utf-8"))
        for path in sorted((PLUGINS / "dtm_sharing/stores").glob("*.py"))
        if path.name.startswith(("ledger_", "database", "outbox"))
    }
    assert {name: each for name, each in found.items() if each} == {
        # The table behind `audit` is drawn from the entries, and a line is drawn anew when its state changes.
        "outbox.py": ["tables.disclosure.delete"],
    }
    here = Space(tmp_path)
    admitted(here.stores())
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")]
        for table in ("ledger_entry", "ledger_node", "ledger_head"):
            assert table in tables
            with pytest.raises(sqlite3.DatabaseError):
                connection.execute(f"DELETE FROM {table}")


def deletions(source: str) -> list[str]:
    """What in a text of Python would remove rows or tables. The triggers that forbid it name the word too."""
    found = [
        node.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and any(each in node.value.upper() for each in ("DELETE FROM", "DROP TABLE", "TRUNCATE "))
    ]
    return found + [each.name for each in calls_in(source) if each.method in ("delete", "drop", "drop_all")]


# ------------------------------------------------------------------- 12. the last file wins  13. ignored keys


def refused(files: dict[str, bytes]) -> str:
    with pytest.raises(PolicyInvalid) as found:
        policy.parse(files)
    assert found.value.exit_code == 3
    return str(found.value)


@pytest.mark.parametrize("file", sorted(whole_files()))
def test_12_the_same_id_in_two_files_is_an_error_that_names_both(file: str) -> None:
    """The file that was loaded last won (Fides): here neither does."""
    folder, _, name = file.rpartition("/")
    copy = f"{folder}/zz-{name}" if folder else f"zz-{name}"
    said = refused({**whole_files(), copy: whole_files()[file]})
    assert f"{copy}:" in said
    assert file in said.replace(copy, "")


@pytest.mark.parametrize("file", sorted(whole_files()))
def test_13_a_key_that_nobody_knows_is_an_error_where_it_stands(file: str) -> None:
    """An operand that nobody had bound was dropped without a word (Eclipse EDC)."""
    text = whole_files()[file].decode()
    said = refused({**whole_files(), file: f"{text}unheard_of: true\n".encode()})
    assert f"{file}:{text.count(chr(10)) + 1}:1" in said
    assert ("this" if "/focal_points/" in file else "'unheard_of'") + " is not a key of" in said


def test_12_and_13_end_the_program_with_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    twice = {**whole_files(), "zz-relations.yaml": whole_files()["relations.yaml"]}
    unknown = patched(whole_files(), OPERATION, "context: disaster", "context: disaster\nurgent: yes")
    for name, files, word in (("12", twice, "used twice"), ("13", unknown, "'urgent' is not a key")):
        folder = write_policies(tmp_path / name, files)
        assert run(["validate", str(folder)]) == 3
        assert word in "".join(capsys.readouterr())
    assert run(["validate", str(write_policies(tmp_path / "sound"))]) == 0


# --------------------------------------------------------------------- 14. conflicts that depend on the order


def test_14_files_that_are_read_in_another_order_decide_the_same() -> None:
    """Which policy won depended on the order of loading: getstrm/pace#33."""
    first = policy.parse(sample_files())
    rng = Random(14)
    for _ in range(20):
        names = sorted(sample_files())
        rng.shuffle(names)
        again = policy.parse({name: sample_files()[name] for name in names})
        assert again == first
    # Under other names the files are read in another order; only where the rules stand differs.
    for _ in range(5):
        names = sorted(sample_files())
        numbers = rng.sample(range(len(names)), len(names))
        renamed = policy.parse(
            {
                f"{number:02}-{name.replace('/', '-')}": sample_files()[name]
                for number, name in zip(numbers, names, strict=True)
            }
        )
        for audience in (PUBLIC, LOW):
            for rows in (0, 5):
                assert judged(renamed, audience, rows) == judged(first, audience, rows)


def judged(made: Policy, audience: Audience, rows: int) -> object:
    declared = made.datasets[SITES]
    table = TableProfile(
        SITES, classify.identify([each.name for each in declared.columns], declared), rows, Stage.CLEANED
    )
    decision = gate.decide(made, classify.classify(made, table, NOW.date()), audience, ())
    return (
        decision.outcome,
        decision.level,
        [(each.header.key, each.level) for each in decision.classification.columns],
        [each.header.key for each in decision.refused],
        sorted(each.kind for each in decision.gaps),
        sorted(rule for rule, _ in decision.rules),
        decision.expires,
    )


# -------------------------------------------------------------------------------------- 15. silence is no yes


def answers_by_itself(found: Iterable[Call]) -> list[str]:
    """Operators that ask a person, and have an answer of their own for when nobody gives one."""
    asks = ("HITL", "Approval", "HumanInTheLoop")
    return [
        f"{each.place}, line {each.node.lineno}"
        for each in found
        if each.method.startswith(asks)
        and (each.given("defaults") is not None or any(keyword.arg is None for keyword in each.node.keywords))
    ]


@pytest.mark.parametrize(
    "line",
    [
        "ApprovalOperator(task_id='ok', subject='?', defaults='Approve')",
        "HITLOperator(task_id='ok', options=['yes', 'no'], defaults=['yes'])",
        "hitl.HITLEntryOperator(task_id='ok', defaults=None)",
        "HITLBranchOperator(**options)",
    ],
)
def test_15_the_lint_finds_an_approval_that_answers_itself(line: str) -> None:
    assert answers_by_itself(calls_in(line)) == ["<text>:, line 1"]


def test_15_no_approval_is_given_by_a_timeout() -> None:
    """``defaults`` of Airflow's human-in-the-loop operators are what is chosen when time runs out."""
    assert answers_by_itself(calls(ROOT / "dags", PLUGINS)) == []
    assert answers_by_itself(calls_in("ApprovalOperator(task_id='ok', subject='?')")) == []
