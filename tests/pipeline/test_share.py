"""The straight path to a focal point, over real stores and a real mail server."""

from __future__ import annotations

import email
import email.policy
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from dtm_sharing import ledger, pipeline, timeline
from dtm_sharing.errors import DispatchOpen, GateDenied, PackageUnsafe, StoreFailed, Undecided
from dtm_sharing.model import Audience, DispatchState, Package, Stage, Urgency
from dtm_sharing.package import reopen
from dtm_sharing.stores.credentials import Credentials
from dtm_sharing.stores.rounds import get_table
from dtm_sharing.stores.smtp import Smtp
from support import mail
from support.policies import AGREEMENT, ASSESSMENT, REQUEST, SCPA, patched, sample_files
from support.spaces import CANARY, DATASET, KEYS, Space, admitted, raw_round, space

LOW = Audience("xyz/child-protection", Urgency.LOW)
MEDIUM = Audience("xyz/child-protection", Urgency.MEDIUM)


def attachments(path: Path) -> dict[str, bytes]:
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    return {str(part.get_filename()): _bytes(part) for part in message.iter_attachments()}


def _bytes(part: email.message.Message) -> bytes:
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    return content


def opened(each: Space, content: bytes, filename: str, channel: str) -> list[list[str]]:
    held = Credentials(each.folder / "credentials.db", KEYS.credentials).password_for(
        "xyz/scpa-primary", channel, each.clock()
    )
    artefact = Package(filename, "", content, "", encrypted=True, rows=0, columns=())
    table = reopen(artefact, held.password)
    return [list(table.columns), *table.values.tolist()]


def test_the_focal_point_gets_exactly_the_agreed_indicators_encrypted_and_a_receipt(tmp_path):
    with space(tmp_path) as here:
        stores = here.stores()
        (sending,) = pipeline.share(admitted(stores), LOW, stores)
        assert sending.state is DispatchState.SENT
        (message,) = here.messages()
        assert b"primary@scpa.example.org" in message.read_bytes()
        parts = attachments(message)
        assert set(parts) == {"data.xlsx", "entry.json", "entry.tlog-proof"}
        table = opened(here, parts["data.xlsx"], "data.xlsx", "excel-email")
        assert table[0] == ["Site ID", "District", "Child-headed households"]
        assert table[1] == ["open-0-0", "open-0-1", f"{CANARY}-0-6"]
        assert len(table) == 6
        proof = parts["entry.tlog-proof"].decode()
        ledger.verify_receipt(proof, parts["entry.json"], KEYS.checkpoint_verifier)
        (disclosure,) = stores.ledger.disclosures("scpa")
        assert (disclosure.columns, disclosure.rows) == (tuple(table[0]), 5)
        assert here.verified()


@pytest.mark.parametrize("keyed", [True, False], ids=["with the key", "without it"])
def test_the_place_of_a_row_does_not_tell_of_which_site_it_is(keyed, tmp_path):
    """Else row n of one extract is row n of another of the same round, and no key is needed to join them."""
    files = sample_files()
    if not keyed:
        files = patched(files, AGREEMENT, "[site-id, district, child-", "[district, child-")
    last_first = raw_round().iloc[::-1].reset_index(drop=True)
    with space(tmp_path) as here:
        stores = here.stores(files)
        ref, _ = pipeline.admit(last_first, DATASET, Stage.COLLECTED, "7", stores)
        ref, _ = pipeline.admit(get_table(stores.restricted, ref), DATASET, Stage.CLEANED, "7", stores)
        pipeline.share(ref, LOW, stores)
        (message,) = here.messages()
        parts = attachments(message)
        [headers, *rows] = opened(here, parts["data.xlsx"], "data.xlsx", "excel-email")
        assert ("Site ID" in headers) is keyed
        assert rows == sorted(rows, reverse=keyed)
        assert len(rows) == 5


