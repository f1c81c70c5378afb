"""Tables of rounds in the restricted store: what comes back, and when the answer is "undecided"."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from dtm_sharing.errors import StoreFailed, TableUnreadable, Undecided, UsageProblem
from dtm_sharing.model import (
    Classification,
    ColumnLevel,
    Grain,
    Header,
    Level,
    Stage,
    TableRef,
)
from dtm_sharing.stores import rounds
from dtm_sharing.stores.objects import ObjectStore, open_store
from support.s3 import serve_rclone

OTHER = "If other, please specify"
KEYS = ("Site ID", "Site type", f"Site type: {OTHER}", "Child-headed households", "Remarks")
LEVELS = (Level.PUBLIC, Level.PUBLIC, Level.PUBLIC, Level.CONFIDENTIAL, None)
INDICATORS = ("site-id", "site-type", "site-type", "child-headed-households", None)
CANARY = "CANARY-7411"
ROWS = [
    ["00012", "NA", "", " 5 ", "None"],
    ["S2", "काठमाडौं", "two\nlines", '"5"', CANARY],
    ["=1+1", "\u2028", "é", "1,234", "nan"],
]


def classified(rows: int = 3, **changes: Any) -> Classification:
    headers = [Header(position, key, None, key) for position, key in enumerate(KEYS, 1)]
    columns = zip(headers, INDICATORS, LEVELS, strict=True)
    found = Classification(
        dataset="xyz/sites",
        grain=Grain.SITE,
        rows=rows,
        stage=Stage.CLEANED,
        round="17",
        level=None,
        columns=tuple(ColumnLevel(header, indicator, level, ()) for header, indicator, level in columns),
        gaps=(),
        expires=date(2027, 9, 14),
        policy_digest="sha256:" + "ab" * 32,
        as_of=date(2026, 11, 22),
    )
    return replace(found, **changes)


@pytest.fixture
def frame() -> pd.DataFrame:
    return pd.DataFrame(ROWS, columns=list(KEYS), dtype="str")


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return open_store(str(tmp_path / "restricted"))


def sidecar_of(ref: TableRef) -> str:
    return ref.path.replace("table.parquet", "datapackage.json")


def sidecar(store: ObjectStore, ref: TableRef) -> dict[str, Any]:
    return json.loads(store.get(sidecar_of(ref)))


# ----------------------------------------------------------------------------------------- there and back


def test_a_table_comes_back_letter_by_letter(store: ObjectStore, frame: pd.DataFrame) -> None:
    ref = rounds.put_table(store, frame, classified())
    found = rounds.get_table(store, ref)
    pd.testing.assert_frame_equal(found, frame)
    assert found.to_numpy().tolist() == ROWS


def test_a_table_comes_back_from_a_bucket(
    tmp_path: Path, frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dtm").mkdir()
    with serve_rclone(tmp_path) as server:
        server.login(monkeypatch)
        store = open_store(server.url("dtm", "restricted"))
        ref = rounds.put_table(store, frame, classified())
        pd.testing.assert_frame_equal(rounds.get_table(store, ref), frame)


def test_the_path_names_dataset_round_stage_and_hash(store: ObjectStore, frame: pd.DataFrame) -> None:
    ref = rounds.put_table(store, frame, classified())
    assert ref.path == f"xyz/sites/17/cleaned/{ref.sha256[:16]}/table.parquet"
    assert store.list() == (sidecar_of(ref), ref.path)
    assert hashlib.sha256(store.get(ref.path)).hexdigest() == ref.sha256
    assert (ref.dataset, ref.stage, ref.round, ref.rows) == ("xyz/sites", Stage.CLEANED, "17", 3)


def test_the_same_table_again_changes_nothing(store: ObjectStore, frame: pd.DataFrame) -> None:
    first = rounds.put_table(store, frame, classified())
    before = {key: store.get(key) for key in store.list()}
    again = classified(as_of=date(2026, 12, 1), expires=None)  # neither is part of the table
    assert rounds.put_table(store, frame.copy(), again) == first
    assert {key: store.get(key) for key in store.list()} == before


@pytest.mark.parametrize(
    "change",
    [
        {"policy_digest": "sha256:" + "cd" * 32},
        {"round": "18"},
        {"round": "1/7"},
        {"stage": Stage.COLLECTED},
        {"level": Level.CONFIDENTIAL},
        {"dataset": "xyz/other"},
        {"columns": tuple(replace(each, level=Level.SECRET) for each in classified().columns)},
    ],
    ids=str,
)
def test_another_classification_overwrites_nothing(
    store: ObjectStore, frame: pd.DataFrame, change: dict[str, Any]
) -> None:
    first = rounds.put_table(store, frame, classified())
    second = rounds.put_table(store, frame, classified(**change))
    assert first.path != second.path
    for ref in (first, second):
        pd.testing.assert_frame_equal(rounds.get_table(store, ref), frame)


def test_rounds_whose_names_look_alike_in_a_path_stay_apart(store: ObjectStore, frame: pd.DataFrame) -> None:
    refs = [
        rounds.put_table(store, frame, classified(round=name)) for name in ("R2/x", "R2_x", "R2 x", "..", ".")
    ]
    assert len({ref.path for ref in refs}) == len(refs)
    assert [ref.round for ref in refs] == ["R2/x", "R2_x", "R2 x", "..", "."]
    assert all(ref.path.startswith(("xyz/sites/R2_x/cleaned/", "xyz/sites/_")) for ref in refs)
    for ref in refs:
        assert len(rounds.get_table(store, ref)) == 3


def test_numbers_dates_and_gaps_of_an_author_survive(store: ObjectStore) -> None:
    frame = pd.DataFrame(
        {
            "Site ID": [1, 2, 3],
            "Site type": [0.5, None, 2.0],
            KEYS[2]: [True, False, True],
            KEYS[3]: pd.to_datetime(["2026-10-01", None, "2026-10-03"]),
            KEYS[4]: ["x", None, ""],
        },
        index=[7, 3, 9],
    )
    frame.attrs["note"] = CANARY
    ref = rounds.put_table(store, frame, classified())
    found = rounds.get_table(store, ref)
    pd.testing.assert_frame_equal(found, frame.reset_index(drop=True))
    assert CANARY.encode() not in store.get(ref.path)
    assert frame.attrs == {"note": CANARY}  # the author's own frame is left alone
    types = [field["type"] for field in sidecar(store, ref)["resources"][0]["schema"]["fields"]]
    assert types == ["integer", "number", "boolean", "datetime", "string"]


def test_a_table_without_rows_is_kept(store: ObjectStore, frame: pd.DataFrame) -> None:
    ref = rounds.put_table(store, frame.iloc[:0], classified(rows=0))
    assert rounds.get_table(store, ref).shape == (0, 5)


# ----------------------------------------------------------------------------------------------- tags


def test_the_sidecar_says_all_and_holds_no_cell(store: ObjectStore, frame: pd.DataFrame) -> None:
    ref = rounds.put_table(store, frame, classified())
    assert sidecar(store, ref) == {
        "name": "xyz-sites-17-cleaned",
        "dtm:dataset": "xyz/sites",
        "dtm:stage": "cleaned",
        "dtm:round": "17",
        "dtm:grain": "site",
        "dtm:level": None,
        "dtm:policy_digest": "sha256:" + "ab" * 32,
        "dtm:rows": 3,
        "resources": [
            {
                "name": "table",
                "path": "table.parquet",
                "format": "parquet",
                "mediatype": "application/vnd.apache.parquet",
                "hash": f"sha256:{ref.sha256}",
                "bytes": len(store.get(ref.path)),
                "schema": {
                    "fields": [
                        {"name": key, "type": "string", "dtm:level": level, "dtm:indicator": indicator}
                        for key, level, indicator in zip(
                            KEYS,
                            ["Public", "Public", "Public", "Confidential", None],
                            INDICATORS,
                            strict=True,
                        )
                    ]
                },
            }
        ],
    }
    assert CANARY not in store.get(sidecar_of(ref)).decode()


def test_parquet_fields_hold_a_copy_of_the_levels(
    store: ObjectStore, frame: pd.DataFrame, tmp_path: Path
) -> None:
    ref = rounds.put_table(store, frame, classified())
    schema = pq.read_schema(tmp_path / "restricted" / ref.path)
    found = {
        field.name: {k: v for k, v in (field.metadata or {}).items() if k.startswith(b"dtm:")}
        for field in schema
    }
    assert found[KEYS[0]] == {b"dtm:level": b"Public", b"dtm:indicator": b"site-id"}
    assert found[KEYS[3]] == {b"dtm:level": b"Confidential", b"dtm:indicator": b"child-headed-households"}
    assert found[KEYS[4]] == {}  # undecided: no tag, which blocks
    assert schema.metadata[b"dtm:round"] == b"17"


def test_tags_of_the_event_are_small_json_without_cells(store: ObjectStore, frame: pd.DataFrame) -> None:
    labelled = classified()
    ref = rounds.put_table(store, frame, labelled)
    tags = rounds.tags(ref, labelled)
    assert json.loads(json.dumps(tags)) == {
        "dataset": "xyz/sites",
        "round": "17",
        "stage": "cleaned",
        "level": None,
        "columns": dict(zip(KEYS, ["Public", "Public", "Public", "Confidential", None], strict=True)),
        "policy_digest": "sha256:" + "ab" * 32,
        "path": ref.path,
        "sha256": ref.sha256,
        "rows": 3,
    }
    assert rounds.tags(ref, replace(labelled, level=Level.SECRET))["level"] == "Secret"
    assert CANARY not in json.dumps(tags)
    assert rounds.ref_from_json(tags) == ref


def test_a_reference_goes_through_json_and_comes_back(store: ObjectStore, frame: pd.DataFrame) -> None:
    ref = rounds.put_table(store, frame, classified())
    value = json.loads(json.dumps(rounds.ref_to_json(ref)))
    assert {type(each) for each in value.values()} == {str, int}
    assert rounds.is_ref(value)
    assert rounds.ref_from_json(value) == ref


@pytest.mark.parametrize(
    "change",
    [{"stage": "published"}, {"rows": "3"}, {"rows": True}, {"path": None}, {"sha256": 5}, {"dataset": None}],
    ids=str,
)
def test_what_is_no_reference_is_refused(change: dict[str, Any]) -> None:
    good = {"dataset": "d", "stage": "cleaned", "round": "17", "path": "p", "sha256": "s", "rows": 3}
    assert rounds.is_ref(good)
    for value in ({**good, **change}, {k: v for k, v in good.items() if k not in change}):
        assert not rounds.is_ref(value)
        with pytest.raises(Undecided, match="no reference to a table"):
            rounds.ref_from_json(value)


def test_other_values_are_no_references() -> None:
    assert not any(rounds.is_ref(value) for value in (None, 5, "x", [], ["dataset"], {}))


# ------------------------------------------------------------------------------ what does not match


def edited(change: Callable[[dict[str, Any]], object]) -> Callable[[ObjectStore, TableRef], None]:
    def edit(store: ObjectStore, ref: TableRef) -> None:
        document = sidecar(store, ref)
        change(document)
        store.put(sidecar_of(ref), json.dumps(document).encode())

    return edit


def fields(document: dict[str, Any]) -> list[dict[str, Any]]:
    return document["resources"][0]["schema"]["fields"]


DAMAGE: dict[str, tuple[Callable[[ObjectStore, TableRef], object], str]] = {
    "no sidecar": (lambda s, r: s.delete(sidecar_of(r)), "datapackage.json is missing"),
    "no table": (lambda s, r: s.delete(r.path), "table.parquet is missing"),
    "changed table": (lambda s, r: s.put(r.path, s.get(r.path) + b"x"), "table.parquet was changed"),
    "not JSON": (lambda s, r: s.put(sidecar_of(r), b"{"), "is not the sidecar of a table"),
    "not UTF-8": (lambda s, r: s.put(sidecar_of(r), b"\xff\xfe{"), "is not the sidecar of a table"),
    "a list": (lambda s, r: s.put(sidecar_of(r), b"[]"), "is not the sidecar of a table"),
    "two resources": (edited(lambda d: d["resources"].append({})), "is not the sidecar of a table"),
    "no fields": (edited(lambda d: d["resources"][0].pop("schema")), "is not the sidecar of a table"),
    "no level": (edited(lambda d: fields(d)[3].pop("dtm:level")), "is not the sidecar of a table"),
    "odd level": (
        edited(lambda d: fields(d)[3].update({"dtm:level": "public"})),
        "has a level that does not",
    ),
    "unhashable level": (edited(lambda d: fields(d)[3].update({"dtm:level": []})), "is not the sidecar of a"),
    "a field less": (edited(lambda d: fields(d).pop()), "other columns or rows"),
    "renamed field": (edited(lambda d: fields(d)[0].update(name="x")), "other columns or rows"),
    "other order": (edited(lambda d: fields(d).reverse()), "other columns or rows"),
    "other dataset": (edited(lambda d: d.update({"dtm:dataset": "xyz/x"})), "another dtm:dataset"),
    "other stage": (edited(lambda d: d.update({"dtm:stage": "collected"})), "another dtm:stage"),
    "no stage": (edited(lambda d: d.pop("dtm:stage")), "another dtm:stage"),
    "other round": (edited(lambda d: d.update({"dtm:round": "18"})), "another dtm:round"),
    "other rows": (edited(lambda d: d.update({"dtm:rows": 4})), "another dtm:rows"),
    "other path": (edited(lambda d: d["resources"][0].update(path="x")), "another path"),
    "other hash": (edited(lambda d: d["resources"][0].update(hash="sha256:0")), "another hash"),
}


@pytest.mark.parametrize(("damage", "sentence"), DAMAGE.values(), ids=DAMAGE.keys())
def test_what_is_missing_or_stale_is_undecided(
    store: ObjectStore, frame: pd.DataFrame, damage: Callable[[ObjectStore, TableRef], object], sentence: str
) -> None:
    ref = rounds.put_table(store, frame, classified())
    damage(store, ref)
    with pytest.raises(Undecided, match=f"{sentence}.*; run the task that made it again"):
        rounds.get_table(store, ref)


@pytest.mark.parametrize(
    "change",
    [{"dataset": "xyz/x"}, {"stage": Stage.COLLECTED}, {"round": "18"}, {"rows": 4}, {"sha256": "0" * 64}],
    ids=str,
)
def test_a_reference_to_something_else_is_undecided(
    store: ObjectStore, frame: pd.DataFrame, change: dict[str, Any]
) -> None:
    ref = replace(rounds.put_table(store, frame, classified()), **change)
    with pytest.raises(Undecided, match=r"has another (dtm:|hash)"):
        rounds.get_table(store, ref)


def test_the_table_of_another_classification_is_no_substitute(
    store: ObjectStore, frame: pd.DataFrame
) -> None:
    ref = rounds.put_table(store, frame, classified())
    other = rounds.put_table(store, frame, classified(policy_digest="sha256:" + "cd" * 32))
    for key in (lambda r: r.path, sidecar_of):
        store.put(key(ref), store.get(key(other)))
    with pytest.raises(Undecided, match="another hash"):
        rounds.get_table(store, ref)


def test_a_reference_may_not_lead_out_of_the_store(store: ObjectStore) -> None:
    ref = TableRef("d", Stage.CLEANED, "17", "../outside/table.parquet", "0" * 64, 1)
    with pytest.raises(StoreFailed, match="cannot be the key"):
        rounds.get_table(store, ref)


def test_a_crash_before_the_sidecar_leaves_the_table_undecided(
    store: ObjectStore, frame: pd.DataFrame, tmp_path: Path
) -> None:
    ref = rounds.put_table(store, frame, classified())
    store.delete(ref.path)
    store.delete(sidecar_of(ref))
    (tmp_path / "restricted" / sidecar_of(ref)).mkdir()  # so that the sidecar cannot be written
    with pytest.raises(StoreFailed, match=r"datapackage.json"):
        rounds.put_table(store, frame, classified())
    with pytest.raises(Undecided, match=r"datapackage.json is missing"):
        rounds.get_table(store, ref)


# ---------------------------------------------------------------------------------- what is not kept


@pytest.mark.parametrize("change", [{"stage": None}, {"round": None}, {"round": ""}], ids=str)
def test_a_table_without_round_or_stage_is_not_kept(
    store: ObjectStore, frame: pd.DataFrame, change: dict[str, Any]
) -> None:
    with pytest.raises(UsageProblem, match="kept by round and stage"):
        rounds.put_table(store, frame, classified(**change))
    assert store.list() == ()


def test_a_frame_other_than_the_classified_one_is_not_kept(store: ObjectStore, frame: pd.DataFrame) -> None:
    for other in (
        frame.iloc[:2],
        frame[list(KEYS[:4])],
        frame[list(reversed(KEYS))],
        frame.rename(columns={"Remarks": "x"}),
        frame.assign(extra="x"),
    ):
        with pytest.raises(Undecided, match="was changed after it was classified"):
            rounds.put_table(store, other, classified())
    assert store.list() == ()


@pytest.mark.parametrize(
    "odd", [[CANARY, 5, None], [2**70, 1, 1], [object(), 1, 1], [{CANARY: 1}, [1], "x"]], ids=str
)
def test_a_column_of_mixed_values_is_named_and_not_quoted(
    store: ObjectStore, frame: pd.DataFrame, odd: list[Any]
) -> None:
    mixed = frame.assign(Remarks=pd.Series(odd, dtype="object"))
    with pytest.raises(TableUnreadable, match=r"column 'Remarks': make them text first") as raised:
        rounds.put_table(store, mixed, classified())
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None
    assert CANARY not in str(raised.value)
    assert store.list() == ()
