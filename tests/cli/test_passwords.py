"""password tell, rotate and end, and ledger key: real processes on a real terminal."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dtm_sharing.package.password import word_list
from dtm_sharing.stores.credentials import Credentials
from dtm_sharing.stores.database import Ledger
from dtm_sharing.stores.keys import Keys
from support import ledgers
from support.policies import SCPA, patched, sample_files, write_policies
from support.terminals import PROMPT, Screen, on_terminal

PLUGINS = Path(__file__).parents[2] / "plugins"
NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
MASTER = base64.b64encode(bytes(range(32))).decode()
ORIGIN = "dtm.example.org/xyz"
KEYS = Keys.derive(MASTER, ORIGIN)
OTHER_MASTER = base64.b64encode(bytes(32)).decode()
# In office since 2026 and without an end, so that these tests hold in any year.
PERSON, METHOD = "xyz/scpa-secondary", "excel-email"
TELL = ("password", "tell", PERSON, "--method", METHOD)
ROTATE = ("password", "rotate", PERSON, "--method", METHOD)
END = ("password", "end", PERSON)
KEY = ("ledger", "key")


@dataclass(frozen=True)
class Place:
    """A folder with policies, a ledger and one password, and a person at its terminal."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("DTM_")}
        return clean | {
            "PYTHONPATH": str(PLUGINS),
            "DTM_SHARING_POLICIES": str(self.folder / "policies"),
            "DTM_SHARING_LEDGER": str(self.folder / "ledger.db"),
            "DTM_SHARING_CREDENTIALS": str(self.folder / "credentials.db"),
        }

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.folder / "ledger.db", signing_key=KEYS.checkpoint)

    @property
    def credentials(self) -> Credentials:
        return Credentials(self.folder / "credentials.db", KEYS.credentials)

    @property
    def words(self) -> str:
        held = self.credentials.look_up(PERSON, METHOD)
        assert held is not None
        return held.password.reveal()

    def events(self) -> list[tuple[str, dict[str, object]]]:
        bodies = [json.loads(each.body) for each in self.ledger.entries()]
        return [(each["type"].rpartition("sharing.")[2], each) for each in bodies]

    def type_(self, *command: str, secret: str | None = MASTER, **options) -> Screen:
        environment = {**self.environment, **options.pop("env", {})}
        program = [sys.executable, "-m", "dtm_sharing.cli", *command]
        return on_terminal(program, secret, env=environment, **options)


@pytest.fixture
def place(tmp_path, policies) -> Place:
    made = Place(tmp_path)
    made.ledger.record(
        made.credentials.password_for(PERSON, METHOD, NOW).credential.event("issued", "scpa", NOW)
    )
    return made


# ------------------------------------------------------------------------------------------------- tell


def test_the_live_password_is_shown_on_the_terminal_with_the_number_on_file(place):
    screen = place.type_(*TELL)
    assert screen.code == 0, screen.text
    assert place.words in [line.strip() for line in screen.lines]
    assert len(set(place.words.split()) & set(word_list())) > 1
    assert "+000 2000002" in screen.text
    assert place.credentials.history(PERSON)[0].used == 1


def test_the_ledger_says_that_it_was_told_and_no_word_of_it(place):
    place.type_(*TELL)
    place.type_(*TELL)
    kind, told = place.events()[-1]
    (credential,) = place.credentials.history(PERSON)
    assert kind == "credential.told"
    assert (told["subject"], told["organization"]) == (credential.credential_id, "scpa")
    assert told["data"] == {"version": 1, "channel": METHOD}
    assert [kind for kind, _ in place.events()] == ["credential.issued", "credential.told", "credential.told"]
    assert place.ledger.verify(KEYS.checkpoint_verifier).size == 3


@pytest.mark.parametrize("command", [TELL, ROTATE, END, KEY], ids=" ".join)
def test_neither_the_master_secret_nor_a_word_is_anywhere_else(place, command):
    old = place.words
    screen = place.type_(*command)
    assert screen.code == 0, screen.text
    assert PROMPT in screen.text
    assert MASTER not in screen.text  # what is typed is not shown
    if command != TELL:
        assert old not in screen.text
    live = place.credentials.look_up(PERSON, METHOD)
    secrets = {MASTER, old, *([live.password.reveal()] if live else [])}
    assert command == TELL or not any(each in screen.text for each in secrets)
    written = b"".join(path.read_bytes() for path in place.folder.iterdir() if path.is_file())
    assert not [each for each in secrets if each.encode() in written]


