"""Decisions as JSON and CSV: the shapes that other programs read. Levels are words, null where undecided."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from dtm_sharing.model import (
    Classification,
    ColumnLevel,
    Decision,
    Disclosure,
    Gap,
    Header,
    Holding,
    Level,
    Notice,
    ReleasableForm,
)

if TYPE_CHECKING:
    from dtm_sharing.stores.ledger_rows import Standing

# What JSON may hold bare, but a terminal would obey, or another reader refuse.
_UNSAFE = re.compile("[\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

# What a spreadsheet takes for the start of a formula (OWASP, CSV injection), full width forms included.
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")  # noqa: RUF001 - meant


def as_json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, indent=2)
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"


def level(value: Level | None) -> str | None:
    return None if value is None else value.label


def classification(judged: Classification, told: str | None = None) -> dict[str, Any]:
    return {
        "dataset": judged.dataset,
        **_grain(judged),
        "rows": judged.rows,
        "level": level(judged.level),
        "columns": [column(each) for each in judged.columns],
        "gaps": gaps(judged.gaps),
        "notices": notices(judged.notices),
        **_relied_upon(judged, judged.expires, told),
    }


def column(judged: ColumnLevel) -> dict[str, Any]:
    return {
        "position": judged.header.position,
        "name": judged.header.name,
        "question": judged.header.question,
        "level": level(judged.level),
        "indicator": judged.indicator,
        "reasons": [
            {
                "rule": each.rule,
                "source": str(each.source),
                "level": level(each.level),
                "waiver": each.waiver,
                "why": each.why,
            }
            for each in judged.reasons
        ],
    }


def gaps(missing: Iterable[Gap]) -> list[dict[str, Any]]:
    return [{"kind": each.kind, "sentence": each.sentence, "column": each.column} for each in missing]


def notices(told: Iterable[Notice]) -> list[dict[str, Any]]:
    return [{"kind": each.kind, "sentence": each.sentence, "on": each.on.isoformat()} for each in told]


def decision(
    decided: Decision, held: Sequence[Holding] | None = None, told: str | None = None
) -> dict[str, Any]:
    """The decision object. ``holdings``: how many tables they held; null where nobody could say."""
    judged = decided.classification
    return {
        "outcome": str(decided.outcome),
        "level": level(decided.level),
        "audience": str(decided.audience),
        "dataset": judged.dataset,
        **_grain(judged),
        "holdings": None if held is None else len(held),
        "obligations": [{"kind": each.kind, "sentence": each.sentence} for each in decided.obligations],
        "gaps": gaps(decided.gaps),
        "notices": notices(decided.notices),
        "refused": [
            {**_place(each.header), "level": level(each.level), "why": each.why} for each in decided.refused
        ],
        "forms": [_form(each) for each in decided.forms],
        "columns": [column(each) for each in judged.columns],
        "rules": [{"rule": rule, "source": str(source)} for rule, source in decided.rules],
        "waivers": list(decided.waivers),
        **_relied_upon(judged, decided.expires, told),
    }


def explanation(
    of: Classification | Decision,
    explained: ColumnLevel,
    sentence: str,
    missing: Sequence[Gap],
    told: str | None = None,
) -> dict[str, Any]:
    """``audience`` and ``outcome`` null: the table was judged by itself, for nobody."""
    decided = of if isinstance(of, Decision) else None
    judged = of.classification if isinstance(of, Decision) else of
    return {
        "dataset": judged.dataset,
        **_grain(judged),
        "audience": None if decided is None else str(decided.audience),
        "outcome": None if decided is None else str(decided.outcome),
        "sentence": sentence,
        "column": column(explained),
        "gaps": gaps(missing),
        **_relied_upon(judged, of.expires, told),
    }


def _place(header: Header) -> dict[str, Any]:
    return {"position": header.position, "column": header.name, "question": header.question}


def _grain(judged: Classification) -> dict[str, Any]:
    """The grain that was judged by, and what in the data says how fine a row is."""
    return {
        "grain": str(judged.grain),
        "evidence": [
            {"grain": str(each.grain), "column": each.column, "why": each.why} for each in judged.evidence
        ],
    }


def _form(form: ReleasableForm) -> dict[str, Any]:
    return {
        "leave_out": list(form.leave_out),
        "drop_at_collection": list(form.drop_at_collection),
        "aggregate_to": None if form.aggregate_to is None else str(form.aggregate_to),
        "by": list(form.by),
        "without_tables": list(form.without_tables),
        "keeps": len(form.keeps),
        "keep": list(form.keeps),
    }


def _relied_upon(judged: Classification, expires: date | None, told: str | None) -> dict[str, Any]:
    return {
        "expires": None if expires is None else expires.isoformat(),
        "policy_digest": judged.policy_digest,
        "policy": told,
        "as_of": judged.as_of.isoformat(),
    }


DISCLOSURE = tuple(each.name for each in fields(Disclosure))  # in JSON, and the columns of the CSV


def disclosure(sent: Disclosure) -> dict[str, Any]:
    return {name: _value(getattr(sent, name)) for name in DISCLOSURE}


def standing(each: Standing) -> dict[str, Any]:
    of = each.dispatch
    return {
        "key": of.key,
        "state": each.state.value,
        "dataset": of.dataset,
        "round": of.round,
        "organization": of.organization,
        "pathway": f"{of.agreement}/{of.urgency}",
        "method": of.method.value,
        "focal_point": of.focal_point,
        "since": _value(each.since),
        "overdue": each.overdue,
        "found_by": each.found_by,
        "reason": each.reason,
    }


def _value(value: Any) -> Any:
    match value:
        case datetime():
            return value.isoformat(timespec="seconds")
        case Level():
            return value.label
        case StrEnum():
            return value.value
        case tuple():
            return list(value)
        case _:
            return value


def as_csv(fields: Sequence[str], records: Iterable[Mapping[str, Any]]) -> str:
    """RFC 4180, a header row first. A text that a spreadsheet would run as a formula gets an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(fields)
    writer.writerows([_cell(record[field]) for field in fields] for record in records)
    return out.getvalue()


def _cell(value: Any) -> Any:
    text = "; ".join(value) if isinstance(value, list) else value
    return f"'{text}" if isinstance(text, str) and text.startswith(_FORMULA) else text
