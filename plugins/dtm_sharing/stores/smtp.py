"""Mail out over verified TLS, after a login, once.

Not through Airflow's ``SmtpHook``: measured on provider 3.2.0 it sends a message again after any error,
takes one refused recipient of two for success, sets no Message-ID and can be told not to verify or encrypt.
The connection is still Airflow's: ``SmtpSettings.from_connection`` takes its values.
"""

from __future__ import annotations

import ipaddress
import re
import smtplib
import socket
import ssl
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from math import isfinite
from pathlib import Path

from dtm_sharing.deliver import Fault, Phase, is_address, receipt
from dtm_sharing.errors import UsageProblem
from dtm_sharing.model import Receipt

TIMEOUT, LIMIT = 60.0, 240.0  # seconds
LONGEST_LIMIT = 300.0  # seconds: a third of the outbox's lease
_SUBMISSION, _SUBMISSIONS = 587, 465  # RFC 6409 with STARTTLS; RFC 8314 with TLS from the first byte
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")

# What an Airflow connection of type smtp may hold beside ours. A key that is neither is refused: a misspelt
# `ca_file` must not quietly become "any authority of this machine".
_SERVER_EXTRAS = {"from_email", "timeout", "retry_limit", "disable_tls", "disable_ssl", "ssl_context"}
_LOGIN_EXTRAS = {"auth_type", "access_token", "client_id", "client_secret", "tenant_id", "scope"}
_TEMPLATE_EXTRAS = {"subject_template", "html_content_template"}
_KNOWN_EXTRAS = _SERVER_EXTRAS | _LOGIN_EXTRAS | _TEMPLATE_EXTRAS | {"ca_file", "limit"}

_BLOCK = 64 * 1024  # bytes handed to the socket at a time


@dataclass(frozen=True, slots=True)
class SmtpSettings:
    """A mail server and our account there.

    There is no setting that sends unencrypted, unverified or without a login: a control that configuration
    can switch off is not a control.

    ``starttls`` False means TLS from the first byte. ``ca_file`` (PEM) replaces the machine's authorities.
    ``timeout``: seconds for one answer or one block of data. ``limit``: seconds for the whole attempt, up to
    LONGEST_LIMIT: an attempt that outlives the outbox's lease would meet a second worker's.
    """

    host: str
    port: int
    login: str = field(repr=False)
    password: str = field(repr=False)
    sender: str
    starttls: bool = True
    ca_file: Path | None = None
    timeout: float = TIMEOUT
    limit: float = LIMIT

    def __post_init__(self) -> None:
        if not _is_host(self.host):
            raise UsageProblem("the SMTP connection's host is not a host name or an IP address; correct it")
        if not 0 < self.port < 65536:
            raise UsageProblem("the SMTP connection's port is not a number from 1 to 65535; correct it")
        if not self.login or not self.password:
            raise UsageProblem(
                "the SMTP connection has no login or no password; set both: extracts leave only through a "
                "mail server that knows us"
            )
        if "\0" in self.login + self.password:
            raise UsageProblem("the SMTP connection's login or password holds a NUL character; correct it")
        if not is_address(self.sender):
            raise UsageProblem(
                "the SMTP connection's from_email is not one plain address such as dtm@example.org; set it"
            )
        if not all(isfinite(each) and each > 0 for each in (self.timeout, self.limit)):
            raise UsageProblem("the SMTP connection's timeout and limit are seconds above zero; correct them")
        if self.limit > LONGEST_LIMIT:
            raise UsageProblem(f"the SMTP connection's limit is above {LONGEST_LIMIT:.0f} seconds; lower it")

    @property
    def domain(self) -> str:
        """The sender's domain: what we call ourselves in EHLO, where others tell the machine's name."""
        return self.sender.rpartition("@")[2]

    @classmethod
    def from_connection(
        cls,
        host: str | None,
        login: str | None,
        password: str | None,
        port: int | None,
        extra: Mapping[str, object],
    ) -> SmtpSettings:
        """The settings that an Airflow connection of type ``smtp`` holds.

        ``from_email`` is required; ``ca_file`` and ``limit`` are extras of ours. ``disable_ssl`` means
        STARTTLS, ``disable_tls`` means TLS from the first byte; with neither, port 465 means the latter and
        any other port the former.

        Raises:
            UsageProblem: something is missing or makes no sense, or would switch off encryption or the
                verification of the server.
        """
        _check_extra(extra)
        no_starttls, no_implicit = _flag(extra, "disable_tls"), _flag(extra, "disable_ssl")
        if no_starttls and no_implicit:
            raise UsageProblem(
                "the SMTP connection sets both disable_tls and disable_ssl, which would send extracts "
                "unencrypted; unset one of them: disable_ssl alone means STARTTLS"
            )
        starttls = no_implicit or (not no_starttls and port != _SUBMISSIONS)
        ca_file = _text(extra, "ca_file")
        return cls(
            host=host or "",
            port=port or (_SUBMISSION if starttls else _SUBMISSIONS),
            login=login or "",
            password=password or "",
            sender=_text(extra, "from_email"),
            starttls=starttls,
            ca_file=Path(ca_file) if ca_file else None,
            timeout=_seconds(extra, "timeout", TIMEOUT),
            limit=_seconds(extra, "limit", LIMIT),
        )


