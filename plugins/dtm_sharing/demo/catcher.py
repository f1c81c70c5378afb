"""A mail server for the demo and the tests: takes mail over STARTTLS after a login, and keeps it as files.

    DTM_CATCHER_LOGIN=… DTM_CATCHER_PASSWORD=… python -m dtm_sharing.demo.catcher --folder DIR

It listens on a free port of 127.0.0.1. Into DIR it writes ``ca.pem`` (the authority that it made for itself),
``ready.json`` (``{"host", "port", "ca_file"}``, once it is ready; also printed), and each message as
``001.eml``, ``002.eml``, … It delivers nothing to anyone. SIGTERM or SIGINT ends it with exit code 0.
"""

from __future__ import annotations

import argparse
import asyncio
import hmac
import json
import logging
import os
import signal
import ssl
import sys
import threading
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from weakref import WeakSet

from dtm_sharing.errors import SharingError, StoreFailed, UsageProblem

if TYPE_CHECKING:
    from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

HOST = "127.0.0.1"
LOGIN, PASSWORD = "DTM_CATCHER_LOGIN", "DTM_CATCHER_PASSWORD"  # environment variables
_LARGEST = 64 * 1024 * 1024  # bytes of one message


class Catcher:
    """The server in a thread of its own, between ``with`` and its end.

    ``host``, ``port`` and ``ca_file`` say how to reach it. Messages are numbered on from those that the
    folder already holds; what the envelope said stands above each as Return-Path and Delivered-To, as a
    mailbox shows it.
    """

    host = HOST

    def __init__(self, folder: Path, login: str, password: str) -> None:
        if not login or not password:
            raise UsageProblem(f"the mail catcher needs a login and a password: set {LOGIN} and {PASSWORD}")
        self.folder = folder
        self.port = 0
        self.ca_file = folder / "ca.pem"
        self._account = (login.encode(), password.encode())
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None
        self._sessions: WeakSet[SMTP] = WeakSet()

    def __enter__(self) -> Self:
        # aiosmtpd logs addresses at INFO and every line of a message at DEBUG; asyncio logs a traceback for
        # each client that turns away from a certificate, which is what some come here to do.
        for name in ("mail.log", "asyncio"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._tls = self._make_tls()
        except ImportError as error:
            raise UsageProblem(
                "the mail catcher needs the packages aiosmtpd and trustme (group 'demo'); install them first"
            ) from error
        except OSError as error:
            raise _unwritable(self.folder) from error
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def messages(self) -> tuple[EmailMessage, ...]:
        """Every message in the folder, oldest first."""
        parser = BytesParser(policy=policy.default)
        return tuple(parser.parsebytes(path.read_bytes()) for path in sorted(self.folder.glob("*.eml")))

    def names(self) -> tuple[str, ...]:
        """For whom the server's certificate is issued."""
        return (HOST, "localhost")

    def session(self) -> SMTP:
        """The protocol of one connection: no command but EHLO before STARTTLS, no mail before a login."""
        from aiosmtpd.smtp import SMTP

        return SMTP(
            self,
            hostname="catcher.example.org",
            ident="mail catcher",
            tls_context=self._tls,
            require_starttls=True,
            auth_required=True,
            authenticator=self._authenticate,
            data_size_limit=_LARGEST,
            loop=self._loop,
        )

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep it (aiosmtpd calls this by its name)."""
        self._keep(envelope)
        return "250 2.0.0 kept"

    async def handle_exception(self, _error: Exception) -> str:
        """What the client hears of a failure here, such as a full disk: it was not kept, and no more."""
        return "451 4.3.0 not kept"

    def _authenticate(self, *call: Any) -> AuthResult:
        from aiosmtpd.smtp import AuthResult

        login, password = (hmac.compare_digest(*pair) for pair in zip(self._account, call[-1], strict=True))
        return AuthResult(success=login and password, handled=False)

    def _keep(self, envelope: Envelope) -> None:
        head = [f"Return-Path: <{envelope.mail_from}>"]
        head += [f"Delivered-To: {address}" for address in envelope.rcpt_tos]
        content = "\r\n".join(head).encode() + b"\r\n" + (envelope.original_content or b"")
        taken = (path.stem for path in self.folder.glob("*.eml"))
        number = 1 + max((int(stem) for stem in taken if stem.isdecimal()), default=0)
        _write(self.folder / f"{number:03}.eml", content)

    def _make_tls(self) -> ssl.SSLContext:
        """A fresh authority and a certificate of it. The authority's key stays in memory."""
        import trustme

        authority = trustme.CA()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        authority.issue_cert(*self.names()).configure_cert(context)
        _write(self.ca_file, authority.cert_pem.bytes())
        return context

    def _connected(self) -> SMTP:
        session = self.session()
        self._sessions.add(session)
        return session

    async def _listen(self) -> asyncio.Server:
        return await self._loop.create_server(self._connected, host=HOST, port=0)

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        for session in self._sessions:
            if isinstance(session.transport, asyncio.WriteTransport):
                session.transport.abort()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all, and for the owner only: another process may be looking."""
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def _unwritable(folder: Path) -> StoreFailed:
    return StoreFailed(f"the mail catcher cannot write into {folder}; free it or give another --folder")


def serve(folder: Path, login: str, password: str) -> None:
    """Catch mail until SIGTERM or SIGINT."""
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    ready = folder / "ready.json"
    try:
        ready.unlink(missing_ok=True)  # an earlier one would name a port that nobody listens on
        with Catcher(folder, login, password) as catcher:
            where = {"host": HOST, "port": catcher.port, "ca_file": str(catcher.ca_file.absolute())}
            _write(ready, json.dumps(where).encode())
            print(json.dumps(where), flush=True)
            stop.wait()
        ready.unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(folder) from error


def main(arguments: list[str] | None = None) -> int:
    """Run the program and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m dtm_sharing.demo.catcher",
        description="Take mail over STARTTLS after a login and keep it as files.",
        epilog=f"The login is taken from {LOGIN} and {PASSWORD}: what is on a command line, others can read.",
    )
    parser.add_argument("--folder", type=Path, required=True, help="where ready.json and the messages go")
    folder = parser.parse_args(arguments).folder
    try:
        serve(folder, os.environ.get(LOGIN, ""), os.environ.get(PASSWORD, ""))
    except SharingError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
