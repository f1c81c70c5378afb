"""Relations across what an audience already holds: the real ledger, real stores, a real mail server.

In May scpa gets sex and age by site; in June language by site is refused to it, and goes to another agency.
Only a recorded recall undoes that. The same for everyone, by what was published.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from dtm_sharing import classify, gate, pipeline, policy, records, timeline
from dtm_sharing.errors import (
    DispatchOpen,
    GateDenied,
    LedgerAltered,
    StoreFailed,
    Undecided,
    UsageProblem,
)
from dtm_sharing.model import PUBLIC, DispatchState, Grain, Outcome, Stage
from dtm_sharing.stores.database import Ledger
from dtm_sharing.stores.ledger_disclosures import HoldingsChanged
from support import mail
from support.ledgers import COORDINATOR, tamper
from support.policies import ASSESSMENT, RELATIONS, patched, without
from support.related import (
    DEMOGRAPHY,
    JUNE,
    LANGUAGES,
    MAY,
    OTHERS,
    admitted,
    confidential_by_site,
    demography,
    languages,
    related_files,
)
from support.spaces import Space, space

FILES = related_files()


def in_june(here: Space) -> None:
    here.clock.on(days=12)


def shared_in_may(here: Space) -> str:
    """scpa gets sex and age by site. Gives the key of the dispatch."""
    stores = here.stores(FILES)
    (sending,) = pipeline.share(admitted(stores, demography(), DEMOGRAPHY), MAY, stores)
    assert sending.state is DispatchState.SENT
    return sending.dispatch.key


def recall(here: Space, key: str) -> None:
    here.stores(FILES).ledger.recall(key, COORDINATOR, "In writing: no copy is left.", here.clock())


# ---------------------------------------------------------------------------------- to an organization


def test_what_one_organization_holds_keeps_the_other_half_from_it_alone_until_it_is_recalled(tmp_path):
    with space(tmp_path) as here:
        key = shared_in_may(here)
        in_june(here)
        stores = here.stores(FILES)
        ref = admitted(stores, languages(), LANGUAGES)
        with pytest.raises(GateDenied, match="1 of 2 columns are refused: 'Language'"):
            pipeline.share(ref, JUNE, stores)
        assert here.events()[-1] == "release.denied"
        assert len(here.messages()) == 1

        (sending,) = pipeline.share(ref, OTHERS, stores)
        assert (sending.state, sending.dispatch.organization) == (DispatchState.SENT, "other")
        assert sending.dispatch.indicators == ("language", "site-id")

        recall(here, key)
        (sending,) = pipeline.share(ref, JUNE, here.stores(FILES))
        assert (sending.state, sending.dispatch.organization) == (DispatchState.SENT, "scpa")
        assert [each.state.value for each in stores.ledger.disclosures("scpa")] == ["recalled", "sent"]
        assert here.verified()


def test_the_refusal_names_the_table_the_round_and_the_ledger_entry(tmp_path):
    with space(tmp_path) as here:
        shared_in_may(here)
        in_june(here)
        stores = here.stores(FILES)
        held = stores.ledger.held("scpa")
        (intent,) = (each.seq for each in stores.ledger.entries("dispatch.intent"))
        assert [(each.dataset, each.round, each.entry) for each in held.holdings] == [
            (DEMOGRAPHY, "1", intent)
        ]
        decision = decided(stores, languages(), LANGUAGES, JUNE)
        (refusal,) = decision.refused
        for part in (DEMOGRAPHY, "scpa", f"entry {intent}", "2026-11-22"):
            assert part in refusal.why


def decided(stores, frame, dataset, audience):
    from dtm_sharing.stores import frames

    declared = classify.dataset(stores.policy, dataset)
    profile = frames.profile_frame(
        frame, stores.policy, declared, stage=Stage.CLEANED, round_="1", whole=True
    )
    labelled = classify.classify(stores.policy, profile, stores.now().date())
    holder = "public" if audience == PUBLIC else gate.agreement(stores.policy, audience).organization
    held = stores.ledger.held(holder).holdings
    return gate.decide(stores.policy, labelled, audience, held, classify.classify)


@pytest.mark.parametrize("script", [{"content": mail.Do.DROP}, {"RCPT": "451 later"}], ids=["unknown", "new"])
def test_what_may_have_left_or_is_still_to_leave_counts_as_held(tmp_path, script):
    with space(tmp_path, script) as here:
        stores = here.stores(FILES)
        with pytest.raises(DispatchOpen):
            pipeline.share(admitted(stores, demography(), DEMOGRAPHY), MAY, stores)
        here.server.script = {}
        in_june(here)
        with pytest.raises(GateDenied):
            pipeline.share(admitted(stores, languages(), LANGUAGES), JUNE, stores)


def test_what_was_refused_by_the_server_is_held_by_nobody(tmp_path):
    with space(tmp_path, {"RCPT": "550 no such user"}) as here:
        stores = here.stores(FILES)
        with pytest.raises(DispatchOpen):
            pipeline.share(admitted(stores, demography(), DEMOGRAPHY), MAY, stores)
        here.server.script = {}
        in_june(here)
        (sending,) = pipeline.share(admitted(stores, languages(), LANGUAGES), JUNE, stores)
        assert sending.state is DispatchState.SENT


def test_what_was_published_counts_for_every_organization(tmp_path):
    with space(tmp_path) as here:
        stores = here.stores(FILES)
        published = pipeline.publish(admitted(stores, demography(), DEMOGRAPHY), stores)
        assert published.indicators == ("idp-district", "sex-and-age", "site-id")
        ref = admitted(stores, languages(), LANGUAGES)
        with pytest.raises(GateDenied):
            pipeline.share(ref, OTHERS, stores)
        (disclosure,) = stores.ledger.disclosures("public")
        recall(here, disclosure.key)
        (sending,) = pipeline.share(ref, OTHERS, stores)
        assert sending.state is DispatchState.SENT
        assert here.verified()


def test_the_same_extract_again_is_no_other_half(tmp_path):
    with space(tmp_path) as here:
        shared_in_may(here)
        stores = here.stores(FILES)
        for round_ in ("1", "2"):
            (sending,) = pipeline.share(admitted(stores, demography(), DEMOGRAPHY, round_), MAY, stores)
            assert sending.state is DispatchState.SENT
        assert len(here.messages()) == 2


def test_what_was_recalled_is_not_sent_again_and_no_run_fails_for_it(tmp_path):
    with space(tmp_path) as here:
        key = shared_in_may(here)
        recall(here, key)
        stores = here.stores(FILES)
        ref = stores.ledger.registered(DEMOGRAPHY, Stage.CLEANED, "1")
        (sending,) = pipeline.share(ref, MAY, stores)
        assert (sending.dispatch.key, sending.state) == (key, DispatchState.RECALLED)
        assert timeline.share_due(stores) == ()
        assert len(here.messages()) == 1


# ---------------------------------------------------------------------------------------- to everyone


def test_what_was_published_keeps_the_other_half_from_everyone_until_it_is_recalled(tmp_path):
    here = Space(tmp_path)
    stores = here.stores(FILES)
    pipeline.publish(admitted(stores, demography(), DEMOGRAPHY), stores)
    in_june(here)
    ref = admitted(stores, languages(), LANGUAGES)
    with pytest.raises(GateDenied, match="'Language'"):
        pipeline.publish(ref, stores)
    published = pipeline.publish(ref, stores, releasable=True)
    assert published.columns == ("Site ID",)
    (key,) = (each.key for each in stores.ledger.disclosures("public") if each.dataset == DEMOGRAPHY)
    recall(here, key)
    assert pipeline.publish(ref, stores).columns == ("Site ID", "Language")
    assert here.verified()


def test_a_publication_that_was_recalled_is_not_put_again(tmp_path):
    here = Space(tmp_path)
    stores = here.stores(FILES)
    ref = admitted(stores, demography(), DEMOGRAPHY)
    pipeline.publish(ref, stores)
    recall(here, stores.ledger.disclosures("public")[0].key)
    (path,) = here.published()
    path.unlink()
    with pytest.raises(UsageProblem, match="was recalled"):
        pipeline.publish(ref, stores)
    assert here.published() == []


# ------------------------------------------------------------------------------------ at the same moment

RACER = """
import sys
sys.path[:0] = [{tests!r}]
from pathlib import Path
from types import SimpleNamespace
from support.related import *
from support.spaces import Space
from dtm_sharing import pipeline
from dtm_sharing.errors import SharingError
from dtm_sharing.stores.database import Ledger