def test_each_focal_point_of_a_pathway_gets_a_message_and_a_password_of_its_own(tmp_path):
    with space(tmp_path) as here:
        stores = here.stores()
        sendings = pipeline.share(admitted(stores, Stage.COLLECTED), MEDIUM, stores)
        assert [each.dispatch.focal_point for each in sendings] == ["xyz/scpa-primary", "xyz/scpa-secondary"]
        first, second = (attachments(path)["data.zip"] for path in here.messages())
        assert opened(here, first, "data.zip", "document-email")
        with pytest.raises(PackageUnsafe):
            opened(here, second, "data.zip", "document-email")


def test_a_second_run_sends_nothing_twice(tmp_path):
    with space(tmp_path) as here:
        stores = here.stores()
        ref = admitted(stores)
        first = pipeline.share(ref, LOW, stores)
        again = pipeline.share(ref, LOW, here.stores())
        assert [each.dispatch for each in again] == [each.dispatch for each in first]
        assert len(here.messages()) == 1
        assert here.events().count("dispatch.sent") == 1


def test_an_edited_policy_file_alone_sends_nothing_again(tmp_path):
    edited = patched(sample_files(), AGREEMENT, "kind: agreement", "# A remark.\nkind: agreement")
    with space(tmp_path) as here:
        pipeline.share(admitted(here.stores()), LOW, here.stores())
        stores = here.stores(edited)
        (sending,) = pipeline.share(admitted(stores), LOW, stores)
        assert sending.state is DispatchState.SENT
        assert len(here.messages()) == 1


def test_corrected_data_are_sent_and_an_unchanged_extract_is_not(tmp_path):
    with space(tmp_path) as here:
        stores = here.stores()
        for column, messages in {"Site ID": 1, "Individuals": 1, "Child-headed households": 2}.items():
            frame = raw_round()
            if column != "Site ID":
                frame.loc[0, column] = "corrected"
            pipeline.admit(frame, DATASET, Stage.COLLECTED, "7", stores)
            ref, _ = pipeline.admit(
                frame.drop(columns="Site manager phone"), DATASET, Stage.CLEANED, "7", stores
            )
            pipeline.share(ref, LOW, stores)
            assert len(here.messages()) == messages, column


