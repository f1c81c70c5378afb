"""One password for each focal point and channel, found again, encrypted at rest, never in plain sight."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dtm_sharing import package
from dtm_sharing.errors import StoreFailed, UsageProblem
from dtm_sharing.model import Method
from dtm_sharing.stores.credentials import WORDS, Credentials, Held

KEY = bytes(range(32))
NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
ANNA, EXCEL, ZIP = "npl/scpa-primary", Method.EXCEL_EMAIL, Method.DOCUMENT_EMAIL
PLUGINS = Path(package.__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "restricted" / "credentials.db"


@pytest.fixture
def store(path: Path) -> Credentials:
    return Credentials(path, KEY)


def words(held: Held) -> str:
    return held.password.reveal()


def everything_written(path: Path) -> bytes:
    return b"".join(each.read_bytes() for each in path.parent.iterdir())


def test_a_password_is_made_on_first_use_and_found_again(store: Credentials, path: Path) -> None:
    first = store.password_for(ANNA, EXCEL, NOW)
    again = Credentials(path, KEY).password_for(ANNA, EXCEL, NOW + timedelta(days=30))
    assert (first.created, again.created) == (True, False)
    assert words(first) == words(again)
    assert first.password.words == WORDS == 7
    assert (first.credential.used, again.credential.used) == (1, 2)
    assert first.credential.created_at == again.credential.created_at == NOW
    assert (first.credential.version, first.credential.revoked_at) == (1, None)


def test_each_person_and_channel_has_its_own(store: Credentials) -> None:
    held = [store.password_for(who, channel, NOW) for who in (ANNA, "npl/x") for channel in (EXCEL, ZIP)]
    assert len({words(each) for each in held}) == 4
    assert len({each.credential.credential_id for each in held}) == 4


def test_an_id_says_nothing_of_its_person(store: Credentials, tmp_path: Path) -> None:
    here = store.password_for(ANNA, EXCEL, NOW).credential.credential_id
    there = Credentials(tmp_path / "other.db", KEY).password_for(ANNA, EXCEL, NOW).credential.credential_id
    assert here != there


def test_it_is_strong_enough_for_every_form(store: Credentials) -> None:
    for method, minimum in package.MINIMUM_WORDS.items():
        assert store.password_for(ANNA, method, NOW).password.words >= minimum


def test_looking_up_is_no_use_and_makes_none(store: Credentials) -> None:
    assert store.look_up(ANNA, EXCEL) is None
    held = store.password_for(ANNA, EXCEL, NOW)
    seen = store.look_up(ANNA, EXCEL)
    assert seen is not None
    assert (words(seen), seen.credential, seen.created) == (words(held), held.credential, False)


def test_rotation_gives_a_new_version_of_the_same_credential(store: Credentials) -> None:
    old = store.password_for(ANNA, EXCEL, NOW)
    other = store.password_for(ANNA, ZIP, NOW)
    later = NOW + timedelta(days=90)
    new = store.rotate(ANNA, EXCEL, later)
    assert words(new) != words(old)
    assert new.created
    assert new.credential.credential_id == old.credential.credential_id
    assert (new.credential.version, new.credential.used, new.credential.created_at) == (2, 0, later)
    assert words(store.password_for(ANNA, EXCEL, later)) == words(new)
    assert words(store.password_for(ANNA, ZIP, later)) == words(other)
    past, present = (each for each in store.history(ANNA) if each.channel == EXCEL)
    assert (past.revoked_at, present.revoked_at) == (later, None)


def test_rotating_what_was_never_made_makes_the_first(store: Credentials) -> None:
    assert store.rotate(ANNA, EXCEL, NOW).credential.version == 1


def test_a_turnover_ends_all_passwords_of_that_person_only(store: Credentials) -> None:
    before = {channel: store.password_for(ANNA, channel, NOW) for channel in (EXCEL, ZIP)}
    other = store.password_for("npl/x", EXCEL, NOW)
    ended = store.revoke(ANNA, NOW)
    assert {each.credential_id for each in ended} == {
        each.credential.credential_id for each in before.values()
    }
    assert {each.revoked_at for each in ended} == {NOW}
    assert store.revoke(ANNA, NOW) == ()
    assert store.look_up(ANNA, EXCEL) is None
    assert words(store.password_for("npl/x", EXCEL, NOW)) == words(other)
    after = store.password_for(ANNA, EXCEL, NOW)
    assert after.created
    assert after.credential.version == 2
    assert words(after) != words(before[EXCEL])


# -------------------------------------------------------------------------------------------- at rest


def test_no_word_of_a_password_is_in_the_file(store: Credentials, path: Path) -> None:
    held = [store.password_for(f"npl/{n}", EXCEL, NOW) for n in range(20)]
    written = everything_written(path)
    assert b"npl/7" in written  # the search would find text
    for each in held:
        assert words(each).encode() not in written
        assert words(each).split(" ")[0].encode() + b" " not in written
        assert words(each).encode("utf-16-le") not in written
    assert KEY not in written


def test_even_a_transaction_under_way_writes_no_word(path: Path) -> None:
    """The journal that a killed task leaves behind holds sealed passwords only."""
    store = Credentials(path, KEY)
    held = store.password_for(ANNA, EXCEL, NOW)
    with store._transaction() as database:
        database.execute("PRAGMA cache_spill = 1")
        store._issue(database, "npl/x", EXCEL, NOW)
        new = store._held(database, "npl/x", EXCEL, created=True)
        written = everything_written(path)
    assert words(held).encode() not in written
    assert words(new).encode() not in written + everything_written(path)


def test_what_is_revoked_is_erased(store: Credentials, path: Path) -> None:
    store.password_for(ANNA, EXCEL, NOW)
    with sqlite3.connect(path) as database:
        (sealed,) = database.execute("SELECT sealed FROM credential").fetchone()
    database.close()
    assert sealed in everything_written(path)
    store.rotate(ANNA, EXCEL, NOW)
    assert sealed not in everything_written(path)


def test_nothing_shows_a_password(store: Credentials) -> None:
    held = store.password_for(ANNA, EXCEL, NOW)
    assert words(held) not in f"{held!r}{held.credential!r}{store!r}{store.history(ANNA)!r}"
    with pytest.raises(TypeError):
        json.dumps(held.password)
    assert KEY.hex() not in repr(store)


def test_only_its_owner_may_read_it(store: Credentials, path: Path) -> None:
    with store._transaction() as database:
        store._issue(database, ANNA, EXCEL, NOW)
        modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
    assert modes == {"credentials.db": 0o600, "credentials.db-journal": 0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_file_that_others_could_read_is_closed_to_them(path: Path) -> None:
    Credentials(path, KEY)
    path.chmod(0o644)
    Credentials(path, KEY)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


# ---------------------------------------------------------------------------------------- what is wrong


@pytest.mark.parametrize("used", [False, True])
def test_another_key_is_refused_at_once(path: Path, used: bool) -> None:
    store = Credentials(path, KEY)
    if used:
        store.password_for(ANNA, EXCEL, NOW)
    with pytest.raises(UsageProblem, match="does not open with this key") as refused:
        Credentials(path, bytes(32))
    assert KEY.hex() not in str(refused.value)


@pytest.mark.parametrize("key", [b"", b"short", bytes(31), bytes(33)])
def test_a_key_of_another_length_is_refused(path: Path, key: bytes) -> None:
    with pytest.raises(UsageProblem, match="32 bytes"):
        Credentials(path, key)
    assert not path.exists()


def test_passwords_that_were_swapped_or_altered_do_not_open(store: Credentials, path: Path) -> None:
    for who in (ANNA, "npl/x"):
        store.password_for(who, EXCEL, NOW)
    database = sqlite3.connect(path)
    with database:
        (other,) = database.execute("SELECT sealed FROM credential WHERE focal_point = 'npl/x'").fetchone()
        database.execute("UPDATE credential SET sealed = ? WHERE focal_point = ?", (other, ANNA))
    database.close()
    with pytest.raises(UsageProblem, match="or was altered"):
        store.password_for(ANNA, EXCEL, NOW)
    assert store.history(ANNA)[0].used == 1  # a failed look counts for nothing


def test_a_file_that_is_no_database_is_one_sentence(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database, " * 300)
    with pytest.raises(StoreFailed, match="cannot be read or written"):
        Credentials(path, KEY)


def test_a_folder_in_its_place_is_one_sentence(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(StoreFailed, match="cannot be opened or made"):
        Credentials(path, KEY)


def test_a_time_without_a_zone_is_refused_and_changes_nothing(store: Credentials) -> None:
    with pytest.raises(UsageProblem, match="zone"):
        store.password_for(ANNA, EXCEL, NOW.replace(tzinfo=None))
    assert store.history(ANNA) == ()


def test_times_are_kept_in_utc(store: Credentials) -> None:
    from zoneinfo import ZoneInfo

    held = store.password_for(ANNA, EXCEL, NOW.astimezone(ZoneInfo("Asia/Kathmandu")))
    assert held.credential.created_at == NOW
    assert held.credential.created_at.utcoffset() == timedelta(0)


# ----------------------------------------------------------------------------------------------- races


def test_threads_that_race_get_the_same_password(store: Credentials) -> None:
    with ThreadPoolExecutor(12) as pool:
        held = list(pool.map(lambda _: store.password_for(ANNA, EXCEL, NOW), range(48)))
    assert len({words(each) for each in held}) == 1
    assert [each.created for each in held].count(True) == 1
    assert sorted(each.credential.used for each in held) == list(range(1, 49))


def test_processes_that_race_for_a_new_file_get_the_same_password(path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from datetime import datetime, UTC\n"
        "from dtm_sharing.stores.credentials import Credentials\n"
        "sys.stdin.read(1)\n"
        "store = Credentials(Path(sys.argv[1]), bytes(range(32)))\n"
        "held = store.password_for('npl/x', 'excel-email', datetime.now(UTC))\n"
        "print(held.created, held.password.reveal())\n"
    )
    given = {**os.environ, "PYTHONPATH": str(PLUGINS)}
    racing = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(path)],
            env=given,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(6)
    ]
    for each in racing:
        assert each.stdin is not None
        each.stdin.write("x")
        each.stdin.flush()
    said = [each.communicate(timeout=120)[0].split(maxsplit=1) for each in racing]
    assert [each.returncode for each in racing] == [0] * 6
    assert len({secret for _, secret in said}) == 1
    assert [created for created, _ in said].count("True") == 1