folder, port, ca_file, what = sys.argv[1:]
server = SimpleNamespace(port=int(port), ca_file=Path(ca_file)) if port != "0" else None
here = Space(Path(folder), server)

def waiting(step):
    def at_the_line(*arguments, **options):
        print("decided", flush=True)
        sys.stdin.readline()  # nothing more comes when it decides again
        return step(*arguments, **options)
    return at_the_line

Ledger.intend, Ledger.announce = waiting(Ledger.intend), waiting(Ledger.announce)
try:
    {act}
except SharingError as problem:
    print(type(problem).__name__, problem.retry, problem, flush=True)
else:
    print("left", flush=True)
"""
SHARES = """
    once = {"start": "2026-10-01", "end": "2027-06-30"}
    if what == DEMOGRAPHY:
        stores, audience, frame = here.stores(related_files("scpa-demography", **once)), MAY, demography()
    else:
        stores, audience, frame = here.stores(related_files("scpa-languages", **once)), JUNE, languages()
    pipeline.share(admitted(stores, frame, what), audience, stores)
"""
PUBLISHES = """
    stores, frame = here.stores(related_files()), demography() if what == DEMOGRAPHY else languages()
    pipeline.publish(admitted(stores, frame, what), stores)
"""


def race(here: Space, act: str) -> list[str]:
    """Both halves, each in a process of its own: both have decided before either goes on. Gives both ends."""
    server = here.server
    place = [str(server.port), str(server.ca_file)] if server else ["0", ""]
    code = RACER.format(tests=str(Path(__file__).parents[1]), act=act.strip())
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "plugins")}
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(here.folder), *place, what],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for what in (DEMOGRAPHY, LANGUAGES)
    ]
    for each in racers:
        assert each.stdout.readline() == "decided\n", each.communicate()
    for each in racers:
        each.stdin.write("\n")
        each.stdin.flush()
    ends = [each.communicate(timeout=120) for each in racers]
    assert [trouble for _, trouble in ends] == ["", ""]
    return sorted(said.splitlines()[-1] for said, _ in ends)


def test_of_two_halves_that_go_to_one_organization_at_the_same_moment_exactly_one_leaves(tmp_path):
    """The two agreements stand in two versions of the policy, which was edited meanwhile."""
    with space(tmp_path) as here:
        here.stores()
        refused, left = race(here, SHARES)
        assert left == "left"
        assert refused.startswith("GateDenied False Denied: "), "it has decided again, and better"
        assert len(here.messages()) == 1
        assert here.events().count("dispatch.intent") == here.events().count("dispatch.sent") == 1
        # Whoever tries the other half later finds what was sent, too.
        stores = here.stores(FILES)
        (disclosure,) = stores.ledger.disclosures("scpa")
        other = {DEMOGRAPHY: (languages(), LANGUAGES, JUNE), LANGUAGES: (demography(), DEMOGRAPHY, MAY)}
        frame, dataset, audience = other[disclosure.dataset]
        if audience == JUNE:
            in_june(here)
        with pytest.raises(GateDenied):
            pipeline.share(admitted(stores, frame, dataset), audience, stores)
        assert len(here.messages()) == 1
        assert here.verified()


def test_of_two_halves_that_are_published_at_the_same_moment_exactly_one_is(tmp_path):
    here = Space(tmp_path)
    here.stores()
    refused, left = race(here, PUBLISHES)
    assert left == "left"
    assert refused.startswith("GateDenied False Denied: "), "it has decided again, and better"
    assert len(here.published()) == 1
    assert here.events().count("release.announced") == here.events().count("release.published") == 1
    assert here.verified()


def overtakes(stores, holder: str) -> None:
    """Right after what they hold is read for the first time, somebody else publishes the other half."""
    held = stores.ledger.held

    def overtaken(organization, **asked):
        found = held(organization, **asked)
        if organization == holder:
            stores.ledger.held = held
            pipeline.publish(admitted(stores, languages(), LANGUAGES), stores)
        return found

    stores.ledger.held = overtaken


def test_a_run_that_has_to_decide_again_leaves_nothing_half_done(tmp_path):
    with space(tmp_path) as here:
        stores = here.stores(FILES)
        ref = admitted(stores, demography(), DEMOGRAPHY)
        overtakes(stores, "scpa")
        with pytest.raises(GateDenied):
            pipeline.share(ref, MAY, stores)
        assert here.messages() == []
        assert "dispatch.intent" not in here.events()
        assert here.verified()


def test_a_run_that_is_disturbed_time_and_again_gives_up_for_now(tmp_path):
    with space(tmp_path) as here:
        stores = here.stores(FILES)
        ref = admitted(stores, demography(), DEMOGRAPHY)
        tries = []

        def disturbed(*_, **__):
            tries.append(1)
            raise HoldingsChanged("what scpa holds changed while this was decided (entry 1): decide again")

        stores.ledger.intend = disturbed
        with pytest.raises(HoldingsChanged) as problem:
            pipeline.share(ref, MAY, stores)
        assert problem.value.retry, "Airflow tries again later"
        assert 1 < len(tries) < 10
        assert here.messages() == []


def test_a_publication_that_has_to_be_decided_again_is_put_nowhere(tmp_path):
    here = Space(tmp_path)
    stores = here.stores(FILES)
    ref = admitted(stores, demography(), DEMOGRAPHY)
    overtakes(stores, "public")
    with pytest.raises(GateDenied):
        pipeline.publish(ref, stores)
    assert [path.parent.parent.name for path in here.published()] == ["languages"]
    assert here.verified()


# ---------------------------------------------------------------------------- a ledger that cannot be read

UNREADABLE = {
    "a holding": "UPDATE dispatch SET indicators = '['",
    "the dispatches": "DELETE FROM dispatch",
    "their table": "DROP TABLE dispatch",
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_holdings_that_cannot_be_read_are_never_taken_for_none(tmp_path, what):
    with space(tmp_path) as here:
        shared_in_may(here)
        stores = here.stores(FILES)
        ref = admitted(stores, languages(), LANGUAGES)
        stores.ledger.close()
        tamper(tmp_path / "ledger.db", UNREADABLE[what])
        in_june(here)
        with pytest.raises((LedgerAltered, StoreFailed)):
            pipeline.share(ref, JUNE, stores)
        assert len(here.messages()) == 1
        assert here.events().count("release.approved") == 1


def test_a_ledger_that_is_locked_or_gone_stops_everything_before_anything_leaves(tmp_path):
    with space(tmp_path) as here:
        stores = here.stores(FILES)
        ref = admitted(stores, demography(), DEMOGRAPHY)
        stores.ledger.close()
        away = (tmp_path / "ledger.db").rename(tmp_path / "away.db")
        for leave in (lambda: pipeline.share(ref, MAY, stores), lambda: pipeline.publish(ref, stores)):
            with pytest.raises(StoreFailed, match="is gone"):
                leave()
        assert here.messages() == []
        assert here.published() == []
        assert not (tmp_path / "restricted" / "outbox").exists()
        away.rename(tmp_path / "ledger.db")
        (sending,) = pipeline.share(ref, MAY, stores)
        assert sending.state is DispatchState.SENT


# -------------------------------------------------------------------------------- what was decided, and why


def test_every_decision_can_be_made_again_from_the_ledger_alone(tmp_path):
    with space(tmp_path) as here:
        key = shared_in_may(here)
        in_june(here)
        stores = here.stores(FILES)
        ref = admitted(stores, languages(), LANGUAGES)
        with pytest.raises(GateDenied):
            pipeline.share(ref, JUNE, stores)
        recall(here, key)
        pipeline.share(ref, JUNE, stores)
        pipeline.publish(ref, stores)
        made = [each.record for each in Ledger(tmp_path / "ledger.db").decisions()]
        assert [each.answer["outcome"] for each in made] == ["allow", "deny", "allow", "allow"]
        for record in made:
            assert again(stores.ledger, record) == dict(record.answer)


def again(ledger, record):
    rules = policy.parse(ledger.policy_files(record.policy_digest))
    labelled = classify.classify(rules, record.profile, record.as_of)
    public = record.audience == PUBLIC
    holder = "public" if public else gate.agreement(rules, record.audience).organization
    held = ledger.held(holder, before=record.ledger_size).holdings
    decision = gate.decide(rules, labelled, record.audience, held, classify.classify)
    assert decision.outcome is Outcome(record.answer["outcome"])
    return records.answer(decision)


def test_the_ledger_keeps_the_policy_before_anything_is_decided_by_it(tmp_path):
    here = Space(tmp_path)
    stores = here.stores(FILES)
    ref = admitted(stores, demography(), DEMOGRAPHY)
    pipeline.publish(ref, stores)
    assert here.events()[0] == "policy.adopted"
    edited = here.stores({**FILES, ASSESSMENT: FILES[ASSESSMENT] + b"# A remark.\n"})
    with pytest.raises(Undecided):
        pipeline.publish(replace(ref, sha256="00" * 32), edited)
    assert here.events()[-2:] == ["policy.adopted", "release.stopped"]
    assert stores.ledger.policy_in_force(here.clock().date()) == edited.policy.digest
    assert here.verified()


def test_the_classification_says_which_grain_was_declared_and_which_was_found(tmp_path):
    here = Space(tmp_path)
    stores = here.stores(FILES)
    admitted(stores, demography(), DEMOGRAPHY)
    (entry,) = stores.ledger.entries("classification.assigned")
    data = json.loads(entry.body)["data"]
    assert (data["grain"], data["declared_grain"]) == ("site", "site")


# ----------------------------------------------------------------------------------- sums by a coarser unit


def test_a_table_that_is_confidential_by_site_is_published_by_district(tmp_path, caplog):
    here = Space(tmp_path)
    stores = here.stores(confidential_by_site(FILES))
    ref = admitted(stores, demography(), DEMOGRAPHY)
    with pytest.raises(GateDenied, match="'Girls', 'Boys'"):
        pipeline.publish(ref, stores)
    with caplog.at_level(logging.WARNING, logger="dtm_sharing"):
        published = pipeline.publish(ref, stores, aggregate_to=Grain.ADMIN2)
    assert published.path == f"{DEMOGRAPHY}/1/admin2/table.csv"
    (path,) = here.published()
    assert path.read_text().splitlines() == ["District,Girls,Boys", "North,6,15", "South,1060,0"]
    assert (published.grain, published.rows) == (Grain.ADMIN2, 2)
    assert "1 units of xyz/demography are left out" in caplog.text
    assert "East" not in caplog.text
    (disclosure,) = stores.ledger.disclosures("public")
    assert disclosure.grain is Grain.ADMIN2
    assert stores.ledger.decisions()[-1].record.profile.aggregated_to is Grain.ADMIN2
    assert here.verified()


def test_sums_by_district_do_not_keep_the_other_half_by_site_from_anyone(tmp_path):
    here = Space(tmp_path)
    stores = here.stores(confidential_by_site(FILES))
    pipeline.publish(admitted(stores, demography(), DEMOGRAPHY), stores, aggregate_to=Grain.ADMIN2)
    assert pipeline.publish(admitted(stores, languages(), LANGUAGES), stores).grain is Grain.SITE


def test_sums_by_two_grains_would_give_back_the_district_that_was_left_out(tmp_path):
    """The total of the country less those of two districts is that of the third, which is a single site."""
    here = Space(tmp_path)
    stores = here.stores(confidential_by_site(FILES))
    ref = admitted(stores, demography(), DEMOGRAPHY)
    pipeline.publish(ref, stores, aggregate_to=Grain.ADMIN2)
    with pytest.raises(Undecided, match="by admin2 left already"):
        pipeline.publish(ref, stores, aggregate_to=Grain.NATIONAL)
    assert len(here.published()) == 1
    assert here.events()[-1] == "release.withheld"
    assert pipeline.publish(ref, stores, aggregate_to=Grain.ADMIN2).rows == 2, "the same again is nothing new"


def test_sums_of_corrected_rows_would_show_what_the_site_that_is_gone_has(tmp_path):
    here = Space(tmp_path)
    stores = here.stores(confidential_by_site(FILES))
    frame = demography()
    frame.loc[len(frame)] = ["SS-007", "North", "9", "8"]
    first, _ = pipeline.admit(frame, DEMOGRAPHY, Stage.COLLECTED, "1", stores)
    pipeline.publish(first, stores, aggregate_to=Grain.ADMIN2)
    corrected = admitted(stores, demography(), DEMOGRAPHY)
    with pytest.raises(Undecided, match=r"by admin2 left already .* published once"):
        pipeline.publish(corrected, stores, aggregate_to=Grain.ADMIN2)
    (path,) = here.published()
    assert path.read_text().splitlines()[1] == "North,15,23"
    assert here.events()[-2:] == ["release.approved", "release.withheld"]
    unchanged = admitted(stores, frame, DEMOGRAPHY)
    assert pipeline.publish(unchanged, stores, aggregate_to=Grain.ADMIN2).rows == 2, "the same sums again"
    assert pipeline.publish(
        admitted(stores, demography(), DEMOGRAPHY, "2"), stores, aggregate_to=Grain.ADMIN2
    )
    (key,) = {each.key for each in stores.ledger.disclosures("public") if each.round == "1"}
    recall(here, key)
    assert pipeline.publish(corrected, stores, aggregate_to=Grain.ADMIN2).rows == 2
    assert here.verified()


def test_a_form_without_its_key_is_by_what_the_rows_of_the_table_are_by(tmp_path):
    """Rows of sites in a table that is declared by district, and told apart by nothing once that is gone."""
    here = Space(tmp_path)
    stores = here.stores(declared_by_district())
    ref = admitted(stores, demography().drop(columns="Site ID"), DEMOGRAPHY)
    published = pipeline.publish(ref, stores, releasable=True)
    assert (published.columns, published.rows, published.grain) == (("Girls", "Boys"), 7, Grain.SITE)
    record = stores.ledger.decisions()[-1].record
    assert Grain.SITE in {each.grain for each in record.profile.evidence if each.column is None}
    assert again(stores.ledger, record) == dict(record.answer)
    with pytest.raises(GateDenied, match="'Language'"):
        pipeline.publish(admitted(stores, languages(), LANGUAGES), stores)


def declared_by_district() -> dict[str, bytes]:
    """Districts are Confidential by site, so the form of such a table leaves its key out."""
    path = "xyz/datasets/demography.yaml"
    files = patched(FILES, path, "grain: site", "grain: admin2")
    files = patched(files, path, "key: [Site ID]", "key: [District]")
    files = patched(files, path, "  - {name: Site ID, indicator: site-id}\n", "")
    files = patched(files, RELATIONS, "    keys: [site-id]\n", "")
    own = (
        "levels: {national: Public, admin1: Public, admin2: Public, admin3: Confidential, site: Confidential}"
    )
    files = patched(
        files,
        "indicators/population.yaml",
        "title: District",
        f"title: District\n    {own}\n    basis: Few sites",
    )
    return without(files, *(each for each in files if "scpa-" in each))


def test_what_may_be_published_as_it_is_is_not_summed_up(tmp_path):
    here = Space(tmp_path)
    stores = here.stores(FILES)
    ref = admitted(stores, demography(), DEMOGRAPHY)
    with pytest.raises(UsageProblem, match="as it is"):
        pipeline.publish(ref, stores, aggregate_to=Grain.ADMIN2)
    assert here.published() == []


def test_a_form_that_the_gate_did_not_name_is_refused_and_the_ledger_says_so(tmp_path):
    here = Space(tmp_path)
    stores = here.stores(confidential_by_site(FILES))
    ref = admitted(stores, demography(), DEMOGRAPHY)
    with pytest.raises(GateDenied):
        pipeline.publish(ref, stores, aggregate_to=Grain.ADMIN3)
    assert here.published() == []
    assert here.events()[-1] == "release.denied"


def test_what_cannot_be_summed_up_is_stopped_and_the_ledger_says_so(tmp_path):
    here = Space(tmp_path)
    stores = here.stores(confidential_by_site(FILES))
    frame = demography()
    frame.loc[0, "Girls"] = "CANARY, many"
    ref = admitted(stores, frame, DEMOGRAPHY)
    with pytest.raises(Undecided, match="Girls") as problem:
        pipeline.publish(ref, stores, aggregate_to=Grain.ADMIN2)
    assert "CANARY" not in str(problem.value)
    assert here.published() == []
    assert here.events()[-1] == "release.stopped"
    assert b'"gaps":["unsummed-table"]' in stores.ledger.entries()[-1].body


# ------------------------------------------------------------------------------------------- said in time


def test_what_lapses_soon_is_logged_as_a_warning(tmp_path, caplog):
    here = Space(tmp_path)
    soon = patched(FILES, ASSESSMENT, "review_by: 2027-09-14", "review_by: 2026-12-10")
    stores = here.stores(soon)
    with caplog.at_level(logging.WARNING, logger="dtm_sharing"):
        ref = admitted(stores, demography(), DEMOGRAPHY)
        caplog.clear()
        pipeline.publish(ref, stores)
    assert "2026-12-10" in caplog.text
