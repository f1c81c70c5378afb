"""What one message to one focal point says, and what is honestly known once it was tried.

Pure: composes and judges, opens no connection. A message names a reference and an agreement, never a dataset,
a place, a column, a person or a password: mail is read by every server on its way.
"""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from enum import StrEnum
from typing import Protocol

from dtm_sharing.errors import PackageUnsafe, UsageProblem
from dtm_sharing.model import Delivery, Dispatch, FocalPoint, Method, Package, Receipt


class Channel(Protocol):
    """The way out. It takes a message at most once per call, and never tries again by itself."""

    def send(self, message: EmailMessage) -> Receipt: ...


# ------------------------------------------------------------------------------------ what it says

# RFC 5321 4.5.3.1.1 (64) and 4.5.3.1.3 (254 with its brackets); RFC 5322 dot-atom. Quoted local parts and
# non-ASCII addresses are legal mail, but nothing that Table C needs: they are refused, not guessed at.
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})+")
_ADDRESS = re.compile(rf"(?=.{{3,254}}\Z)(?=[^@]{{1,64}}@){_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})+")
_KEY = re.compile(r"[0-9A-Za-z-]{8,64}")
_FILENAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,99}(?:\.[0-9A-Za-z-]{1,20}){1,3}")

# A message may carry its ledger receipt (tlog-proof and entry, which hold no values) beside the extract, and
# nothing that could be an extract: this is not a second, unencrypted way out.
_BESIDE = ("text/plain", "application/json")
_BESIDE_BYTES = 256 * 1024

_ATTACHED: Mapping[Method, str] = {
    Method.EXCEL_EMAIL: "The attachment is an Excel workbook protected with a password.",
    Method.DOCUMENT_EMAIL: (
        "The attachment is a zip file protected with a password (AES). Open it with\n"
        "7-Zip or a similar program: what comes with Windows or macOS may not do."
    ),
}

_BODY = """\
Data extract, reference {key}

{attached}
The password comes to you by another channel. It is never sent by e-mail:
whoever asks for it by e-mail, or sends one by e-mail, is not us.

Use the extract only for the purpose agreed under
{agreement}
and share it no further than that agreement allows.

Questions, or a file that does not open: write to {sender}
and give the reference.

If this message is not meant for you: do not open or pass on the attachment,
tell {sender} and give the reference, then delete it.
"""


def reference(dispatch: Dispatch) -> str:
    """The short reference that a focal point reads out: the first eight signs of the dispatch's key."""
    return dispatch.key[:8]


def compose(  # noqa: PLR0913  each is another's to give: outbox, store, policy, connection, clock
    dispatch: Dispatch,
    package: Package,
    focal_point: FocalPoint,
    *,
    sender: str,
    message_domain: str,
    date: datetime,
    attachments: Sequence[tuple[str, str, bytes]] = (),
) -> EmailMessage:
    """The one message of this dispatch: one address, the extract encrypted, and its receipt if there is one.

    Same arguments, same bytes: its Message-ID is ``<key@message_domain>`` with no number of an attempt, so
    that mail servers and people can tell a second copy for what it is. ``attachments`` are receipts:
    (file name, media type, content), text or JSON.

    Raises:
        PackageUnsafe: the artefact is not encrypted, is of another form than the agreed method, or is not
            the one that was recorded.
        UsageProblem: an address, a name or the date cannot stand in a message, or the dispatch is for another
            person or another channel.
    """
    _check_package(dispatch, package)
    _check_headers(dispatch, focal_point, sender, message_domain, date)
    # 7bit: also a server without 8BITMIME takes it unchanged.
    message = EmailMessage(policy=SMTP.clone(cte_type="7bit"))
    message["From"] = sender
    message["To"] = focal_point.email
    message["Subject"] = f"Data extract {reference(dispatch)}"
    message["Date"] = format_datetime(date)
    message["Message-ID"] = f"<{dispatch.key}@{message_domain}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: holiday notices do not answer it
    message.set_content(
        _BODY.format(
            key=dispatch.key,
            attached=_ATTACHED[dispatch.method],
            agreement=dispatch.agreement,
            sender=sender,
        )
    )
    _attach(message, package.filename, package.media_type, package.content)
    for filename, media_type, content in attachments:
        if media_type not in _BESIDE or len(content) > _BESIDE_BYTES:
            raise PackageUnsafe(
                f"{dispatch.key}: only a receipt (text or JSON, up to {_BESIDE_BYTES // 1024} KiB) may be "
                "attached beside the encrypted extract; send anything else as an extract of its own"
            )
        _attach(message, filename, media_type, content)
    message.set_boundary(f"=_{dispatch.key}")  # else the email package draws a random one
    return message