def _is_host(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return _HOST.fullmatch(text) is not None
    return True


def _check_extra(extra: Mapping[str, object]) -> None:
    if unknown := sorted(set(extra) - _KNOWN_EXTRAS):
        raise UsageProblem(
            f"the SMTP connection has unknown extras ({', '.join(unknown)}); correct or remove them"
        )
    if extra.get("ssl_context") not in (None, "", "default"):
        raise UsageProblem(
            "the SMTP connection's ssl_context must be unset or 'default': the mail server's certificate is "
            "always verified; give a private authority's certificate as ca_file"
        )
    if extra.get("auth_type") not in (None, "", "basic"):
        raise UsageProblem(
            "the SMTP connection's auth_type must be unset or 'basic': this version logs in with a password"
        )


def _flag(extra: Mapping[str, object], name: str) -> bool:
    """A yes or no. A connection written as a URI has strings, and ``bool("false")`` would be true."""
    words = {"": False, "none": False, "false": False, "0": False, "true": True, "1": True}
    word = str(extra.get(name)).lower()
    if word not in words:
        raise UsageProblem(f"the SMTP connection's {name} is neither true nor false; correct it")
    return words[word]


def _text(extra: Mapping[str, object], name: str) -> str:
    value = extra.get(name)
    if not isinstance(value, str | None):
        raise UsageProblem(f"the SMTP connection's {name} is not text; correct it")
    return value or ""


def _seconds(extra: Mapping[str, object], name: str, default: float) -> float:
    value = extra.get(name)
    try:
        return default if value in (None, "") else float(str(value))
    except ValueError as error:
        raise UsageProblem(f"the SMTP connection's {name} is not a number of seconds; correct it") from error


# ------------------------------------------------------------------------------------------- sending


class Smtp:
    """A ``deliver.Channel``: one connection and one attempt per message. It logs nothing."""

    def __init__(self, settings: SmtpSettings) -> None:
        """Raise UsageProblem if ``ca_file`` cannot be read: before an attempt is recorded, not during it."""
        self.settings = settings
        self._context = _tls(settings.ca_file)

    def send(self, message: EmailMessage) -> Receipt:
        """Try once, and say what is known of it.

        What the server or the line does is in the receipt, never raised; it holds no text of the server's
        and no address.

        Raises:
            UsageProblem: the message is not to exactly one address, or not from our sender; nothing was
                tried.
        """
        recipient, content = self._check(message)
        client = self._client()
        attempt = _Attempt(client)
        with _limit(client, self.settings.limit) as over:
            try:
                self._open(attempt)
                answer: int | Fault = self._submit(attempt, recipient, content)
            except _Unwanted as unwanted:
                answer = unwanted.answer
            except (OSError, smtplib.SMTPException) as error:
                answer = Fault.TIMED_OUT if over.is_set() else _fault(error, attempt.phase)
            finally:
                _leave(client)
        return receipt(attempt.phase, answer, message["Message-ID"])

    def _check(self, message: EmailMessage) -> tuple[str, bytes]:
        """The one recipient, and the message as it goes on the wire (RFC 5321 4.5.2: dots are doubled)."""
        to = message.get_all("To", [])
        others = any(name in message for name in ("Cc", "Bcc", "Resent-To", "Resent-Cc", "Resent-Bcc"))
        if len(to) != 1 or others or not is_address(to[0]):
            raise UsageProblem(
                "a message goes to one plain address and to no one else; compose one per focal point"
            )
        if message.get_all("From") != [self.settings.sender] or not message["Message-ID"]:
            raise UsageProblem(
                "a message is from the SMTP connection's from_email and has a Message-ID; compose it so"
            )
        content = message.as_bytes(policy=message.policy.clone(linesep="\r\n"))
        content = re.sub(rb"(?m)^\.", b"..", content)
        return str(to[0]), content + (b"" if content.endswith(b"\r\n") else b"\r\n") + b".\r\n"

    def _client(self) -> smtplib.SMTP:
        name, timeout = self.settings.domain, self.settings.timeout
        client = (
            smtplib.SMTP(local_hostname=name, timeout=timeout)
            if self.settings.starttls
            else smtplib.SMTP_SSL(local_hostname=name, timeout=timeout, context=self._context)
        )
        # The name that TLS verifies. smtplib sets it only in a constructor that also connects, where the
        # limit could not reach the socket. Should this stop working, every connection is refused.
        client._host = self.settings.host  # type: ignore[attr-defined]  # noqa: SLF001
        return client

    def _open(self, attempt: _Attempt) -> None:
        """Connect, encrypt, verify, log in: nothing of the message is submitted here."""
        client, settings = attempt.client, self.settings
        attempt.step(Phase.CONNECT, 220, lambda: client.connect(settings.host, settings.port))
        attempt.step(Phase.HELLO, 250, client.ehlo)
        if settings.starttls:
            attempt.require(Phase.TLS, Fault.NO_TLS, met=client.has_extn("starttls"))
            attempt.step(Phase.TLS, 220, lambda: client.starttls(context=self._context))
            attempt.step(Phase.HELLO, 250, client.ehlo)
        self._log_in(attempt)

    def _log_in(self, attempt: _Attempt) -> None:
        """One try with one mechanism.

        smtplib's ``login`` would offer a wrong password up to three times, which locks accounts, and cannot
        say a non-ASCII one. Inside TLS, CRAM-MD5 would add nothing.
        """
        client, login, password = attempt.client, self.settings.login, self.settings.password
        offered = client.esmtp_features.get("auth", "").upper().split()
        attempt.require(Phase.LOGIN, Fault.NO_LOGIN, met="PLAIN" in offered or "LOGIN" in offered)
        if "PLAIN" in offered:  # RFC 4616
            plain = _b64(f"\0{login}\0{password}")
            attempt.step(Phase.LOGIN, 235, lambda: client.docmd("AUTH", f"PLAIN {plain}"))
            return
        attempt.step(Phase.LOGIN, 334, lambda: client.docmd("AUTH", "LOGIN"))
        attempt.step(Phase.LOGIN, 334, lambda: client.docmd(_b64(login)))
        attempt.step(Phase.LOGIN, 235, lambda: client.docmd(_b64(password)))

    def _submit(self, attempt: _Attempt, recipient: str, content: bytes) -> int:
        """Offer the message to one recipient and return the last reply code, 250."""
        client = attempt.client
        # Too big for the server: it is refused before any of it leaves (RFC 1870).
        size = [f"size={len(content)}"] if client.has_extn("size") else []
        attempt.step(Phase.SENDER, 250, lambda: client.mail(self.settings.sender, size))
        # Not 251: "will forward" says that the address on file is not where the message would go.
        attempt.step(Phase.RECIPIENT, 250, lambda: client.rcpt(recipient))
        attempt.step(Phase.DATA, 354, lambda: client.docmd("DATA"))
        attempt.phase = Phase.CONTENT
        # In blocks: a TLS socket's timeout is for one whole write, and a slow line needs longer for all.
        for start in range(0, len(content), _BLOCK):
            client.send(content[start : start + _BLOCK])
        # Patient with the last answer (RFC 5321 4.5.3.2.6): giving up here leaves a question that only a
        # person can answer. The limit still ends it.
        if client.sock is not None:
            client.sock.settimeout(self.settings.limit)
        return attempt.step(Phase.CONTENT, 250, client.getreply)


def _tls(ca_file: Path | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # ssl.SSLError is one
        raise UsageProblem(
            f"the SMTP connection's ca_file {ca_file} cannot be read as PEM certificates; correct it"
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


class _Unwanted(Exception):
    """The server answered something else than the step needs, or does not offer what it needs.

    An answer rather than an error: it ends in a receipt.
    """

    def __init__(self, answer: int | Fault) -> None:
        super().__init__(answer)
        self.answer = answer


class _Attempt:
    """A session and how far it has come, for an honest receipt."""

    def __init__(self, client: smtplib.SMTP) -> None:
        self.client = client
        self.phase = Phase.CONNECT

    def step(self, phase: Phase, wanted: int, ask: Callable[[], tuple[int, bytes]]) -> int:
        self.phase = phase
        code, _ = ask()
        if code != wanted:
            raise _Unwanted(code if code > 0 else Fault.NOT_SMTP)
        return code

    def require(self, phase: Phase, fault: Fault, *, met: bool) -> None:
        self.phase = phase
        if not met:
            raise _Unwanted(fault)


def _fault(error: Exception, phase: Phase) -> int | Fault:
    """Our word for a foreign error. Its own text may hold the server's text or an address: it stays here.

    The code of an ``SMTPResponseException`` counts only where STARTTLS was refused: elsewhere smtplib makes
    it up (500 for an endless line), and a made-up 500 after the data would claim that no copy left.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        return Fault.CERTIFICATE
    if isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError):
        return Fault.TIMED_OUT
    if isinstance(error, ssl.SSLError):
        return Fault.NO_TLS
    if isinstance(error, smtplib.SMTPResponseException):
        return error.smtp_code if phase is Phase.TLS else Fault.NOT_SMTP
    if phase is Phase.CONNECT and not isinstance(error, smtplib.SMTPServerDisconnected):
        return Fault.UNREACHABLE
    return Fault.DROPPED


def _leave(client: smtplib.SMTP) -> None:
    """Say goodbye without waiting long: the receipt is not recorded before this returns."""
    with suppress(OSError, smtplib.SMTPException):
        if client.sock is not None:
            client.sock.settimeout(2.0)
            client.quit()
    client.close()


@contextmanager
def _limit(client: smtplib.SMTP, seconds: float) -> Iterator[threading.Event]:
    """Cut the connection once ``seconds`` are over, and set the event.

    A socket's own timeout starts anew with every byte, so a server that drips could hold us for longer than
    the lease, and a second worker would set out.
    """
    done, over = threading.Event(), threading.Event()

    def cut() -> None:
        wait = seconds
        while not done.wait(wait):
            wait = 0.5  # again, should the socket be a newer one by now
            over.set()
            if (line := client.sock) is not None:
                # Not line.shutdown(): a TLS socket's own would first take the encryption off, while the
                # other thread may be writing.
                with suppress(OSError):
                    socket.socket.shutdown(line, socket.SHUT_RDWR)

    watch = threading.Thread(target=cut, daemon=True)
    watch.start()
    try:
        yield over
    finally:
        done.set()
        watch.join()


def _b64(text: str) -> str:
    return b64encode(text.encode()).decode("ascii")
