"""From a round's file to an encrypted extract: by us, by the same libraries alone, and as people do it.

    python -m tests.bench.arms ARM FOLDER

Each is a process of its own. ``FOLDER`` is what ``tests.bench.wide`` made; results go below ``FOLDER/ARM``.
The last line of output tells the extract's shape and, for ours, CPU seconds by part.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import wraps
from importlib.util import find_spec
from pathlib import Path
from typing import Any

DATASET = "npl/site-assessment"
HEADER_ROW = 3
SECRET = ("1.2.b.7", "1.2.b.8", "1.2.c.4", "1.2.c.5")  # how the columns begin that go at collection
PASSWORD = "example-only-seven-words-of-no-value-here"
NOW = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)
MASTER = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="


# ----------------------------------------------------------------------------------------------- by us


class Parts:
    """CPU seconds by part, each without the parts inside it. All of the process's threads count."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)
        self._inside = ["start of Python"]
        self._mark = 0.0  # the process clock begins with the process

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        self._charge()
        self._inside.append(name)
        try:
            yield
        finally:
            self._charge()
            self._inside.pop()

    def watch(self, owner: Any, attribute: str, name: str) -> None:
        """Count all calls of a function to a part."""
        function = getattr(owner, attribute)

        @wraps(function)
        def counted(*args: Any, **kwargs: Any) -> Any:
            with self.of(name):
                return function(*args, **kwargs)

        setattr(owner, attribute, counted)

    def _charge(self) -> None:
        now = time.process_time()
        self.spent[self._inside[-1]] += now - self._mark
        self._mark = now


def ours(folder: Path, made: Path, urgency: str) -> dict[str, Any]:
    """The pipeline as the tasks call it, up to what the outbox records; nothing is sent."""
    parts = Parts()
    with parts.of("import pandas, Arrow, our code"):
        import narwhals  # noqa: F401
        import pandas as pd  # noqa: F401
        import pyarrow.csv
        import pyarrow.parquet  # noqa: F401

        from dtm_sharing import classify, expectations, gate, package, pipeline, protect
        from dtm_sharing.model import Audience, DispatchState, Stage, Urgency
        from dtm_sharing.package import document, workbook
        from dtm_sharing.stores import frames, policies, rounds
        from dtm_sharing.stores.credentials import Credentials
        from dtm_sharing.stores.database import Ledger
        from dtm_sharing.stores.folder import FolderStore
        from dtm_sharing.stores.keys import Keys
        from dtm_sharing.stores.objects import open_store
        from dtm_sharing.stores.publisher import Publisher

    class Withheld(Ledger):
        """The real ledger, but that it lets no dispatch out: it says that an earlier try settled it."""

        def claim(self, *_: Any) -> DispatchState:
            return DispatchState.SENT

    with parts.of("import Great Expectations"):
        import great_expectations  # noqa: F401 - the check imports it anyway

    for owner, name, part in (
        (policies, "read_policies", "policy"),
        (frames, "read_table", "read"),
        (frames, "name_columns", "classify, decide"),
        (frames, "profile_frame", "classify, decide"),
        (classify, "classify", "classify, decide"),
        (gate, "decide", "classify, decide"),
        (protect, "drop_at_collection", "leave out columns"),
        (protect, "releasable", "leave out columns"),
        (rounds, "put_table", "keep in the store"),
        (rounds, "get_table", "fetch from the store"),
        (FolderStore, "put", "write files"),
        (package, "prepare", "prepare the cells"),
        (document, "guard", "prepare the cells"),
        (package, "build_and_reopen", "reopen and compare"),
        (workbook, "seal", "encrypt"),
        (workbook, "write", "write the table"),
        (document, "seal", "encrypt"),
        (document, "write", "write the table"),
        (workbook, "opens_with", "try a wrong password"),
        (document, "opens_with", "try a wrong password"),
        (expectations, "check", "expectations"),
    ):
        parts.watch(owner, name, part)

    with parts.of("ledger and all else"):
        keys = Keys.derive(MASTER, "bench.example.org")
        stores = pipeline.Stores(
            policy=policies.read_policies(folder / "policies"),
            restricted=open_store(str(made / "restricted")),
            publisher=Publisher(open_store(str(made / "public")), keys.clearance_verifier),
            clearance_key=keys.clearance,
            ledger=Withheld(made / "ledger.db", signing_key=keys.checkpoint),
            credentials=Credentials(made / "credentials.db", keys.credentials),
            channel=None,  # type: ignore[arg-type] - nothing is sent
            sender="dtm@example.org",
            message_domain="bench.example.org",
            now=lambda: NOW,
        )
        read = frames.read_table(folder / "round.csv", stores.policy.datasets[DATASET]).frame
        ref, _ = pipeline.admit(read, DATASET, Stage.COLLECTED, "2", stores)
        del read
        if urgency == "low":
            collected = rounds.get_table(stores.restricted, ref)
            ref, _ = pipeline.admit(collected, DATASET, Stage.CLEANED, "2", stores)
            del collected
        (sending,) = pipeline.share(ref, Audience("npl/everything", Urgency(urgency)), stores)
    done = sending.dispatch
    return {"rows": done.rows, "columns": len(done.columns), "parts": dict(parts.spent)}


