"""Where our errors become Airflow's, and where an author's code is kept from quoting a table in a log."""

from __future__ import annotations

import inspect
import io
import logging
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any

from dtm_sharing.errors import SharingError, UsageProblem, bug

log = logging.getLogger("dtm_sharing")


@contextmanager
def plainly() -> Iterator[None]:
    """Turn an error of ours into Airflow's: fail without retries unless the error says a retry is safe.

    Raises:
        AirflowFailException: a decision or a mistake; trying again would change nothing, or would be unsafe.
        AirflowException: a store or server did not answer, or there is a bug; Airflow may try again.
    """
    from airflow.sdk.exceptions import AirflowException, AirflowFailException

    try:
        yield
    except SharingError as problem:
        sentence, kind = str(problem), AirflowException if problem.retry else AirflowFailException
        log.error("%s", sentence)  # noqa: TRY400 - the traceback of a refusal helps nobody
    except AirflowException:
        raise
    except Exception as error:  # noqa: BLE001 - of a library below us; its text may quote a cell
        sentence, kind = bug(error), AirflowException
        log.error("%s", sentence)  # noqa: TRY400 - so may its traceback
    else:
        return
    raise kind(sentence) from None  # what caused it may quote a cell, and Airflow would log it


def call_quietly(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Call a cleaning function, and log nothing of what it says: it works on cells, and may quote them.

    What it prints is counted and dropped. What it logs through ``logging`` is its author's to answer for.

    Raises:
        SharingError: as the function raised it.
        UsageProblem: it raised something else: the kind and the line, not the text.
    """
    said = io.StringIO()
    try:
        with redirect_stdout(said), redirect_stderr(said):
            return function(*args, **kwargs)
    except SharingError:
        raise
    except (Exception, SystemExit) as problem:  # noqa: BLE001 - foreign code may put a cell value in it
        kind, line = type(problem).__name__, _line_in(function, problem)
    finally:
        if lines := len(said.getvalue().splitlines()):
            log.warning("%s printed %d lines; they may quote cells and are dropped", function.__name__, lines)
    raise UsageProblem(
        f"{function.__name__} failed with {kind} at line {line} of its file; "
        "the message is withheld, because it may quote a cell of the table"
    )


def _line_in(function: Callable[..., Any], problem: BaseException) -> int:
    """The last line of the function's own file that the error passed through."""
    own = inspect.getsourcefile(function)
    steps = traceback.extract_tb(problem.__traceback__)
    return next((step.lineno or 0 for step in reversed(steps) if step.filename == own), 0)
