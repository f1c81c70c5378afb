"""Tables of rounds in the restricted store: Parquet, and beside it the sidecar with the level of each column.

    <dataset>/<round>/<stage>/<first 16 digits of SHA-256>/table.parquet
                                                           datapackage.json

The sidecar is the authority on the levels and is bound to the Parquet file by SHA-256. The levels in the
Parquet fields are a copy for other tools, most of which lose it. What is missing or does not match means
undecided: no level is ever guessed.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from io import BytesIO
from typing import TYPE_CHECKING, Any, cast

from dtm_sharing.errors import TableUnreadable, Undecided, UsageProblem
from dtm_sharing.model import Classification, ColumnLevel, Level, Stage, TableRef
from dtm_sharing.stores.objects import ObjectStore

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

TABLE, SIDECAR = "table.parquet", "datapackage.json"
AGAIN = "run the task that made it again"
LONGEST_ROUND = 100  # bytes of a round's name: it is a folder's name in both stores
SHORT = 16  # digits of the SHA-256 in a path; the whole of it is in the sidecar and the reference
LEVELS = {level.label for level in Level}
_KINDS = {"dataset": str, "stage": str, "round": str, "path": str, "sha256": str, "rows": int}


def put_table(store: ObjectStore, frame: pd.DataFrame, classification: Classification) -> TableRef:
    """Keep a table of a round with its classification. The same table again changes nothing.

    The sidecar is written last: a table without one, after a crash, counts as undecided.

    Raises:
        UsageProblem: the classification names no stage or round.
        Undecided: it is not the classification of this frame.
        TableUnreadable: a column mixes kinds of values.
        StoreFailed: the store did not take it.
    """
    import pyarrow.parquet as pq

    stage, round_ = classification.stage, classification.round
    if stage is None or not round_:
        raise UsageProblem(f"A table of {classification.dataset} is kept by round and stage: name both")
    _require_same_table(frame, classification)
    buffer = BytesIO()
    table = _tagged(frame, classification)
    pq.write_table(table, buffer, compression="zstd")
    content = buffer.getvalue()
    digest = hashlib.sha256(content).hexdigest()
    folder = "/".join(
        [*map(_segment, classification.dataset.split("/")), _segment(round_), stage, digest[:SHORT]]
    )
    ref = TableRef(classification.dataset, stage, round_, f"{folder}/{TABLE}", digest, classification.rows)
    store.put(ref.path, content)
    store.put(f"{folder}/{SIDECAR}", _sidecar(ref, len(content), table, classification))
    return ref


def check_round(name: str) -> None:
    """Refuse what cannot be the name of a round: it stands in paths, in the ledger and in people's mouths.

    Raises:
        UsageProblem: it is empty, too long, or has a sign that means something in a path or ends a line.
    """
    good = name == name.strip() and name.isprintable() and not name.startswith(".") and not {*name} & {*"/\\"}
    if not name or not good or len(name.encode()) > LONGEST_ROUND:
        raise UsageProblem(
            f"A round's name is printable, of at most {LONGEST_ROUND} bytes, without '/', '\\', a dot as its "
            "first sign or blanks at its ends, e.g. '2' or '2026-10': name the round so"
        )


def get_table(store: ObjectStore, ref: TableRef) -> pd.DataFrame:
    """The table behind a reference, as it was put, if its sidecar vouches for it.

    Raises:
        Undecided: table or sidecar is missing, or was changed, or belongs to another reference.
        StoreFailed: the store did not answer.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    place = f"{ref.path.rpartition('/')[0]}/{SIDECAR}"
    for key in (ref.path, place):
        if not store.exists(key):
            raise Undecided(f"{store.where(key)} is missing, so the levels of the table are unknown; {AGAIN}")
    sidecar = _read_sidecar(store.get(place), store.where(place))
    _require_same_reference(sidecar, ref, store.where(place))
    content = store.get(ref.path)
    if hashlib.sha256(content).hexdigest() != ref.sha256:
        raise Undecided(f"{store.where(ref.path)} was changed after it was classified; {AGAIN}")
    frame: pd.DataFrame = pq.read_table(pa.BufferReader(content)).to_pandas()
    if [*frame.columns] != [*sidecar["levels"]] or len(frame) != ref.rows:
        raise Undecided(f"{store.where(place)} describes other columns or rows than its table has; {AGAIN}")
    return frame


