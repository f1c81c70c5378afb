"""A process that works on a ledger, for tests that run several of them or kill them.

    ledger_worker.py append LEDGER NAME COUNT
    ledger_worker.py dispatch LEDGER CHANNEL DISPATCHES HOUR
    ledger_worker.py fill LEDGER BYTES

``dispatch`` prints a line after every step, so that the parent can kill it between any two.
"""

from __future__ import annotations

import os
import resource
import sys
from datetime import timedelta

from dtm_sharing.errors import StoreFailed
from dtm_sharing.model import Delivery, DispatchState, Receipt
from support.ledgers import LEASE, NOW, dispatch, event, intend, open_ledger


def append(path: str, name: str, count: str) -> None:
    ledger = open_ledger(path)
    for number in range(int(count)):
        ledger.record(event(number, organization="scpa", by=name))
        ledger.record(event(number, organization=name))


def send_all(path: str, channel: str, dispatches: str, hour: str) -> None:
    """Send everything that may be sent, over a channel that cannot be asked: a file of the keys it took."""
    now = NOW + timedelta(hours=int(hour))
    ledger = open_ledger(path, clock=lambda: now)
    for number in range(int(dispatches)):
        one = intend(ledger, dispatch(ledger, number), now=now)
        print("intended", flush=True)
        claim = ledger.claim(one.key, now, LEASE)
        print("claimed", flush=True)
        if isinstance(claim, DispatchState):
            continue
        with open(channel, "a") as taken:  # noqa: PTH123 - one write, appended whole
            taken.write(one.key + "\n")
        print("delivered", flush=True)
        ledger.conclude(claim, Receipt(Delivery.SENT, "The channel took it."), now)
        print("concluded", flush=True)


def fill(path: str, size: str) -> None:
    """Append until no file may grow any more, as on a full disk."""
    ledger = open_ledger(path)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(size), int(size)))
    try:
        for number in range(10**6):
            ledger.record(event(number))
    except StoreFailed as error:
        print(error)
        os._exit(StoreFailed.exit_code)


if __name__ == "__main__":
    {"append": append, "dispatch": send_all, "fill": fill}[sys.argv[1]](*sys.argv[2:])