def test_a_password_goes_into_no_file_and_no_pipe(place):
    kept = place.folder / "kept"
    with kept.open("wb") as file:
        screen = place.type_(*TELL, stdout=file.fileno())
    assert screen.code == 1
    assert kept.read_bytes() == b""
    assert "on a terminal and nowhere else" in screen.text
    assert PROMPT not in screen.text  # why it fails is said before anything is asked
    assert [kind for kind, _ in place.events()] == ["credential.issued"]


@pytest.mark.parametrize("command", [TELL, ROTATE, END, KEY], ids=" ".join)
def test_without_a_terminal_nothing_is_asked_read_or_done(place, command):
    """Not even where the secret is piped in: who pipes it has it in a file or a history."""
    done = subprocess.run(
        [sys.executable, "-m", "dtm_sharing.cli", *command],
        input=f"{MASTER}\n",
        env=place.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        start_new_session=True,  # and so without a controlling terminal
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "terminal" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert [kind for kind, _ in place.events()] == ["credential.issued"]
    assert place.credentials.history(PERSON)[0].revoked_at is None


def test_the_master_secret_is_no_option_and_no_variable(place):
    named = {"DTM_SHARING_MASTER": MASTER, "DTM_SHARING_KEYS": MASTER, "MASTER_SECRET": MASTER}
    screen = place.type_(*TELL, secret=OTHER_MASTER, env=named)
    assert screen.code == 1
    assert place.words not in screen.text


WRONG = {
    "another installation's": (OTHER_MASTER, "does not open with this key"),
    "not one": ("swordfish", "32 random bytes in base64"),
    "nothing": ("", "32 random bytes in base64"),
}


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("command", [TELL, ROTATE, END], ids=" ".join)
def test_a_wrong_master_secret_opens_and_changes_nothing(place, case, command):
    secret, sentence = WRONG[case]
    before = place.words
    screen = place.type_(*command, secret=secret)
    assert screen.code == 1
    assert sentence in " ".join(screen.text.split())
    assert "bug" not in screen.text
    assert not secret or secret not in screen.text
    assert place.words == before
    assert len(place.events()) == 1


def test_ctrl_c_at_the_question_is_130(place):
    screen = place.type_(*TELL, secret="\x03")
    assert screen.code == 130
    assert "Traceback" not in screen.text


def test_where_no_passwords_are_none_are_made(place):
    (place.folder / "credentials.db").unlink()
    screen = place.type_(*TELL, secret=OTHER_MASTER)
    assert screen.code == 1
    assert "There are no passwords at" in screen.text
    assert not (place.folder / "credentials.db").exists()
    assert place.type_(*TELL, env={"DTM_SHARING_CREDENTIALS": ""}).text.startswith("DTM_SHARING_CREDENTIALS")


def test_a_method_that_the_person_has_no_password_for_is_said(place):
    screen = place.type_(*TELL[:-1], "document-email")
    assert screen.code == 1
    assert "no password for document-email yet" in screen.text
    assert place.credentials.look_up(PERSON, "document-email") is None


@pytest.mark.parametrize("command", [TELL, ROTATE], ids=" ".join)
def test_who_has_left_is_told_nothing(place, command):
    leaves = "secondary@scpa.example.org,\n     mobile: '+000 2000002', in_office_from: 2026-01-01"
    files = patched(sample_files(), SCPA, leaves, f"{leaves}, in_office_until: 2026-02-01")
    write_policies(place.folder / "policies", {SCPA: files[SCPA]})
    screen = place.type_(*command)
    assert screen.code == 1
    assert "is not in office" in screen.text
    assert PROMPT not in screen.text
    assert len(place.credentials.history(PERSON)) == 1
    # But what they knew can be ended: that is what a turnover asks for.
    assert place.type_(*END).code == 0
    assert place.credentials.look_up(PERSON, METHOD) is None


def test_a_person_whom_the_policy_does_not_know_is_told_nothing(place):
    screen = place.type_("password", "tell", "xyz/scpa-secondry", "--method", METHOD)
    assert screen.code == 1
    assert f"did you mean {PERSON}" in screen.text


# ---------------------------------------------------------------------------------------- rotate and end


def test_rotation_puts_a_new_password_in_place_of_the_live_one(place):
    old = place.words
    screen = place.type_(*ROTATE)
    assert screen.code == 0, screen.text
    assert "version 2 in place of version 1" in screen.text
    assert place.words != old
    kind, entry = place.events()[-1]
    assert (kind, entry["data"]) == ("credential.rotated", {"version": 2, "channel": METHOD})
    assert place.words in place.type_(*TELL).text
    assert place.ledger.verify().size == 3


def test_what_was_never_issued_is_not_rotated(place):
    screen = place.type_(*ROTATE[:-1], "document-email")
    assert screen.code == 1
    assert place.credentials.look_up(PERSON, "document-email") is None


def test_all_passwords_of_a_person_are_ended_each_with_an_entry(place):
    place.credentials.password_for(PERSON, "document-email", NOW)
    place.credentials.password_for("xyz/scpa-primary", METHOD, NOW)
    screen = place.type_(*END)
    assert f"{PERSON}: 2 ended." in screen.text
    ended = [each["data"]["channel"] for kind, each in place.events() if kind == "credential.revoked"]
    assert sorted(ended) == ["document-email", METHOD]
    assert place.credentials.look_up(PERSON, METHOD) is None
    assert place.credentials.look_up("xyz/scpa-primary", METHOD) is not None
    assert "0 ended" in place.type_(*END).text
    assert "no password" in place.type_(*TELL).text


@pytest.mark.parametrize("command", [ROTATE, END], ids=" ".join)
def test_what_waits_with_the_old_words_is_named(place, command):
    ledger = place.ledger
    waiting = ledgers.intend(ledger, ledgers.dispatch(ledger, focal_point=PERSON))
    ledgers.intend(ledger, ledgers.dispatch(ledger, 1, focal_point="xyz/scpa-primary"))
    text = place.type_(*command).text
    assert f"not sent yet: {waiting.key}." in text


EXAMPLES = [TELL[:2], ROTATE[:2], END[:2], KEY]


@pytest.mark.parametrize("command", EXAMPLES, ids=" ".join)
def test_the_example_at_the_end_of_each_help_works(tmp_path, cli, command):
    """In a folder where ``policies`` is the project's; a test of the other examples: ``test_edge``."""
    shutil.copytree(PLUGINS.parent / "policies", tmp_path / "policies")
    place = Place(tmp_path)
    place.credentials.password_for("npl/scpa-primary", METHOD, NOW)
    place.ledger.record(ledgers.event())
    place.ledger.checkpoint(NOW)
    example = cli(*command, "--help").out.partition("Example:\n")[2].strip()
    program = f"{sys.executable} -m dtm_sharing.cli"
    assert example.startswith(f"dtm-sharing {' '.join(command)} ")
    shell = ["sh", "-c", example.replace("dtm-sharing", program, 1)]
    screen = on_terminal(shell, MASTER, env=place.environment, cwd=tmp_path)
    assert screen.code == 0, screen.text
    if ">" in example:
        assert (tmp_path / "ledger.pub").read_text().strip() == KEYS.checkpoint_verifier


# -------------------------------------------------------------------------------------------- ledger key


def test_the_public_key_is_derived_from_the_master_secret(place):
    place.ledger.checkpoint(NOW)
    screen = place.type_(*KEY)
    assert screen.code == 0
    assert screen.lines[-1] == KEYS.checkpoint_verifier


def test_the_public_key_can_go_into_a_file_for_the_question_is_on_the_terminal(place):
    place.ledger.checkpoint(NOW)
    kept = place.folder / "ledger.pub"
    with kept.open("wb") as file:
        assert place.type_(*KEY, stdout=file.fileno()).code == 0
    assert kept.read_text() == f"{KEYS.checkpoint_verifier}\n"


def test_a_key_that_is_not_the_ledger_s_is_not_given_away(place):
    place.ledger.checkpoint(NOW)
    screen = place.type_(*KEY, secret=OTHER_MASTER)
    assert screen.code == 1
    assert "did not sign" in screen.text
    wrong = Keys.derive(OTHER_MASTER, ORIGIN).checkpoint_verifier
    assert wrong not in screen.text
    screen = place.type_(*KEY, secret=None, env={"DTM_SHARING_LEDGER_KEY": wrong})
    assert (screen.code, PROMPT in screen.text) == (1, False)