def levels(store: ObjectStore, ref: TableRef) -> dict[str, str | None]:
    """The level of each column as its sidecar says; None is undecided. Raises as ``get_table``."""
    place = f"{ref.path.rpartition('/')[0]}/{SIDECAR}"
    sidecar = _read_sidecar(store.get(place), store.where(place))
    _require_same_reference(sidecar, ref, store.where(place))
    return dict(sidecar["levels"])


def _require_same_reference(sidecar: Mapping[str, Any], ref: TableRef, place: str) -> None:
    expected = {
        "dtm:dataset": ref.dataset,
        "dtm:stage": ref.stage.value,
        "dtm:round": ref.round,
        "dtm:rows": ref.rows,
        "path": ref.path.rpartition("/")[2],
        "hash": f"sha256:{ref.sha256}",
    }
    for tag, value in expected.items():
        if sidecar.get(tag) != value:
            raise Undecided(f"{place} has another {tag} than the reference to it; {AGAIN}")


def tags(ref: TableRef, classification: Classification) -> dict[str, Any]:
    """What an asset's event says of a table: the reference and labels, no data. Level null: undecided."""
    return {
        **ref_to_json(ref),
        "level": _label(classification.level),
        "columns": {each.header.key: _label(each.level) for each in classification.columns},
        "policy_digest": classification.policy_digest,
    }


def ref_to_json(ref: TableRef) -> dict[str, str | int]:
    """A reference as JSON, for XCom."""
    return {
        "dataset": ref.dataset,
        "stage": ref.stage.value,
        "round": ref.round,
        "path": ref.path,
        "sha256": ref.sha256,
        "rows": ref.rows,
    }


def ref_from_json(value: Mapping[str, Any]) -> TableRef:
    """The reference in what ``ref_to_json`` or ``tags`` made.

    Raises:
        Undecided: there is none in it.
    """
    if not is_ref(value):
        raise Undecided(
            "This is no reference to a table in the restricted store: it has to come from a task's output"
        )
    stage = Stage(value["stage"])
    return TableRef(value["dataset"], stage, value["round"], value["path"], value["sha256"], value["rows"])


def is_ref(value: object) -> bool:
    """Whether a value is the JSON of a reference, as it comes through XCom."""
    if not isinstance(value, Mapping):
        return False
    kinds = all(type(value.get(name)) is kind for name, kind in _KINDS.items())
    return kinds and value["stage"] in {stage.value for stage in Stage}


# ----------------------------------------------------------------------------------------- Parquet


def _require_same_table(frame: pd.DataFrame, classification: Classification) -> None:
    keys = [each.header.key for each in classification.columns]
    if [*frame.columns] != keys or len(frame) != classification.rows:
        raise Undecided(
            f"The table of {classification.dataset} was changed after it was classified: it has "
            f"{len(frame)} rows and {len(frame.columns)} columns, the classification has "
            f"{classification.rows} and {len(keys)}, or their names differ; classify it again"
        )


def _tagged(frame: pd.DataFrame, classification: Classification) -> pa.Table:
    """The frame as Arrow with a level and an indicator in the metadata of each field.

    The file's own metadata binds dataset, round, stage and policy into its hash, so that tables which differ
    in these alone do not share a path.
    """
    import pyarrow as pa

    table = _arrow(frame, classification.dataset)
    fields = [
        field.with_metadata(_field_tags(column))
        for field, column in zip(table.schema, classification.columns, strict=True)
    ]
    own = {f"dtm:{name}": value for name, value in _identity(classification).items() if value is not None}
    return table.cast(pa.schema(fields, {**(table.schema.metadata or {}), **own}))


