"""The sample country's files hold fixed dates; a demonstration in another year runs on a shifted copy."""

from __future__ import annotations

import re
from datetime import date, timedelta

# On this day everything in the sample country is in force, and it stays so for at least ten months.
SAMPLE_DATE = date(2026, 11, 1)

_DATE = re.compile(r"(?<![\w-])\d{4}-\d{2}-\d{2}(?![\w-])", re.ASCII)


def shift_dates(text: str, days: int) -> str:
    """Move every YYYY-MM-DD in ``text`` by ``days``. Spans between dates stay what they are.

    What only looks like a date (2026-02-30) stays as it is, so that reading the policy still reports it;
    so does a day that would fall out of the calendar, such as 9999-12-31 for "forever".
    """

    def shifted(match: re.Match[str]) -> str:
        try:
            return (date.fromisoformat(match.group()) + timedelta(days=days)).isoformat()
        except (ValueError, OverflowError):
            return match.group()

    return _DATE.sub(shifted, text)
