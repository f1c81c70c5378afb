"""A disk that is full while an extract is packaged: one sentence, nothing sent, and the next try goes on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from dtm_sharing import pipeline
from dtm_sharing.model import Audience, Stage, Urgency
from support.spaces import DATASET, space

TESTS = Path(__file__).parents[1]

# The limit on the size of a file stands in for the full disk: it is the kernel that refuses the write.
SHARE = """
import resource, sys
sys.path[:0] = [{tests!r}]
from pathlib import Path
from support.spaces import Space, admitted
from dtm_sharing import pipeline
from dtm_sharing.errors import SharingError
from dtm_sharing.model import Audience, Urgency

stores = Space(Path(sys.argv[1])).stores()
ref = admitted(stores, rows=20_000)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
try:
    pipeline.share(ref, Audience("xyz/child-protection", Urgency.LOW), stores)
except SharingError as problem:
    print(type(problem).__name__, problem.retry, str(problem))
"""


def test_a_full_disk_while_packaging_is_one_sentence_and_nothing_half_done(tmp_path):
    with space(tmp_path) as here:
        done = subprocess.run(
            [sys.executable, "-c", SHARE.format(tests=str(TESTS)), str(tmp_path)],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.stdout.startswith("StoreFailed True "), done.stdout + done.stderr
        assert len(done.stdout.splitlines()) == 1
        assert here.messages() == []
        assert "dispatch.intent" not in here.events()
        assert [path for path in (tmp_path / "restricted" / "outbox").rglob("*") if path.is_file()] == []

        stores = here.stores()
        ref = stores.ledger.registered(DATASET, Stage.CLEANED, "7")
        assert ref is not None
        pipeline.share(ref, Audience("xyz/child-protection", Urgency.LOW), stores)
        assert len(here.messages()) == 1
        assert here.verified()
