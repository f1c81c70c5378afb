"""A real mail server that goes wrong where it is told to, and a dispatch with real encrypted artefacts.

Every server here is aiosmtpd behind a certificate of trustme's: nothing of smtplib or of ours is replaced.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import ssl
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from enum import Enum, auto
from functools import cache, partial
from pathlib import Path
from typing import Any

import msoffcrypto
import pyzipper
import xlsxwriter
from aiosmtpd.smtp import SMTP

from dtm_sharing.deliver import compose
from dtm_sharing.demo.catcher import HOST, Catcher
from dtm_sharing.model import (
    Dispatch,
    FocalPoint,
    Grain,
    Level,
    Method,
    Package,
    Role,
    Source,
    Urgency,
    Validity,
)
from dtm_sharing.stores.smtp import SmtpSettings

CANARY = "CANARY-5d1c-household"
PASSWORD = "placid-otter-unfold-mystic-canteen-ripple-dwelling"
LOGIN, LOGIN_PASSWORD = "dtm-mailer", "lögin-Pass-77"
SENDER, DOMAIN = "dtm-nepal@example.org", "mail.example.org"
WHEN = datetime(2026, 11, 2, 6, 30, tzinfo=UTC)


class Do(Enum):
    DROP = auto()  # reset the connection instead of answering
    DROP_IN_THE_MIDDLE = auto()  # of the message: after its first line
    SILENCE = auto()  # keep the connection and never answer


Script = Mapping[str, "str | Do"]


class Scripted(Catcher):
    """A ``Catcher`` that plays a part: command name, ``greeting`` or ``content`` -> what it does instead.

    A text is sent as the reply. ``content`` is the answer to the whole message, which is kept before it.
    ``commands`` is what it was told, in order; ``connections`` how often it was called.
    """

    def __init__(self, folder: Path, script: Script | None = None, **settings: Any) -> None:
        super().__init__(folder, LOGIN, LOGIN_PASSWORD)
        self.script: Script = script or {}
        self.identities = settings.pop("identities", (HOST,))
        self.implicit_tls = settings.pop("implicit_tls", False)
        self.settings = settings  # of aiosmtpd
        self.commands: list[str] = []
        self.connections = 0
        self.authenticated: list[bool] = []

    def names(self) -> tuple[str, ...]:
        return self.identities

    def session(self) -> SMTP:
        self.connections += 1
        kept = {
            "hostname": "mail.example.org",
            "tls_context": self._tls,
            "require_starttls": True,
            "auth_required": True,
            "authenticator": self._authenticate,
            "loop": self._loop,
        }
        if self.implicit_tls:  # aiosmtpd knows of no TLS then, and warns of a login without
            kept |= {"tls_context": None, "auth_required": False, "auth_require_tls": False}
        return _Session(self, **kept | self.settings)

    async def _listen(self) -> asyncio.Server:
        tls = self._tls if self.implicit_tls else None
        return await self._loop.create_server(self._connected, host=HOST, port=0, ssl=tls)

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:  # noqa: N802
        self.authenticated.append(bool(session.authenticated))
        self._keep(envelope)
        return await server.play("content") or "250 2.0.0 kept"


class _Session(SMTP):
    def __init__(self, server: Scripted, **settings: Any) -> None:
        super().__init__(server, **settings)
        self.server = server
        # What this session tells after the connection is gone goes nowhere: that is what is tested.
        self.loop.set_exception_handler(lambda *_: None)
        self._smtp_methods = {
            name: partial(self._hear, name, method) for name, method in self._smtp_methods.items()
        }

    async def _hear(self, name: str, method: Any, arg: str | None) -> None:
        self.server.commands.append(f"{name} {arg}" if arg else name)
        if reply := await self.play(name):
            await super().push(reply)
        else:
            await method(arg)

    async def push(self, status: Any) -> None:
        if isinstance(status, str) and status.startswith("220 mail"):
            status = await self.play("greeting") or status
        await super().push(status)

    async def play(self, step: str) -> str | None:
        """The reply that the script has for this step, if it is a reply."""
        do = self.server.script.get(step)
        if do is Do.DROP_IN_THE_MIDDLE:
            await super().push("354 go on")
            await self._reader.readline()
        if do in (Do.DROP, Do.DROP_IN_THE_MIDDLE):
            self.transport.abort()
        if isinstance(do, Do):
            await self.loop.create_future()  # until the connection is gone, which cancels it
        return do


def settings(server: Catcher, **changes: Any) -> SmtpSettings:
    """How to reach this server, verified by its own authority."""
    made = SmtpSettings(
        host=HOST,
        port=server.port,
        login=LOGIN,
        password=LOGIN_PASSWORD,
        sender=SENDER,
        ca_file=server.ca_file,
        timeout=5,
        limit=20,
    )
    return replace(made, **changes)


# --------------------------------------------------------------------------------- what is sent


@cache
def workbook() -> bytes:
    """An unprotected workbook with a value that must not be seen anywhere."""
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True}) as book:
        book.add_worksheet("Data").write_row(0, 0, ["Site", CANARY])
    return file.getvalue()


@cache
def sealed_workbook() -> bytes:
    file = io.BytesIO()
    msoffcrypto.OfficeFile(io.BytesIO(workbook())).encrypt(PASSWORD, file)
    return file.getvalue()


@cache
def sealed_zip() -> bytes:
    file = io.BytesIO()
    with pyzipper.AESZipFile(file, "w", pyzipper.ZIP_DEFLATED, encryption=pyzipper.WZ_AES) as archive:
        archive.setpassword(PASSWORD.encode())
        archive.writestr("data.xlsx", workbook())
    return file.getvalue()


def package(content: bytes | None = None, **changes: Any) -> Package:
    content = sealed_workbook() if content is None else content
    made = Package(
        filename="extract.xlsx",
        media_type="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        content=content,
        sha256=hashlib.sha256(content).hexdigest(),
        encrypted=True,
        rows=1,
        columns=("Site", "1.1.c.1 Site ID (SSID)"),
    )
    return replace(made, **changes)


def zipped() -> Package:
    return package(sealed_zip(), filename="extract.zip", media_type="application/zip")


def focal_point(**changes: Any) -> FocalPoint:
    made = FocalPoint(
        id="npl/scpa-primary",
        organization="scpa",
        role=Role.PRIMARY,
        title="Information Manager",
        email="focal.point@example.org",
        mobile="+000 000",
        in_office=Validity(date(2026, 1, 1), None),
        source=Source("npl/focal_points/scpa.yaml", 5, 3),
        name="Hidden Person",
    )
    return replace(made, **changes)


def dispatch(sent: Package | None = None, **changes: Any) -> Dispatch:
    made = Dispatch(
        key="6f1f3c1e-8a1b-5c9d-9e54-1c2d3e4f5a6b",
        organization="scpa",
        agreement="npl/child-protection",
        urgency=Urgency.LOW,
        purpose="Planning of child protection services in sites",
        dataset="npl/site-assessment",
        round="2026-10",
        level=Level.CONFIDENTIAL,
        columns=("Site", "1.1.c.1 Site ID (SSID)"),
        indicators=("site-id",),
        grain=Grain.SITE,
        rows=1,
        method=Method.EXCEL_EMAIL,
        focal_point="npl/scpa-primary",
        policy_digest="sha256:" + "0" * 64,
        artefact_path="outbox/6f1f3c1e/extract.xlsx",
        artefact_sha256=(sent or package()).sha256,
    )
    return replace(made, **changes)


def message(**changes: Any) -> Any:
    """The message of the dispatch above; ``changes`` are arguments of ``compose``."""
    sent = changes.pop("package", package())
    rest = {"sender": SENDER, "message_domain": DOMAIN, "date": WHEN, **changes}
    return compose(rest.pop("dispatch", dispatch(sent)), sent, rest.pop("focal_point", focal_point()), **rest)


def foreign_authority(folder: Path) -> Path:
    """The certificate of an authority that signed none of the servers here."""
    with Catcher(folder, LOGIN, LOGIN_PASSWORD) as other:
        return other.ca_file


def client_tls(server: Catcher) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=server.ca_file)
