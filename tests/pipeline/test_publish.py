"""The straight path to the public, over real stores."""

from __future__ import annotations

import csv

import pandas as pd
import pytest

from dtm_sharing import ledger, pipeline
from dtm_sharing.errors import (
    GateDenied,
    PackageUnsafe,
    StoreFailed,
    TableUnreadable,
    Undecided,
    UsageProblem,
)
from dtm_sharing.model import Stage
from dtm_sharing.stores import rounds
from dtm_sharing.stores.objects import open_store
from dtm_sharing.stores.publisher import Publisher
from support.policies import HEADERS
from support.spaces import CANARY, DATASET, KEYS, NOW, Space, admitted, raw_round

OTHER = "If other, please specify"
PUBLIC_COLUMNS = [
    "Site ID",
    "District",
    "Site type",
    "Site type: If other, please specify",
    "Individuals",
    "Feelings of safety",  # Public once it no longer stands beside who provides security
]


def test_a_table_with_a_confidential_column_is_not_published_and_the_ledger_says_so(tmp_path):
    here = Space(tmp_path)
    stores = here.stores()
    with pytest.raises(GateDenied, match="4 of 9 columns"):
        pipeline.publish(admitted(stores), stores)
    assert here.published() == []
    assert here.events()[-1] == "release.denied"


def test_its_releasable_form_is_published_without_what_the_decision_names(tmp_path):
    here = Space(tmp_path)
    stores = here.stores()
    publication = pipeline.publish(admitted(stores), stores, releasable=True)
    (path,) = here.published()
    assert CANARY not in path.read_text()
    rows = list(csv.reader(path.read_text().splitlines()))
    assert rows[0] == PUBLIC_COLUMNS
    assert len(rows) == 6
    assert publication.columns == tuple(PUBLIC_COLUMNS)
    (disclosure,) = stores.ledger.disclosures("public")
    assert disclosure.columns == publication.columns
    assert here.verified()


def test_publishing_again_changes_nothing(tmp_path):
    here = Space(tmp_path)
    stores = here.stores()
    ref = admitted(stores)
    pipeline.publish(ref, stores, releasable=True)
    before = here.published()[0].read_bytes()
    pipeline.publish(ref, stores, releasable=True)
    assert here.published()[0].read_bytes() == before
    assert here.events().count("release.published") == 1


def test_collection_drops_the_secret_columns_and_says_how_many(tmp_path):
    here = Space(tmp_path)
    stores = here.stores()
    _, labelled = pipeline.admit(raw_round(), DATASET, Stage.COLLECTED, "7", stores)
    assert "Site manager phone" not in {column.header.key for column in labelled.columns}
    assert b'"dropped_at_collection":1' in stores.ledger.entries("classification.assigned")[0].body
    for path in (tmp_path / "restricted").rglob("*"):
        if path.is_file():
            assert f"{CANARY}-0-4".encode() not in path.read_bytes()


def admit_with(stores: pipeline.Stores, change: str) -> None:
    frame = raw_round()
    if change == "a column that no rule knows":
        frame["Shoe size"] = "41"
    elif change == "a declared column is absent":
        frame = frame.drop(columns="Individuals")
    elif change == "no rows":
        frame = frame.head(0)
    ref, _ = pipeline.admit(frame, DATASET, Stage.COLLECTED, "7", stores)
    pipeline.publish(ref, stores, releasable=True)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("a column that no rule knows", r"column 10, 'column 10 \(unknown\)'"),
        ("a declared column is absent", "Individuals"),
        ("no rows", "row"),
    ],
)
def test_a_gap_blocks_in_every_form_and_is_named(change, named, tmp_path):
    here = Space(tmp_path)
    with pytest.raises(Undecided, match=named):
        admit_with(here.stores(), change)
    assert here.published() == []
    assert here.events()[-1] == "release.undecided"


def test_headers_that_a_function_made_of_cells_are_quoted_nowhere(tmp_path):
    here = Space(tmp_path)
    stores = here.stores()
    frame = raw_round()
    dummies = pd.get_dummies(frame["Child-headed households"]).astype("str")
    ref, labelled = pipeline.admit(pd.concat([frame, dummies], axis=1), DATASET, Stage.COLLECTED, "7", stores)
    with pytest.raises(Undecided, match="No rule knows column 10, ") as problem:
        pipeline.publish(ref, stores)
    (sidecar,) = (tmp_path / "restricted").rglob("datapackage.json")
    for said in (str(problem.value), str(labelled), str(rounds.tags(ref, labelled)), sidecar.read_text()):
        assert CANARY not in said
        assert "column 10 (unknown)" in said
    for path in tmp_path.glob("ledger.db*"):
        assert CANARY.encode() not in path.read_bytes()


def test_what_continues_a_question_that_collection_drops_continues_no_other(tmp_path):
    """Nobody declared "please specify" after the manager's telephone, and Site type stands before that."""
    here = Space(tmp_path)
    stores = here.stores()
    headers = [each for each in HEADERS if each != OTHER]
    headers.insert(headers.index("Site manager phone") + 1, OTHER)
    frame = pd.DataFrame([[f"{CANARY}-{row}" for _ in headers] for row in range(5)], columns=headers)
    ref, labelled = pipeline.admit(frame, DATASET, Stage.COLLECTED, "7", stores)
    found = {each.header.key: each.level for each in labelled.columns}
    assert "Site type: If other, please specify" not in found
    assert found["column 4 (unknown)"] is None
    again, labelled = pipeline.admit(
        rounds.get_table(stores.restricted, ref), DATASET, Stage.CLEANED, "7", stores
    )
    assert {each.header.key: each.level for each in labelled.columns} == found
    with pytest.raises(Undecided, match="column 4"):
        pipeline.publish(again, stores, releasable=True)
    assert here.published() == []


