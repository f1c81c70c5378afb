"""Great Expectations holds the finished artefact against the decision, quietly and without values."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from dtm_sharing import expectations
from dtm_sharing.errors import PackageUnsafe
from dtm_sharing.expectations import Checked, check
from dtm_sharing.model import PUBLIC, Header, Level, Method, Refusal
from dtm_sharing.package import build_and_reopen
from support.approvals import approved, password

CANARY = "CANARY-7f3a-Sita"
KEY = ["Site ID"]
PLUGINS = Path(expectations.__file__).parents[1]


def table() -> pd.DataFrame:
    return pd.DataFrame(
        {"Site ID": ["S1", "S2", "S3"], "Ward": ["1", "1", "2"], "Note": [CANARY, "", ""]}, dtype="str"
    )


@pytest.mark.parametrize("method", [Method.EXCEL_EMAIL, Method.DOCUMENT_EMAIL])
def test_a_finished_artefact_meets_its_expectations(method: Method) -> None:
    frame = table()
    approval = approved(frame)
    _, reopened = build_and_reopen(approval, frame, method, password())
    assert check(approval, reopened, KEY) == Checked(expectations=6)


def test_a_published_artefact_meets_its_expectations() -> None:
    frame = table()
    approval = approved(frame, PUBLIC)
    assert check(approval, build_and_reopen(approval, frame, None, None)[1], KEY).expectations == 6


SPOILT: dict[str, tuple[Callable[[pd.DataFrame], pd.DataFrame], str]] = {
    "a row less": (lambda f: f.iloc[1:], "expect_table_row_count_to_equal"),
    "a row more": (lambda f: pd.concat([f, f]), "expect_table_row_count_to_equal"),
    "no row": (lambda f: f.iloc[:0], "expect_table_row_count_to_equal"),
    "another order": (lambda f: f.iloc[:, ::-1], "expect_table_columns_to_match_ordered_list"),
    "a column more": (lambda f: f.assign(more=CANARY), "expect_table_columns_to_match_set"),
    "a column less": (lambda f: f.drop(columns="Ward"), "expect_table_columns_to_match_ordered_list"),
    "no key column": (lambda f: f.drop(columns="Site ID"), "expect_column_values_to_be_unique (Site ID)"),
    "a blank key": (lambda f: f.replace("S2", " "), "expect_column_values_to_match_regex (Site ID)"),
    "an empty key": (lambda f: f.replace("S2", ""), "expect_column_values_to_match_regex (Site ID)"),
    "a missing key": (lambda f: f.replace("S2", None), "expect_column_values_to_not_be_null (Site ID)"),
    "a key twice": (
        lambda f: f.assign(**{"Site ID": [*f["Site ID"][:2], f["Site ID"][0]]}),
        "expect_column_values_to_be_unique (Site ID)",
    ),
}


@pytest.mark.parametrize(("spoil", "expectation"), SPOILT.values(), ids=SPOILT)
def test_what_is_not_met_is_named_without_a_value(
    spoil: Callable[[pd.DataFrame], pd.DataFrame],
    expectation: str,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    frame = table().replace("S1", f"{CANARY}-1").replace("S3", f"{CANARY}-3")
    approval = approved(frame)
    with pytest.raises(PackageUnsafe) as refused:
        check(approval, spoil(frame), KEY)
    assert expectation in str(refused.value)
    assert refused.value.__suppress_context__ or refused.value.__context__ is None
    printed = capfd.readouterr()
    said = f"{refused.value!r}{printed.out}{printed.err}{caplog.text}"
    assert CANARY not in said
    assert printed.err == printed.out == ""  # no progress bar either


def test_a_key_of_two_columns_is_unique_together() -> None:
    frame = table()
    assert check(approved(frame), frame, ["Ward", "Note"][:1] + KEY).expectations == 8
    twice = frame.assign(**{"Site ID": ["S1", "S1", "S2"]})
    with pytest.raises(PackageUnsafe, match="expect_compound_columns_to_be_unique"):
        check(approved(frame), twice, ["Ward", "Site ID"])


def test_a_key_that_the_extract_leaves_out_is_not_asked_for() -> None:
    frame = table()[["Ward", "Note"]]
    assert check(approved(frame), frame, KEY).expectations == 3
    # A part of a key may be there twice, but it may not be blank.
    assert check(approved(frame), frame, ["Site ID", "Ward"]).expectations == 5


@pytest.mark.parametrize("level", [Level.SECRET, None])
def test_a_column_that_may_not_leave_is_noticed_even_if_it_was_approved(level: Level | None) -> None:
    frame = table()
    with pytest.raises(PackageUnsafe, match="expect_table_columns_to_match_set"):
        check(approved(frame, levels={"Note": level}), frame, KEY)


def test_a_confidential_or_refused_column_is_noticed_in_what_is_published() -> None:
    frame = table()
    with pytest.raises(PackageUnsafe, match="expect_table_columns_to_match_set"):
        check(approved(frame, PUBLIC, levels={"Note": Level.CONFIDENTIAL}), frame, KEY)
    refusal = Refusal(Header(3, "Note", None, "Note"), Level.PUBLIC, "…")
    with pytest.raises(PackageUnsafe, match="expect_table_columns_to_match_set"):
        check(approved(frame, refused=(refusal,)), frame, KEY)


def test_an_expectation_that_was_not_checked_counts_as_not_met(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = table()
    monkeypatch.setattr(expectations, "_validate", lambda *_: [("expect_table_row_count_to_equal", True)])
    with pytest.raises(PackageUnsafe, match="Only 1 of 6"):
        check(approved(frame), frame, KEY)


def test_its_loggers_are_as_they_were_afterwards() -> None:
    logger = logging.getLogger("great_expectations")
    before = (logger.level, logger.propagate, list(logger.handlers))
    check(approved(table()), table())
    assert (logger.level, logger.propagate, list(logger.handlers)) == before


def test_it_connects_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert check(approved(table()), table(), KEY).expectations == 6


def test_in_a_fresh_process_it_prints_nothing_writes_nothing_and_turns_analytics_off(tmp_path: Path) -> None:
    program = (
        "import os, sys, logging, tempfile\n"
        "logging.basicConfig(level=logging.DEBUG); tempfile.mkdtemp = None\n"
        "from dtm_sharing import expectations\n"
        "assert 'great_expectations' not in sys.modules and 'pandas' not in sys.modules\n"
        "from support.approvals import approved\n"
        "import pandas as pd\n"
        "frame = pd.DataFrame({'a': ['x', 'y']}, dtype='str')\n"
        "expectations.check(approved(frame), frame, ['a'])\n"
        "assert os.environ['GX_ANALYTICS_ENABLED'] == 'false'\n"
    )
    paths = os.pathsep.join([str(PLUGINS), str(Path(__file__).parents[1])])
    given = {**os.environ, "PYTHONPATH": paths, "HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    given.pop("GX_ANALYTICS_ENABLED", None)
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", program],
        cwd=tmp_path,
        env=given,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "great_expectations" not in done.stderr
    assert "it/s" not in done.stderr
    assert list(tmp_path.iterdir()) == []