# --------------------------------------------------------------------------------- the libraries alone


def bare_workbook(folder: Path, made: Path) -> dict[str, Any]:
    """Arrow reads; XlsxWriter writes, as its manual says for large tables; msoffcrypto-tool encrypts."""
    import msoffcrypto
    from xlsxwriter import Workbook

    frame = _read(folder)
    plain = made / "plain.xlsx"
    with Workbook(plain, {"constant_memory": True}) as book:
        sheet = book.add_worksheet("data")
        for column, name in enumerate(frame.columns):
            sheet.write_string(0, column, name)
        for row, cells in enumerate(_rows(frame), start=1):
            for column, cell in enumerate(cells):
                if cell:
                    sheet.write_string(row, column, cell)
    with plain.open("rb") as opened, (made / "data.xlsx").open("wb") as out:
        msoffcrypto.OfficeFile(opened).encrypt(PASSWORD, out)
    return _shape(frame)


def bare_document(folder: Path, made: Path) -> dict[str, Any]:
    """Arrow reads; ``csv`` writes; pyzipper compresses, at the level that we use, and encrypts."""
    import pyzipper

    frame = _read(folder)
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(frame.columns)
    writer.writerows(_rows(frame))
    content = text.getvalue().encode("utf-8-sig")
    with pyzipper.AESZipFile(made / "data.zip", "w", encryption=pyzipper.WZ_AES) as archive:
        archive.setpassword(PASSWORD.encode())
        level = 6 if len(content) <= 16 << 20 else 1
        archive.writestr("data.csv", content, compress_type=pyzipper.ZIP_DEFLATED, compresslevel=level)
    return _shape(frame)


def _read(folder: Path) -> Any:
    import pyarrow as pa
    from pyarrow import csv as arrow

    with (folder / "round.csv").open(encoding="utf-8", newline="") as file:
        header = [line for _, line in zip(range(HEADER_ROW), csv.reader(file), strict=False)][-1]
    names = [f"{position} {name}" for position, name in enumerate(header)]  # some headers repeat
    table = arrow.read_csv(
        folder / "round.csv",
        arrow.ReadOptions(use_threads=False, block_size=1 << 24, column_names=names, skip_rows=HEADER_ROW),
        arrow.ParseOptions(newlines_in_values=True),
        arrow.ConvertOptions(strings_can_be_null=False, column_types=dict.fromkeys(names, pa.large_string())),
    )
    return table.select([n for n in names if not n.split(" ", 1)[1].startswith(SECRET)]).to_pandas()


def _rows(frame: Any) -> Iterator[tuple[str, ...]]:
    """The rows, a thousand at a time: five times faster than pandas' own ``itertuples``, and small."""
    for start in range(0, len(frame), 1000):
        block = frame.iloc[start : start + 1000]
        yield from zip(*(block[name].tolist() for name in block.columns), strict=True)


# --------------------------------------------------------------------------------- as people do it today


def today(folder: Path, made: Path) -> dict[str, Any]:
    """What a notebook does: ``read_csv``, ``to_excel``, msoffcrypto-tool."""
    import msoffcrypto
    import pandas as pd

    frame = pd.read_csv(folder / "round.csv", skiprows=HEADER_ROW - 1, low_memory=False)
    frame = frame[[name for name in frame.columns if not name.startswith(SECRET)]]
    plain = made / "plain.xlsx"
    # The project has no openpyxl; where it is installed it is what most notebooks use.
    frame.to_excel(plain, index=False, engine="openpyxl" if find_spec("openpyxl") else "xlsxwriter")
    with plain.open("rb") as opened, (made / "data.xlsx").open("wb") as out:
        msoffcrypto.OfficeFile(opened).encrypt(PASSWORD, out)
    return _shape(frame)


def _shape(frame: Any) -> dict[str, Any]:
    return {"rows": len(frame), "columns": len(frame.columns)}


ARMS = {
    "ours-workbook": lambda folder, made: ours(folder, made, "low"),
    "ours-document": lambda folder, made: ours(folder, made, "medium"),
    "bare-workbook": bare_workbook,
    "bare-document": bare_document,
    "today": today,
}


def main() -> None:
    arm, folder = sys.argv[1], Path(sys.argv[2])
    made = folder / arm
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    print(json.dumps(ARMS[arm](folder, made)))


if __name__ == "__main__":
    main()