FAULTS = {
    # what the server does           state after it                     may be tried again
    "refuses the recipient": ({"RCPT": "550 no such user"}, DispatchState.FAILED, False),
    "refuses for now": ({"RCPT": "451 later"}, DispatchState.NEW, True),
    "refuses the data": ({"content": "554 no"}, DispatchState.FAILED, False),
    "drops the line after the data": ({"content": mail.Do.DROP}, DispatchState.OUTCOME_UNKNOWN, False),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_not_known_to_have_arrived_is_said_and_sent_again_only_where_that_is_safe(fault, tmp_path):
    script, state, retry = FAULTS[fault]
    with space(tmp_path, script) as here:
        stores = here.stores()
        ref = admitted(stores)
        with pytest.raises(DispatchOpen) as refusal:
            pipeline.share(ref, LOW, stores)
        assert refusal.value.retry is retry
        key = stores.ledger.open_dispatches(here.clock())
        kept = len(here.messages())
        assert isinstance(here.server, mail.Scripted)
        here.server.script = {}
        if retry:
            (sending,) = pipeline.share(ref, LOW, stores)
            assert sending.state is DispatchState.SENT
            assert len(here.messages()) == kept + 1
        else:
            with pytest.raises(DispatchOpen, match=state):
                pipeline.share(ref, LOW, stores)
            assert len(here.messages()) == kept, key
        assert here.verified()


def test_a_server_with_another_certificate_gets_nothing(tmp_path):
    with space(tmp_path) as here:
        stores = here.stores()
        other = mail.foreign_authority(tmp_path)
        assert here.server is not None
        stranger = replace(stores, channel=Smtp(mail.settings(here.server, ca_file=other)))
        with pytest.raises(DispatchOpen, match="certificate") as refusal:
            pipeline.share(admitted(stores), LOW, stranger)
        assert refusal.value.retry
        assert here.messages() == []
        (sending,) = pipeline.share(admitted(stores), LOW, stores)
        assert sending.state is DispatchState.SENT


# The process ends itself as an operator, a node or a memory limit would end it: nothing of ours can clean up.
KILLED = """
import os, signal, sys
from pathlib import Path
from types import SimpleNamespace
sys.path[:0] = [{tests!r}]
from support.spaces import Space
from dtm_sharing import pipeline
from dtm_sharing.model import Audience, Stage, Urgency
from dtm_sharing.stores.database import Ledger

Ledger.{at} = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
folder, port, ca_file = sys.argv[1:]
stores = Space(Path(folder), SimpleNamespace(port=int(port), ca_file=Path(ca_file))).stores()
ref = stores.ledger.registered("xyz/site-assessment", Stage.CLEANED, "7")
pipeline.share(ref, Audience("xyz/child-protection", Urgency.LOW), stores)
"""


def killed(here: Space, at: str) -> None:
    """Share the admitted round in a process that is killed when it comes to this step of the ledger."""
    assert here.server is not None
    code = KILLED.format(tests=str(Path(__file__).parents[1]), at=at)
    arguments = [str(here.folder), str(here.server.port), str(here.server.ca_file)]
    done = subprocess.run([sys.executable, "-c", code, *arguments], check=False, timeout=120)
    assert done.returncode == -signal.SIGKILL


def test_a_task_killed_between_packaging_and_recording_starts_over(tmp_path):
    with space(tmp_path) as here:
        stores = here.stores()
        ref = admitted(stores)
        killed(here, at="intend")
        assert here.messages() == []
        (sending,) = pipeline.share(ref, LOW, stores)
        assert sending.state is DispatchState.SENT
        (kept,) = (tmp_path / "restricted" / "outbox").rglob("data.xlsx")
        assert attachments(here.messages()[0])["data.xlsx"] == kept.read_bytes()


def test_a_task_killed_between_packaging_and_sending_goes_on_with_the_same_artefact(tmp_path):
    with space(tmp_path) as here:
        stores = here.stores()
        ref = admitted(stores)
        killed(here, at="claim")
        assert here.messages() == []
        (kept,) = (tmp_path / "restricted" / "outbox").rglob("data.xlsx")
        before = kept.read_bytes()
        (sending,) = pipeline.share(ref, LOW, stores)
        assert attachments(here.messages()[0])["data.xlsx"] == before
        assert sending.state is DispatchState.SENT
        assert here.events().count("dispatch.intent") == 1
        assert here.verified()


def test_a_task_killed_while_sending_never_sends_again_by_itself(tmp_path):
    with space(tmp_path) as here:
        stores = here.stores()
        ref = admitted(stores)
        killed(here, at="conclude")
        assert len(here.messages()) == 1
        with pytest.raises(StoreFailed) as busy:  # the lease of the dead task still runs
            pipeline.share(ref, LOW, stores)
        assert busy.value.retry
        here.clock.now += 2 * pipeline.LEASE
        with pytest.raises(DispatchOpen, match="outcome-unknown") as refusal:
            pipeline.share(ref, LOW, stores)
        assert not refusal.value.retry
        assert len(here.messages()) == 1
        assert here.verified()


def test_an_artefact_that_was_changed_in_the_store_does_not_leave(tmp_path):
    with space(tmp_path) as here:
        stores = here.stores()
        ref = admitted(stores)
        killed(here, at="claim")
        (kept,) = (tmp_path / "restricted" / "outbox").rglob("data.xlsx")
        kept.write_bytes(kept.read_bytes()[:-1] + b"x")
        with pytest.raises(PackageUnsafe, match="SHA-256"):
            pipeline.share(ref, LOW, stores)
        assert here.messages() == []


def test_a_store_that_fails_before_anything_was_sent_leaves_the_dispatch_to_be_tried_again(tmp_path):
    with space(tmp_path) as here:
        stores = here.stores()
        ref = admitted(stores)
        killed(here, at="claim")
        (kept,) = (tmp_path / "restricted" / "outbox").rglob("data.xlsx")
        away = kept.rename(tmp_path / "away.xlsx")
        with pytest.raises(StoreFailed):
            pipeline.share(ref, LOW, stores)
        assert stores.ledger.disclosures("scpa") == ()
        away.rename(kept)
        (sending,) = pipeline.share(ref, LOW, stores)
        assert sending.state is DispatchState.SENT


def test_one_message_of_unknown_outcome_does_not_keep_the_others_from_being_tried_again(tmp_path):
    with space(tmp_path, {"content": mail.Do.DROP}) as here:
        stores = here.stores()
        ref = admitted(stores, Stage.COLLECTED)
        server = here.server
        assert isinstance(server, mail.Scripted)

        class Turning(Smtp):
            def send(self, message):
                receipt = super().send(message)
                server.script = {"RCPT": "451 later"}
                return receipt

        turning = replace(stores, channel=Turning(mail.settings(server)))
        with pytest.raises(DispatchOpen, match=r"primary: outcome-unknown.*secondary: new") as refusal:
            pipeline.share(ref, MEDIUM, turning)
        assert refusal.value.retry
        server.script = {}
        with pytest.raises(DispatchOpen, match="1 of 2") as refusal:
            pipeline.share(ref, MEDIUM, stores)
        assert not refusal.value.retry
        assert len(here.messages()) == 2


STOPPED = {
    # what has ended or is missing            file, old, new
    "the agreement has ended": (AGREEMENT, "valid_until: 2027-09-30", "valid_until: 2026-11-01"),
    "the request was revoked": (REQUEST, "state: approved", "state: revoked\nreason: Misused."),
    "the assessment has lapsed": (ASSESSMENT, "review_by: 2027-09-14", "review_by: 2026-11-21"),
}


@pytest.mark.parametrize("why", STOPPED)
def test_nothing_is_packaged_or_sent_when(why, tmp_path):
    here = Space(tmp_path)
    ref = admitted(here.stores())
    stores = here.stores(patched(sample_files(), *STOPPED[why]))
    with pytest.raises((Undecided, GateDenied)):
        pipeline.share(ref, LOW, stores)
    assert not (tmp_path / "restricted" / "outbox").exists()
    assert here.events()[-1] in {"release.undecided", "release.denied"}


def test_low_urgency_waits_until_the_round_is_cleaned(tmp_path):
    here = Space(tmp_path)
    stores = here.stores()
    with pytest.raises(Undecided, match="cleaned"):
        pipeline.share(admitted(stores, Stage.COLLECTED), LOW, stores)


def test_a_round_that_still_holds_something_secret_goes_to_nobody(tmp_path):
    here = Space(tmp_path)
    stores = here.stores()
    ref, _ = pipeline.admit(raw_round(), DATASET, Stage.CLEANED, "7", stores)
    with pytest.raises(GateDenied, match="until collection drops"):
        pipeline.share(ref, LOW, stores)
    with pytest.raises(GateDenied, match="until collection drops"):
        pipeline.publish(ref, stores, releasable=True)
    assert here.published() == []


def test_a_second_round_of_a_month_waits_for_the_first_of_the_next(tmp_path):
    with space(tmp_path) as here:
        stores = here.stores()
        assert len(timeline.share_in_time(admitted(stores, round_="7"), LOW, stores)) == 1
        assert timeline.share_in_time(admitted(stores, round_="8"), LOW, stores) == ()
        assert len(here.messages()) == 1
        here.clock.on(days=10)
        (sending,) = timeline.share_due(stores)
        assert sending.dispatch.round == "8"
        assert timeline.share_due(stores) == ()
        assert len(here.messages()) == 2


def test_corrections_of_a_round_that_was_sent_before_do_not_wait(tmp_path):
    with space(tmp_path) as here:
        stores = here.stores()
        seventh = admitted(stores, round_="7")
        timeline.share_in_time(seventh, LOW, stores)
        here.clock.on(days=10)
        timeline.share_in_time(admitted(stores, round_="8"), LOW, stores)
        frame = get_table(stores.restricted, seventh)
        frame.loc[0, "Child-headed households"] = "corrected"
        ref, _ = pipeline.admit(frame, DATASET, Stage.CLEANED, "7", stores)
        (sending,) = timeline.share_in_time(ref, LOW, stores)
        assert (sending.dispatch.round, sending.state) == ("7", DispatchState.SENT)
        assert len(here.messages()) == 3


def test_the_first_of_the_month_brings_nothing_from_before_the_agreement_or_the_person(tmp_path):
    with space(tmp_path) as here:
        admitted(here.stores())
        here.clock.on(days=10)
        younger = patched(sample_files(), AGREEMENT, "valid_from: 2026-10-01", "valid_from: 2026-11-25")
        assert timeline.share_due(here.stores(younger)) == ()
        signed = patched(sample_files(), AGREEMENT, "scpa: xyz/scpa-primary}", "scpa: xyz/scpa-secondary}")
        newcomer = patched(
            signed,
            SCPA,
            "+000 2000001', in_office_from: 2026-01-01",
            "+000 2000001', in_office_from: 2026-11-25",
        )
        assert timeline.share_due(here.stores(newcomer)) == ()
        assert here.messages() == []
        assert len(timeline.share_due(here.stores())) == 1


def test_a_newcomer_gets_nothing_from_before_though_a_colleague_waits_for_it(tmp_path):
    files = patched(sample_files(), AGREEMENT, "[xyz/scpa-primary]", "[xyz/scpa-primary, xyz/scpa-secondary]")
    files = patched(
        files, SCPA, "+000 2000002', in_office_from: 2026-01-01", "+000 2000002', in_office_from: 2026-11-30"
    )
    with space(tmp_path) as here:
        admitted(here.stores(files))
        here.clock.on(days=9)
        (sending,) = timeline.share_due(here.stores(files))
        assert sending.dispatch.focal_point == "xyz/scpa-primary"
        assert timeline.share_due(here.stores(files)) == ()
        assert len(here.messages()) == 1
        both = pipeline.share(admitted(here.stores(files), round_="8"), LOW, here.stores(files))
        assert [each.dispatch.focal_point for each in both] == ["xyz/scpa-primary", "xyz/scpa-secondary"]


def test_people_are_those_in_office_on_the_day_that_is_decided_upon(tmp_path):
    """Midnight comes while it is decided, and with it the end of the primary's office."""
    leaving = patched(
        sample_files(),
        SCPA,
        "in_office_from: 2026-01-01, in_office_until: 2027-12-31",
        "in_office_from: 2026-01-01, in_office_until: 2026-11-22",
    )
    evening = datetime(2026, 11, 22, 23, 59, 59, tzinfo=UTC)
    with space(tmp_path) as here:
        stores = here.stores(leaving)
        ref = admitted(stores)
        asked = []

        def at_midnight() -> datetime:
            asked.append(1)
            return evening + timedelta(seconds=len(asked) - 1)

        (sending,) = pipeline.share(ref, LOW, replace(stores, now=at_midnight))
        decided = stores.ledger.decisions()[-1].record.as_of
        assert (decided, sending.dispatch.focal_point) == (date(2026, 11, 23), "xyz/scpa-secondary")


def test_a_table_that_is_refused_holds_up_no_other(tmp_path):
    with space(tmp_path) as here:
        stores = here.stores()
        refused, _ = pipeline.admit(raw_round(), DATASET, Stage.CLEANED, "6", stores)  # it still holds Secret
        with pytest.raises(GateDenied, match="until collection drops"):
            timeline.share_arrived([refused, admitted(stores)], LOW, stores)
        assert len(here.messages()) == 1


def test_medium_urgency_does_not_wait(tmp_path):
    with space(tmp_path) as here:
        stores = here.stores()
        for round_ in "78":
            timeline.share_in_time(admitted(stores, Stage.COLLECTED, round_), MEDIUM, stores)
        assert len(here.messages()) == 4
