"""The ledger under several processes, kills, a full disk and a file that may only be read."""

from __future__ import annotations

import json
import multiprocessing
import os
import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from dtm_sharing.errors import StoreFailed
from dtm_sharing.model import DispatchState
from support.ledgers import NOW, dispatch, event, open_ledger


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger" / "ledger.db"


WORKER = Path(__file__).parents[1] / "support" / "ledger_worker.py"


def start(*arguments):
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": f"{root / 'plugins'}:{root / 'tests'}"}
    return subprocess.Popen(
        [sys.executable, str(WORKER), *map(str, arguments)],
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_eight_processes_append_at_once_to_a_ledger_that_none_has_made_yet(path):
    workers = [start("append", path, f"w{n}", 15) for n in range(8)]
    ends = [(worker.communicate(timeout=120)[1], worker.returncode) for worker in workers]
    assert [trouble for trouble, _ in ends] == [""] * 8
    assert [code for _, code in ends] == [0] * 8
    opened = open_ledger(path)
    assert opened.verify().size == 8 * 15 * 2
    numbers = Counter(json.loads(each.body)["organization"] for each in opened.entries())
    assert numbers == {"scpa": 120, **{f"w{n}": 15 for n in range(8)}}


def test_no_kill_makes_a_dispatch_go_twice_or_be_forgotten(path, tmp_path):
    """Killed with SIGKILL after every kind of step; then left to finish."""
    channel, dispatches, hour = tmp_path / "channel", 12, 0
    channel.touch()
    for hour, lines in enumerate([1, 2, 3, 5, 7, 11, 14, 18]):
        worker = start("dispatch", path, channel, dispatches, hour)
        for _ in range(lines):
            worker.stdout.readline()
        worker.kill()
        worker.communicate(timeout=60)
    last = start("dispatch", path, channel, dispatches, hour + 1)
    assert (last.communicate(timeout=60)[1], last.returncode) == ("", 0)

    opened = open_ledger(path)
    taken = Counter(channel.read_text().split())
    states = {}
    for number in range(dispatches):
        key = dispatch(opened, number).key
        states[key] = opened.find(key)[1]
    assert max(taken.values()) == 1
    assert set(states.values()) <= {DispatchState.SENT, DispatchState.OUTCOME_UNKNOWN}
    assert Counter(states.values())[DispatchState.OUTCOME_UNKNOWN] > 0
    assert {key for key, state in states.items() if state is DispatchState.SENT} <= set(taken)
    assert set(taken) <= set(states)
    assert opened.verify().size == len(opened.entries())


def test_a_full_disk_is_a_sentence_and_what_was_recorded_stays(path):
    open_ledger(path)
    worker = start("fill", path, 1_000_000)
    said, trouble = worker.communicate(timeout=60)
    assert (worker.returncode, trouble) == (1, "")
    assert "did not do what was asked" in said
    opened = open_ledger(path)
    size = opened.verify().size
    assert size > 10
    assert opened.record(event(10**7)).seq == size


def test_a_ledger_that_may_only_be_read_is_read_and_not_written(path):
    opened = open_ledger(path)
    opened.record_all(event(n) for n in range(3))
    held = opened.checkpoint(NOW)
    opened.close()
    path.chmod(0o444)
    path.parent.chmod(0o555)
    try:
        look = as_nobody(path, held)
    finally:
        path.parent.chmod(0o700)
    assert look.stderr == ""
    size, exit_code, sentence = look.stdout.splitlines()
    assert (size, exit_code) == ("3", "1")
    assert "did not do what was asked: attempt to write a readonly database" in sentence


def as_nobody(path, held):
    """Run as root, a file mode stops nobody: then look as another user."""
    code = (
        "import os, sys\n"
        "from dtm_sharing.stores.database import Ledger\n"
        "from support.ledgers import event, VERIFIER_KEY\n"
        "if os.getuid() == 0: os.setgid(65534); os.setuid(65534)\n"
        "opened = Ledger(sys.argv[1], create=False)\n"
        "print(opened.verify(VERIFIER_KEY, sys.argv[2]).size)\n"
        "try: opened.record(event(9))\n"
        "except Exception as error: print(error.exit_code, error, sep='\\n')\n"
    )
    root = Path(__file__).parents[2]
    environment = {
        **os.environ,
        "PYTHONPATH": f"{root / 'plugins'}:{root / 'tests'}",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    # The temporary folders above are closed to others.
    for folder in list(path.parents)[1:]:
        if folder.stat().st_uid == os.getuid() and not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o011)
    return subprocess.run(
        [sys.executable, "-c", code, str(path), held],
        env=environment,
        text=True,
        capture_output=True,
        check=False,
    )


def test_a_fork_opens_the_ledger_anew(path):
    opened = open_ledger(path)
    opened.record(event())
    child = multiprocessing.get_context("fork").Process(target=opened.record, args=(event(1),))
    child.start()
    child.join(60)
    assert child.exitcode == 0
    opened.record(event(2))
    assert opened.verify().size == 3


def test_a_file_that_was_exchanged_is_opened_anew_and_one_that_is_gone_is_a_sentence(path, tmp_path):
    opened, other = open_ledger(path), open_ledger(tmp_path / "other.db")
    opened.record_all(event(n) for n in range(3))
    other.record(event())
    opened.close()
    other.close()
    (tmp_path / "other.db").replace(path)
    assert opened.verify().size == 1
    path.unlink()
    with pytest.raises(StoreFailed, match="is gone"):
        opened.record(event(9))


def test_a_ledger_that_another_program_never_lets_go_is_a_sentence(path, monkeypatch):
    monkeypatch.setattr("dtm_sharing.stores.ledger_tables.LOCK_SECONDS", 0.1)
    opened = open_ledger(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreFailed, match="database is locked"):
        opened.record(event())
    other.close()
    assert opened.record(event()).seq == 0
