"""Where our errors become Airflow's: one sentence in the log, and a retry only where that is safe."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from dtm_sharing.errors import SharingError

log = logging.getLogger("dtm_sharing")


@contextmanager
def plainly() -> Iterator[None]:
    """Turn an error of ours into Airflow's: fail without retries unless the error says a retry is safe.

    Raises:
        AirflowFailException: a decision or a mistake; trying again would change nothing, or would be unsafe.
        AirflowException: a store or server did not answer; Airflow may try again.
    """
    from airflow.sdk.exceptions import AirflowException, AirflowFailException

    try:
        yield
    except SharingError as problem:
        sentence, kind = str(problem), AirflowException if problem.retry else AirflowFailException
        log.error("%s", sentence)  # noqa: TRY400 - the traceback of a refusal helps nobody
    else:
        return
    raise kind(sentence)