def _attach(message: EmailMessage, filename: str, media_type: str, content: bytes) -> None:
    main, _, sub = media_type.partition("/")
    if not _FILENAME.fullmatch(filename) or not re.fullmatch(r"[a-z0-9.+-]+/[a-z0-9.+-]+", media_type):
        raise UsageProblem(
            "an attachment's file name or media type cannot stand in a message; use plain letters, digits, "
            "'-', '_' and '.', and a type such as application/zip"
        )
    message.add_attachment(content, maintype=main, subtype=sub, filename=filename)


def _check_package(dispatch: Dispatch, package: Package) -> None:
    if dispatch.method not in _ATTACHED:
        raise UsageProblem(f"{dispatch.key}: the agreed method is {dispatch.method}, which is not e-mail")
    if not package.encrypted or not _SEALED[dispatch.method](package.content):
        raise PackageUnsafe(
            f"{dispatch.key}: the artefact is not encrypted in the form that {dispatch.method} asks for; "
            "package it again: there is no unencrypted path"
        )
    digest = hashlib.sha256(package.content).hexdigest()
    if not digest == package.sha256 == dispatch.artefact_sha256:
        raise PackageUnsafe(
            f"{dispatch.key}: the artefact is not the one that was recorded (its SHA-256 differs); "
            "package it again as a new dispatch"
        )


def _is_sealed_excel(content: bytes) -> bool:
    """An encrypted workbook is an OLE container with an EncryptedPackage stream (MS-OFFCRYPTO 2.3.4.4)."""
    return (
        content.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
        and "EncryptedPackage".encode("utf-16-le") in content
    )


def _is_sealed_zip(content: bytes) -> bool:
    """Every member is AES-encrypted (flag bit 0, and method 99 of the WinZip AES extension)."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError):
        return False
    return bool(members) and all(each.flag_bits & 1 and each.compress_type == 99 for each in members)


# `encrypted` is what the package step found; this is what the bytes at hand show, at the very door.
_SEALED = {Method.EXCEL_EMAIL: _is_sealed_excel, Method.DOCUMENT_EMAIL: _is_sealed_zip}


def _check_headers(
    dispatch: Dispatch, focal_point: FocalPoint, sender: str, message_domain: str, date: datetime
) -> None:
    if dispatch.focal_point != focal_point.id:
        raise UsageProblem(
            f"{dispatch.key} is for {dispatch.focal_point}, not for {focal_point.id}; "
            "one message goes to one person"
        )
    if not is_address(focal_point.email):
        raise UsageProblem(
            f"{focal_point.source}: the e-mail address of {focal_point.id} is not one plain address such as "
            "focal.point@example.org; correct it there"
        )
    if not is_address(sender):
        raise UsageProblem(
            "the sender of the SMTP connection is not one plain address such as dtm@example.org; correct it"
        )
    if not _DOMAIN.fullmatch(message_domain):
        raise UsageProblem("the message domain is not a domain such as example.org; correct it")
    if not _KEY.fullmatch(dispatch.key) or not dispatch.agreement.isprintable():
        raise UsageProblem("the dispatch's key or its agreement's id cannot stand in a message; correct it")
    if date.utcoffset() is None:
        raise UsageProblem(f"{dispatch.key}: the date of a message needs a time zone")


def is_address(text: str) -> bool:
    """Whether this is one plain address: ASCII, no display name, nothing that could end a header line."""
    return _ADDRESS.fullmatch(text) is not None


# ------------------------------------------------------------------------------------ what is known


class Phase(StrEnum):
    """How far an SMTP session had come. The value names it in a sentence."""

    CONNECT = "connecting"
    HELLO = "EHLO"
    TLS = "TLS"
    LOGIN = "login"
    SENDER = "MAIL"
    RECIPIENT = "RCPT"
    DATA = "DATA"  # the command; nothing of the message has been submitted
    CONTENT = "message data"  # from the first byte of the message to the server's last answer


class Fault(StrEnum):
    """Why there is no reply code. Our own words: never the server's."""

    UNREACHABLE = "the mail server could not be reached"
    CERTIFICATE = "the mail server's certificate could not be verified"
    NO_TLS = "no encrypted connection could be made"
    NO_LOGIN = "the mail server offers no login that can be used"
    DROPPED = "the connection broke"
    TIMED_OUT = "the mail server did not answer in time"
    NOT_SMTP = "the mail server's answer was not SMTP"


