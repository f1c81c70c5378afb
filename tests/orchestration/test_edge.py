"""What an author's cleaning function says stays out of the log, whatever it does."""

from __future__ import annotations

import logging
import sys

import pytest

from dtm_sharing.errors import GateDenied, StoreFailed, Undecided, UsageProblem
from dtm_sharing.orchestration.edge import call_quietly, plainly

pytestmark = pytest.mark.airflow

CANARY = "CANARY-2077"


def talks(cell):
    print("row", cell)
    print("row", cell, file=sys.stderr)
    return cell


def fails(cell):
    return int(cell)


def fails_and_chains(cell):
    try:
        return int(cell)
    except ValueError as problem:
        raise KeyError(cell) from problem


def leaves(cell):
    sys.exit(cell)


def refuses(_cell):
    raise Undecided("something is missing")


def test_what_it_prints_is_counted_and_dropped(caplog, capfd):
    assert call_quietly(talks, [CANARY], {}) == CANARY
    assert CANARY not in caplog.text + "".join(capfd.readouterr())
    assert "talks printed 2 lines" in caplog.text


@pytest.mark.parametrize("function", [fails, fails_and_chains, leaves])
def test_how_it_fails_is_told_without_the_text(function, caplog, capfd):
    with pytest.raises(UsageProblem) as problem:
        call_quietly(function, [CANARY], {})
    line = function.__code__.co_firstlineno + (4 if function is fails_and_chains else 1)
    assert f"at line {line} of its file" in str(problem.value)
    assert problem.value.__cause__ is None
    assert problem.value.__context__ is None
    assert CANARY not in str(problem.value) + caplog.text + "".join(capfd.readouterr())


def test_an_error_of_ours_stays_what_it_is():
    with pytest.raises(Undecided, match="something is missing"):
        call_quietly(refuses, [CANARY], {})


def test_a_bug_is_named_by_type_and_place_and_never_by_its_text(caplog):
    from airflow.sdk.exceptions import AirflowException, AirflowSkipException

    with (
        pytest.raises(AirflowException, match=r"^This is a bug: ValueError at .*:\d+; ") as raised,
        plainly(),
    ):
        fails(CANARY)
    assert raised.value.__suppress_context__
    assert CANARY not in str(raised.value) + caplog.text
    with pytest.raises(AirflowSkipException, match="nothing to do"), plainly():
        raise AirflowSkipException("nothing to do")


def test_only_what_is_safe_to_try_again_is_tried_again(caplog):
    from airflow.sdk.exceptions import AirflowException, AirflowFailException

    for problem, final in [(GateDenied("no"), True), (Undecided("?"), True), (StoreFailed("later"), False)]:
        with pytest.raises(AirflowException) as raised, plainly():
            raise problem
        assert isinstance(raised.value, AirflowFailException) is final
        assert raised.value.__suppress_context__
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 3