def test_what_is_no_table_of_the_dataset_is_not_taken_in(tmp_path):
    here = Space(tmp_path)
    stores = here.stores()
    frame = raw_round()
    twice = frame.set_axis([*frame.columns[:-1], "Site ID"], axis="columns")
    with pytest.raises(TableUnreadable, match="Site ID"):
        pipeline.admit(twice, DATASET, Stage.COLLECTED, "7", stores)
    with pytest.raises(UsageProblem, match="xyz/site-assessment"):
        pipeline.admit(frame, "xyz/site-assessmint", Stage.COLLECTED, "7", stores)
    with pytest.raises(TableUnreadable, match="DataFrame"):
        pipeline.admit([[1]], DATASET, Stage.COLLECTED, "7", stores)
    assert stores.ledger.entries() == ()


def test_a_table_whose_tags_are_gone_is_undecided(tmp_path):
    here = Space(tmp_path)
    stores = here.stores()
    ref = admitted(stores)
    for path in (tmp_path / "restricted").rglob("datapackage.json"):
        path.unlink()
    with pytest.raises(Undecided, match=r"datapackage\.json"):
        pipeline.publish(ref, stores, releasable=True)
    assert here.events()[-1] == "release.stopped"
    assert b'"gaps":["untagged-table"]' in stores.ledger.entries()[-1].body


def test_an_artefact_that_fails_its_check_is_withheld_and_the_ledger_says_so(tmp_path):
    here = Space(tmp_path)
    stores = here.stores()
    frame = raw_round()
    frame.loc[1, "Site ID"] = frame.loc[0, "Site ID"]
    ref, _ = pipeline.admit(frame, DATASET, Stage.COLLECTED, "7", stores)
    with pytest.raises(PackageUnsafe, match="to_be_unique"):
        pipeline.publish(ref, stores, releasable=True)
    assert here.published() == []
    assert here.events()[-2:] == ["release.approved", "release.withheld"]


BAD_ROUNDS = [
    "",
    " ",
    "2 ",
    ".",
    "..",
    "../../x",
    "a/b",
    "/etc",
    "a\\b",
    ".part-1",
    "a\nb",
    "\u202e2",
    "é" * 51,
]


@pytest.mark.parametrize("name", BAD_ROUNDS)
def test_what_cannot_name_a_round_is_not_taken_in(name, tmp_path):
    here = Space(tmp_path)
    stores = here.stores()
    with pytest.raises(UsageProblem, match="round"):
        pipeline.admit(raw_round(), DATASET, Stage.COLLECTED, name, stores)
    assert stores.ledger.entries() == ()
    assert not (tmp_path / "restricted").exists()


@pytest.mark.parametrize("name", ["2", "2026-10", "Round 2 (b)", "राउन्ड २"])
def test_a_round_may_be_named_in_words_of_any_script(name, tmp_path):
    here = Space(tmp_path)
    stores = here.stores()
    pipeline.publish(admitted(stores, round_=name), stores, releasable=True)
    (path,) = here.published()
    assert path.parent.name == name


# ------------------------------------------------------------------------------------ the publisher

CLEARED = (
    "dtm-sharing clearance v1\naudience {audience}\npath a.csv\nartefact sha256:{digest}\nexpires {day}\n"
)
DIGEST = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"  # of b"hello"
GOOD = {"audience": "public", "digest": DIGEST, "day": "2026-12-01"}


def clearance(key: str = KEYS.clearance, **changes: str) -> str:
    return ledger.sign_note(CLEARED.format(**{**GOOD, **changes}), key)


def test_the_publisher_takes_exactly_what_is_cleared(tmp_path):
    publisher = Publisher(open_store(str(tmp_path)), KEYS.clearance_verifier)
    publisher.put("a.csv", b"hello", clearance(), NOW.date())
    assert (tmp_path / "a.csv").read_bytes() == b"hello"


BAD = {
    "signed by another key": (clearance(KEYS.checkpoint), "a.csv", b"hello", "signature"),
    "for other bytes": (clearance(), "a.csv", b"hellO", "artefact"),
    "for another path": (clearance(), "b.csv", b"hello", "path"),
    "for a focal point": (clearance(audience="xyz/child-protection/low"), "a.csv", b"hello", "audience"),
    "lapsed": (clearance(day="2026-11-21"), "a.csv", b"hello", "lapsed"),
    "edited after signing": (clearance().replace("2026-12-01", "2036-12-01"), "a.csv", b"hello", "signature"),
    "no note at all": ("yes, please", "a.csv", b"hello", "signature"),
}


@pytest.mark.parametrize("case", BAD)
def test_the_publisher_refuses_a_clearance(case, tmp_path):
    text, path, content, word = BAD[case]
    publisher = Publisher(open_store(str(tmp_path)), KEYS.clearance_verifier)
    with pytest.raises(GateDenied, match=word):
        publisher.put(path, content, text, NOW.date())
    assert list(tmp_path.iterdir()) == []


def test_a_public_store_that_fails_leaves_an_announcement_and_the_next_try_goes_on(tmp_path):
    here = Space(tmp_path)
    stores = here.stores()
    ref = admitted(stores)
    (tmp_path / "public").rmdir() if (tmp_path / "public").exists() else None
    (tmp_path / "public").write_text("in the way")
    with pytest.raises(StoreFailed):
        pipeline.publish(ref, stores, releasable=True)
    assert "release.published" not in here.events()
    (tmp_path / "public").unlink()
    pipeline.publish(ref, stores, releasable=True)
    assert here.events().count("release.published") == 1