_NOT_SENT, _FAILED, _UNKNOWN = Delivery.NOT_SENT, Delivery.FAILED, Delivery.OUTCOME_UNKNOWN
_OUTCOMES: Mapping[Phase, tuple[Delivery, Delivery, Delivery]] = {
    # phase          5xx         4xx        any other reply, or none
    Phase.CONNECT: (_NOT_SENT, _NOT_SENT, _NOT_SENT),
    Phase.HELLO: (_NOT_SENT, _NOT_SENT, _NOT_SENT),
    Phase.TLS: (_NOT_SENT, _NOT_SENT, _NOT_SENT),
    # A refused login is our own mistake, not the recipient's: once it is corrected, the dispatch goes on.
    Phase.LOGIN: (_NOT_SENT, _NOT_SENT, _NOT_SENT),
    Phase.SENDER: (_FAILED, _NOT_SENT, _NOT_SENT),
    Phase.RECIPIENT: (_FAILED, _NOT_SENT, _NOT_SENT),
    Phase.DATA: (_FAILED, _NOT_SENT, _NOT_SENT),
    # A 4xx here may hide a delivery: the server may have queued the message before something failed.
    Phase.CONTENT: (_FAILED, _UNKNOWN, _UNKNOWN),
}

_NEXT: Mapping[Delivery, str] = {
    Delivery.SENT: "",
    Delivery.FAILED: "; no copy left: correct what it refused, then send a new dispatch",
    Delivery.NOT_SENT: "; nothing was submitted, so it may be tried again",
    Delivery.OUTCOME_UNKNOWN: "; a copy may have left: ask the recipient before anything is sent again",
}


def outcome(phase: Phase, code: int | None) -> Delivery:
    """What is known when a session ended in ``phase`` with this reply code, or None without a reply.

    Only 250 to the whole message is SENT. SMTP cannot be exactly-once (RFC 5321 4.5.3.2.6): what may have
    been sent is said to be unknown, and is not sent again by itself.
    """
    if phase is Phase.CONTENT and code == 250:
        return Delivery.SENT
    permanent, transient, other = _OUTCOMES[phase]
    return {5: permanent, 4: transient}.get((code or 0) // 100, other)


def receipt(phase: Phase, answer: int | Fault, message_id: str) -> Receipt:
    """The receipt of an attempt that ended in ``phase`` with a reply code or without one.

    ``remote_id`` is the Message-ID where a copy may have left: what one looks for in a mail server's log.
    """
    delivery = outcome(phase, None if isinstance(answer, Fault) else answer)
    may_have_left = delivery in (Delivery.SENT, Delivery.OUTCOME_UNKNOWN)
    return Receipt(delivery, _sentence(phase, answer, delivery), message_id if may_have_left else None)


def _sentence(phase: Phase, answer: int | Fault, delivery: Delivery) -> str:
    if delivery is Delivery.SENT:
        return f"The mail server took the message ({phase}, reply {answer})."
    if isinstance(answer, Fault):
        return f"Phase {phase}: {answer}{_NEXT[delivery]}."
    return f"Phase {phase}: the mail server replied {answer}{_NEXT[delivery]}."