def _arrow(frame: pd.DataFrame, dataset: str) -> pa.Table:
    import pyarrow as pa

    bare = frame.copy(deep=False)
    bare.attrs = {}  # an author's notes; they would go into the file
    try:
        return pa.Table.from_pandas(bare, preserve_index=False)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        mixed = [str(key) for key in bare.columns if not _storable(bare[key])]  # the message quotes a cell
    raise TableUnreadable(
        f"The table of {dataset} has different kinds of values in column {mixed[0]!r}: make them text first, "
        "with .astype(str)"
        if mixed
        else f"The table of {dataset} cannot be stored: make its cells text first"
    )


def _storable(column: pd.Series[Any]) -> bool:
    import pyarrow as pa

    try:
        pa.array(column, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return False
    return True


# ----------------------------------------------------------------------------------------- tags


def _identity(classification: Classification) -> dict[str, str | None]:
    return {
        "dataset": classification.dataset,
        "stage": classification.stage.value if classification.stage else None,
        "round": classification.round,
        "grain": classification.grain.value,
        "level": _label(classification.level),
        "policy_digest": classification.policy_digest,
    }


def _field_tags(column: ColumnLevel) -> dict[str, str]:
    """A column without a level or an indicator has no tag for it: missing means undecided."""
    found = {"dtm:level": _label(column.level), "dtm:indicator": column.indicator}
    return {name: value for name, value in found.items() if value is not None}


def _label(level: Level | None) -> str | None:
    return None if level is None else level.label


def _sidecar(ref: TableRef, size: int, table: pa.Table, classification: Classification) -> bytes:
    """A Frictionless data package of one resource, with our tags under ``dtm:``."""
    fields = [
        {
            "name": column.header.key,
            "type": _frictionless(field.type),
            "dtm:level": _label(column.level),
            "dtm:indicator": column.indicator,
        }
        for field, column in zip(table.schema, classification.columns, strict=True)
    ]
    resource = {
        "name": "table",
        "path": TABLE,
        "format": "parquet",
        "mediatype": "application/vnd.apache.parquet",
        "hash": f"sha256:{ref.sha256}",
        "bytes": size,
        "schema": {"fields": fields},
    }
    document = {
        "name": re.sub(r"[^a-z0-9._-]+", "-", f"{ref.dataset}-{ref.round}-{ref.stage}".lower()),
        **{f"dtm:{name}": value for name, value in _identity(classification).items()},
        "dtm:rows": ref.rows,
        "resources": [resource],
    }
    return json.dumps(document, ensure_ascii=False, indent=2).encode()


def _frictionless(kind: Any) -> str:
    """The Frictionless type of an Arrow type; "any" where there is none."""
    from pyarrow import types

    tests = {
        "string": (types.is_string, types.is_large_string),
        "integer": (types.is_integer,),
        "number": (types.is_floating, types.is_decimal),
        "boolean": (types.is_boolean,),
        "date": (types.is_date,),
        "datetime": (types.is_timestamp,),
    }
    return next((name for name, known in tests.items() if any(test(kind) for test in known)), "any")


def _read_sidecar(content: bytes, place: str) -> dict[str, Any]:
    """The sidecar's tags, those of its resource, and ``levels`` by column.

    Raises:
        Undecided: it is not a sidecar of ours, or a column has no level in it.
    """
    try:
        document = json.loads(content)
        (resource,) = document["resources"]
        levels = {field["name"]: field["dtm:level"] for field in resource["schema"]["fields"]}
        wrong = any(level is not None and level not in LEVELS for level in levels.values())
        found = {**document, "path": resource["path"], "hash": resource["hash"], "levels": levels}
    except (ValueError, KeyError, TypeError) as error:
        raise Undecided(f"{place} is not the sidecar of a table; {AGAIN}") from error
    if wrong:
        raise Undecided(f"{place} has a level that does not exist; {AGAIN}")
    return cast("dict[str, Any]", found)


def _segment(text: str) -> str:
    """A part of a path: no separator, no leading dot. The hash in the path tells apart what becomes alike."""
    return re.sub(r"^\.|[^A-Za-z0-9._-]", "_", text)
