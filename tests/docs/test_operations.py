"""The commands in docs/operations.md do what the page says, on what the pipeline made."""

from __future__ import annotations

import os
import re
import shlex
import sys

import pytest

from dtm_sharing.model import Delivery, DispatchState, Finding, Receipt
from dtm_sharing.package.password import word_list
from dtm_sharing.stores.database import Ledger
from support.demonstrated import Demonstrated, demonstrate
from support.ledgers import LEASE, NOW, dispatch, intend
from support.loading import ROOT
from support.terminals import on_terminal

PAGE = (ROOT / "docs" / "operations.md").read_text("utf-8")
COMMANDS = re.findall(r"^docker compose exec scheduler (dtm-sharing [^\n]+)$", PAGE, re.MULTILINE)
LEAVES = "npl/scpa-primary"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Demonstrated:
    return demonstrate(tmp_path_factory.mktemp("operations") / ".demo")


def types(command: str, made: Demonstrated) -> str:
    """As somebody types it in the container, who knows the master secret."""
    own = {
        "PYTHONPATH": str(ROOT / "plugins"),
        "DTM_SHARING_POLICIES": str(made.space.policies),
        "DTM_SHARING_LEDGER": str(made.space.ledger),
        "DTM_SHARING_CREDENTIALS": str(made.space.credentials),
    }
    program = [sys.executable, "-m", "dtm_sharing.cli", *shlex.split(command)[1:]]
    screen = on_terminal(program, made.space.master, env={**os.environ, **own})
    assert screen.code == 0, screen.text
    return screen.text


def test_a_password_is_told_rotated_and_ended_as_the_page_says(made):
    tell, rotate, end = (each for each in COMMANDS if " password " in each)
    told = [_words(types(tell, made)) for _ in range(2)]
    assert "version 2 in place of version 1" in types(rotate, made)
    told.append(_words(types(tell, made)))
    assert told[0] == told[1] != told[2]
    assert f"{LEAVES}: 2 ended." in types(end, made)


def _words(screen: str) -> list[str]:
    """The line of the screen that is a password."""
    known = set(word_list())
    (words,) = (line.split() for line in screen.splitlines() if line.strip() and set(line.split()) <= known)
    assert len(words) == 7
    return words


def test_an_unknown_outcome_is_settled_as_the_page_says(made):
    (settle,) = (each for each in COMMANDS if " settle " in each)
    opened = Ledger(made.space.ledger)
    unknown = intend(opened, dispatch(opened))
    opened.conclude(opened.claim(unknown.key, NOW, LEASE), Receipt(Delivery.OUTCOME_UNKNOWN, "x"), NOW)
    assert "outcome-unknown, now sent" in types(settle.replace("KEY", unknown.key[:8]), made)


def test_what_was_sent_is_recalled_as_the_page_says(made):
    (recall,) = (each for each in COMMANDS if " recall " in each)
    sent = next(each for each in Ledger(made.space.ledger).disclosures("scpa") if each.state.is_held)
    said = types(recall.replace("KEY", sent.key), made)
    assert f"{sent.state}, now recalled." in said
    assert "No relation is judged by it any more" in said


def test_every_command_of_the_page_is_tried_above():
    assert len(COMMANDS) == 5


SENTENCES = sorted(set(re.findall(r"^\| `([^`]+)` \|", PAGE, re.MULTILINE)))


@pytest.mark.parametrize("sentence", [each for each in SENTENCES if "…" in each or ";" in each])
def test_a_sentence_of_the_page_is_one_that_the_code_says(sentence):
    """Its longest piece of fixed text stands in a module of ours."""
    piece = max(re.split(r"…|FILE:LINE:COLUMN|[XN] |'x'", sentence), key=len).strip(" :")
    code = "".join(path.read_text("utf-8") for path in (ROOT / "plugins").rglob("*.py"))
    flat = re.sub(r'"\s*f?"', "", re.sub(r"\s+", " ", code))
    assert not piece or piece in flat, piece


def test_the_states_are_those_of_a_dispatch():
    named = {each for each in SENTENCES if each in {state.value for state in DispatchState}}
    findings = {each.value for each in Finding if each is not Finding.RECALLED}
    assert named - findings == {state.value for state in DispatchState if state.is_open}
    assert findings <= set(SENTENCES)
