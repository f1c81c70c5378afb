"""Approvals of frames at hand, as the gate would give them, and passwords to package them with."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from dtm_sharing.model import (
    PUBLIC,
    Approved,
    Audience,
    Classification,
    ColumnLevel,
    Decision,
    Grain,
    Header,
    Level,
    Outcome,
    Stage,
    Urgency,
)
from dtm_sharing.package import Password, generate_password

if TYPE_CHECKING:
    import pandas as pd

PATHWAY = Audience("tst/partner", Urgency.LOW)


def approved(
    frame: pd.DataFrame,
    audience: Audience = PATHWAY,
    *,
    levels: Mapping[str, Level | None] | None = None,
    rows: int | None = None,
    **decision: Any,
) -> Approved:
    """An approval of exactly this frame: each column Public for the public, else Confidential."""
    usual = Level.PUBLIC if audience == PUBLIC else Level.CONFIDENTIAL
    columns = tuple(
        ColumnLevel(Header(n, key, None, key), "an-indicator", (levels or {}).get(key, usual), ())
        for n, key in enumerate(map(str, frame.columns), start=1)
    )
    classification = Classification(
        dataset="tst/sites",
        grain=Grain.SITE,
        rows=len(frame) if rows is None else rows,
        stage=Stage.CLEANED,
        round="2026-10",
        level=usual,
        columns=columns,
        gaps=(),
        expires=None,
        policy_digest="sha256:00",
        as_of=date(2026, 11, 22),
    )
    plain = {
        "refused": (),
        "gaps": (),
        "obligations": (),
        "forms": (),
        "rules": (),
        "waivers": (),
        "expires": None,
    }
    return Approved(
        Decision(
            **{
                "outcome": Outcome.ALLOW,
                "audience": audience,
                "classification": classification,
                **plain,
                **decision,
            }
        )
    )


def password(words: int = 7) -> Password:
    return generate_password(words, secrets.choice)
