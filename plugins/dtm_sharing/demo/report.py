"""What happened in a demonstration, in the order of the path, read back from where it lies.

Nothing is taken from what the tasks claimed: levels from the sidecars, publications and dispatches from the
ledger, messages from the mail catcher, and every attachment is opened with its focal point's password.
"""

from __future__ import annotations

import email
import email.policy
import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from email.message import EmailMessage
from pathlib import Path
from textwrap import wrap

from dtm_sharing import package
from dtm_sharing.demo.sample import DATASET
from dtm_sharing.demo.server import Run, Server
from dtm_sharing.demo.workspace import Workspace
from dtm_sharing.errors import SharingError
from dtm_sharing.model import Disclosure, Level, Method, Package, Stage
from dtm_sharing.stores import rounds
from dtm_sharing.stores.credentials import Credentials
from dtm_sharing.stores.database import Ledger
from dtm_sharing.stores.objects import open_store
from dtm_sharing.stores.policies import read_policies

WIDTH = 100


class Report:
    """Reads a finished demonstration and prints it. ``problems`` holds what is not as it should be."""

    def __init__(
        self, space: Workspace, server: Server, runs: Mapping[str, Run], round_: str, file: Path
    ) -> None:
        self._space = space
        self._policy = read_policies(space.policies)
        self._server = server
        self._runs = runs
        self._round = round_
        self._file = file
        self.problems: list[str] = []

    def show(self, expected: Sequence[str], meant_to_fail: str) -> bool:
        """Print what happened.

        Returns: whether every expected DAG ran and only the one meant to fail did, every message opens, and
            the ledger verifies.
        """
        self._show_failures(expected, meant_to_fail)
        if self._space.ledger.exists():
            ledger = Ledger(self._space.ledger, create=False)
            self._show_levels(ledger)
            self._show_published(ledger)
            self._show_sent(ledger)
            self._show_verified(ledger)
        self._show_places()
        if self.problems:
            _heading("Not as it should be")
            _lines(self.problems)
        return not self.problems

    def _show_levels(self, ledger: Ledger) -> None:
        _heading(f"Columns of {DATASET}, round {self._round}, by level")
        store = open_store(str(self._space.restricted))
        for stage in Stage:
            ref = ledger.registered(DATASET, stage, self._round)
            if ref is None:
                print(f"  {stage:<10} no table")
                continue
            levels = Counter(rounds.levels(store, ref).values())
            shown = ", ".join(f"{levels[each.label]} {each.label}" for each in Level if levels[each.label])
            undecided = f", {levels[None]} undecided" if levels[None] else ""
            print(f"  {stage:<10} {sum(levels.values())} columns, {ref.rows} rows: {shown}{undecided}")
        if collected := ledger.registered(DATASET, Stage.COLLECTED, self._round):
            kept = rounds.levels(store, collected)
            dropped = [each for each in self._policy.datasets[DATASET].drop_at_collection if each not in kept]
            print(f"  dropped at collection, because Secret ({len(dropped)}):")
            _lines(dropped)

    def _show_published(self, ledger: Ledger) -> None:
        _heading("Published")
        for each in ledger.disclosures("public"):
            print(f"  {each.dataset}, round {each.round}: {_shape(each)}, all Public")
        for path in sorted(self._space.public.rglob("*")):
            if path.is_file():
                print(f"    {_shown(path)}")

    def _show_sent(self, ledger: Ledger) -> None:
        _heading("Sent, each with a password of its own that went by no mail")
        messages = dict(self._messages())
        for each in ledger.disclosures():
            if each.focal_point is None:
                continue
            person = self._policy.focal_points[each.focal_point]
            print(f"  {each.focal_point} ({person.title}): {each.state}")
            print(f"    {each.urgency} urgency, {each.method}, under {each.agreement}")
            print(f"    {each.dataset}, round {each.round}: {_shape(each)}, {each.level.label}")
            found = messages.pop((person.email, each.method), None)
            if found is None:
                self.problems.append(f"the message to {each.focal_point} is not in the mail folder")
                continue
            path, message = found
            print(f"    {_shown(path)}: {self._opened(each, message)}")
        unknown = [_shown(path) for path, _ in messages.values()]
        self.problems += [f"{path} was sent, and the ledger does not know it" for path in unknown]

    def _messages(self) -> Iterator[tuple[tuple[str, str], tuple[Path, EmailMessage]]]:
        methods = {"data.xlsx": Method.EXCEL_EMAIL.value, "data.zip": Method.DOCUMENT_EMAIL.value}
        for path in sorted(self._space.mail.glob("*.eml")):
            message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            names = {part.get_filename() for part in message.iter_attachments()}
            method = next((methods[name] for name in methods if name in names), "unknown")
            yield (message["To"], method), (path, message)

    def _opened(self, disclosure: Disclosure, message: EmailMessage) -> str:
        """Open the attachment as the focal point would, and compare it with what the ledger says."""
        credentials = Credentials(self._space.credentials, self._space.keys.credentials)
        person, method = disclosure.focal_point or "", Method(disclosure.method)
        held = credentials.look_up(person, method)
        if held is None:
            self.problems.append(f"there is no password for {person}")
            return "does not open"
        part = next(p for p in message.iter_attachments() if str(p.get_filename()).startswith("data."))
        try:
            table = package.reopen(_attached(part), held.password)
        except SharingError as problem:
            self.problems.append(f"the attachment to {disclosure.focal_point} does not open: {problem}")
            return "does not open"
        if (tuple(table.columns), len(table)) != (disclosure.columns, disclosure.rows):
            self.problems.append(f"the attachment to {disclosure.focal_point} is not what the ledger says")
        return f"{part.get_filename()}, opens: {len(table.columns)} columns, {len(table)} rows"

    def _show_failures(self, expected: Sequence[str], meant_to_fail: str) -> None:
        _heading("Refused")
        for dag in expected:
            run = self._runs.get(dag)
            if run is None:
                self.problems.append(f"{dag} did not run")
                continue
            for task, sentence in self._server.failed_tasks(run).items():
                print(f"  {dag}, task {task}:")
                _lines([sentence])
                if dag != meant_to_fail:
                    self.problems.append(f"{dag} failed at its task {task}")
        if (blocked := self._runs.get(meant_to_fail)) and blocked.state != "failed":
            self.problems.append(f"{meant_to_fail} published what it should not have")

    def _show_verified(self, ledger: Ledger) -> None:
        _heading("Ledger")
        try:
            verified = ledger.verify(self._space.ledger_key.read_text().strip())
        except SharingError as problem:
            self.problems.append(str(problem))
            return
        print(f"  verified: {verified.size} entries, unaltered")

    def _show_places(self) -> None:
        _heading("Where it lies")
        places = {
            "policies": self._space.policies,
            "public store": self._space.public,
            "restricted store": self._space.restricted,
            "mail": self._space.mail,
            "ledger": self._space.ledger,
            "Airflow's logs": self._space.folder / "airflow" / "logs",
        }
        for name, path in places.items():
            print(f"  {name:<17} {_shown(path)}")
        print("\nAsk why a column has its level, and what an organization received:")
        asked = f"--dataset {DATASET} --policies {_shown(self._space.policies)}"
        print(f"  .venv/bin/dtm-sharing classify {_shown(self._file)} {asked}")
        ledger = f"--ledger {_shown(self._space.ledger)}"
        print(f"  .venv/bin/dtm-sharing audit --organization scpa {ledger}")


def _attached(part: EmailMessage) -> Package:
    """An attachment as the artefact that it claims to be."""
    content = part.get_content()
    return Package(
        filename=str(part.get_filename()),
        media_type=part.get_content_type(),
        content=content,
        sha256=hashlib.sha256(content).hexdigest(),
        encrypted=True,
        rows=0,
        columns=(),
    )


def _shape(each: Disclosure) -> str:
    return f"{len(each.columns)} columns, {each.rows} rows"


def _shown(path: Path) -> str:
    return os.path.relpath(path)


def _heading(text: str) -> None:
    print(f"\n{text}")


def _lines(texts: Iterable[str]) -> None:
    for text in texts:
        print("\n".join(wrap(text, WIDTH, initial_indent="    - ", subsequent_indent="      ")))
