"""The programs in docs/operations.md do what the page says, on credentials that the pipeline made."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dtm_sharing.demo.workspace import ORIGIN
from dtm_sharing.package.password import word_list
from support.demonstrated import Demonstrated, demonstrate
from support.loading import ROOT

PAGE = (ROOT / "docs" / "operations.md").read_text("utf-8")
CONNECTIONS = "/run/secrets/connections.json"
COMMAND = re.compile(
    r"^docker compose exec scheduler python -c '\n(.*?)^' ([^\n]+)$", re.MULTILINE | re.DOTALL
)
PERSON, METHOD = "npl/scpa-primary", "excel-email"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Demonstrated:
    return demonstrate(tmp_path_factory.mktemp("operations") / ".demo")


def run(code: str, arguments: list[str], made: Demonstrated, folder: Path) -> str:
    """As in the container, but for the place of the connections."""
    held = folder / "connections.json"
    held.write_text(json.dumps({"dtm_sharing_keys": {"host": ORIGIN, "password": made.space.master}}))
    assert CONNECTIONS in code
    done = subprocess.run(
        [sys.executable, "-c", code.replace(CONNECTIONS, str(held)), *arguments],
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT / "plugins"),
            "DTM_SHARING_CREDENTIALS": str(made.space.credentials),
        },
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.strip()


def test_a_password_is_told_and_ended_as_the_page_says(made, tmp_path):
    (tell, of_one), (end, of_all) = COMMAND.findall(PAGE)
    assert (of_one.split(), of_all.split()) == ([PERSON, METHOD], [PERSON])
    words = run(tell, of_one.split(), made, tmp_path).split()
    assert len(words) == 7
    assert set(words) <= set(word_list())
    assert run(end, of_all.split(), made, tmp_path) == "2 ended"
    assert run(tell, of_one.split(), made, tmp_path).startswith("none yet")


SENTENCES = sorted(set(re.findall(r"^\| `([^`]+)` \|", PAGE, re.MULTILINE)))


@pytest.mark.parametrize("sentence", [each for each in SENTENCES if "…" in each or ";" in each])
def test_a_sentence_of_the_page_is_one_that_the_code_says(sentence):
    """Its longest piece of fixed text stands in a module of ours."""
    piece = max(re.split(r"…|FILE:LINE:COLUMN|[XN] |'x'", sentence), key=len).strip(" :")
    code = "".join(path.read_text("utf-8") for path in (ROOT / "plugins").rglob("*.py"))
    flat = re.sub(r'"\s*f?"', "", re.sub(r"\s+", " ", code))
    assert not piece or piece in flat, piece


def test_the_states_are_those_of_a_dispatch():
    from dtm_sharing.model import DispatchState

    named = {each for each in SENTENCES if each in {state.value for state in DispatchState}}
    ended = {"sent", "acknowledged", "cancelled"}
    assert named == {state.value for state in DispatchState} - ended
