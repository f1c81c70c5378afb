"""The program as a function call, and files for it to read."""

from __future__ import annotations

import csv
import gc
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dtm_sharing.cli.edge import run
from support.policies import HEADERS, write_policies


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture(autouse=True, scope="module")
def _closed_behind_them():
    """A program that ends closes its ledger; one that is only called leaves that to the collector."""
    yield
    gc.collect()


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch):
    """The machine's own settings, screen width and colours decide nothing here."""
    for name in ("POLICIES", "RESTRICTED_STORE", "PUBLIC_STORE", "LEDGER", "CREDENTIALS", "LEDGER_KEY"):
        monkeypatch.delenv(f"DTM_SHARING_{name}", raising=False)
    for name in ("FORCE_COLOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture
def cli(capsys) -> Callable[..., Answer]:
    """Run one command through the edge handler, as the installed program does."""

    def call(*arguments: object) -> Answer:
        capsys.readouterr()
        code = run([str(each) for each in arguments])
        printed = capsys.readouterr()
        return Answer(code, printed.out, printed.err)

    return call


@pytest.fixture
def policies(tmp_path) -> Path:
    """The made-up country's policy folder."""
    return write_policies(tmp_path / "policies")


@pytest.fixture
def table(tmp_path) -> Callable[..., Path]:
    """Write a table of the made-up country: raw, with two head rows, or with its header in row 1."""

    def write(
        headers: Sequence[str] = HEADERS,
        *,
        raw: bool = True,
        rows: int = 3,
        cell: Callable[[int, int], str] = lambda row, column: str(100 * row + column),
        encoding: str = "utf-8",
        name: str = "round.csv",
    ) -> Path:
        head = [["Total", *[""] * (len(headers) - 1)], ["Round 2", *[""] * (len(headers) - 1)]] if raw else []
        body = [[cell(row, column) for column in range(len(headers))] for row in range(rows)]
        path = tmp_path / name
        with path.open("w", newline="", encoding=encoding) as file:
            csv.writer(file).writerows([*head, list(headers), *body])
        return path

    return write


@pytest.fixture
def judge(cli, policies) -> Callable[..., Answer]:
    """A command on a file of the sample's dataset, on a day when the whole sample is in force."""

    def call(command: str, file: Path, *options: object) -> Answer:
        usual = ("--dataset", "xyz/site-assessment", "--policies", policies, "--as-of", "2026-11-22")
        return cli(command, file, *usual, *options)

    return call
