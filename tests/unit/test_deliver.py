"""One message to one person that tells a reader on the way nothing; honest words for what became of it."""

import io
import re
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from email import policy
from email.parser import BytesParser
from itertools import product

import pytest

from dtm_sharing import deliver
from dtm_sharing.deliver import Fault, Phase
from dtm_sharing.errors import PackageUnsafe, UsageProblem
from dtm_sharing.model import Delivery, Method
from support import mail

RECEIPT = ("receipt.tlog-proof", "text/plain", b"c2sp.org/tlog-proof@v1\nindex 7\n")


def body(message) -> str:
    return message.get_body(("plain",)).get_content().replace("\r\n", "\n")


def parsed(message):
    return BytesParser(policy=policy.default).parsebytes(message.as_bytes())


# ------------------------------------------------------------------------------------ what it says


def test_a_message_has_one_address_and_no_other_recipient_header():
    message = parsed(mail.message())
    assert message.get_all("To") == ["focal.point@example.org"]
    assert message.get_all("From") == [mail.SENDER]
    assert not {"cc", "bcc", "reply-to", "sender"} & {name.lower() for name in message.keys()}  # noqa: SIM118


def test_the_headers_are_neutral_and_marked_as_automatic():
    message = parsed(mail.message())
    assert message["Subject"] == "Data extract 6f1f3c1e"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Date"].datetime == mail.WHEN


def test_the_message_id_is_the_key_and_the_domain_with_no_attempt_number():
    assert mail.message()["Message-ID"] == "<6f1f3c1e-8a1b-5c9d-9e54-1c2d3e4f5a6b@mail.example.org>"


def test_the_same_dispatch_gives_the_same_bytes_every_time():
    assert mail.message().as_bytes() == mail.message().as_bytes()


def test_the_extract_arrives_byte_for_byte_under_its_neutral_name():
    (attached,) = parsed(mail.message()).iter_attachments()
    assert attached.get_content() == mail.sealed_workbook()
    assert attached.get_filename() == "extract.xlsx"


def test_the_body_names_the_reference_the_agreement_and_whom_to_ask():
    text = body(parsed(mail.message()))
    assert mail.dispatch().key in text
    assert "only for the purpose agreed under\nnpl/child-protection" in text
    assert text.count(mail.SENDER) == 2
    assert "never sent by e-mail" in text
    assert "not meant for you" in text


@pytest.mark.parametrize(
    ("sent", "method", "words"),
    [
        (mail.package, Method.EXCEL_EMAIL, "Excel workbook"),
        (mail.zipped, Method.DOCUMENT_EMAIL, "7-Zip"),
    ],
)
def test_the_body_says_what_the_attachment_is_and_how_to_open_it(sent, method, words):
    sent = sent()
    text = body(mail.message(package=sent, dispatch=mail.dispatch(sent, method=method)))
    assert words in text
    assert text.isascii()
    assert max(map(len, text.splitlines())) <= 78


def test_nothing_of_the_data_the_person_or_the_password_can_be_read_on_the_way():
    raw = mail.message(attachments=[RECEIPT]).as_bytes()
    readable = raw + b"".join(part.get_content().encode() for part in parsed(mail.message()).walk()
                              if part.get_content_maintype() == "text")  # fmt: skip
    dispatch, person = mail.dispatch(), mail.focal_point()
    hidden = [mail.CANARY, mail.PASSWORD, person.name, person.mobile, person.title, person.id,
              dispatch.dataset, dispatch.round, dispatch.purpose, dispatch.columns[1], dispatch.organization,
              dispatch.artefact_sha256, "Nepal"]  # fmt: skip
    assert [word for word in hidden if word.encode() in readable.replace(mail.SENDER.encode(), b"")] == []


@pytest.mark.parametrize("agreement", ["npl/santé", "npl/santé-" + "x" * 200])
def test_a_message_is_ascii_whatever_the_agreement_is_called_and_the_receipt_holds(agreement):
    beside = ("entry.json", "application/json", "é".encode())
    message = mail.message(dispatch=mail.dispatch(agreement=agreement), attachments=[beside])
    assert message.as_bytes().isascii()
    assert agreement in body(parsed(message))


def test_a_receipt_goes_beside_the_extract():
    extract, receipt = parsed(mail.message(attachments=[RECEIPT])).iter_attachments()
    assert extract.get_filename() == "extract.xlsx"
    assert (receipt.get_filename(), receipt.get_content().encode()) == (RECEIPT[0], RECEIPT[2])


# ------------------------------------------------------------------------------------ what it refuses


def plain_zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("data.xlsx", mail.workbook())
    return file.getvalue()


def half_sealed_zip() -> bytes:
    file = io.BytesIO(mail.sealed_zip())
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("readme.txt", mail.CANARY)
    return file.getvalue()


def zip_with_flags(content: bytes, flags: int) -> bytes:
    """The same zip, whose directory claims other flags: bit 0 says that a member is encrypted."""
    entry = content.rindex(b"PK\x01\x02")
    return content[: entry + 8] + flags.to_bytes(2, "little") + content[entry + 10 :]


UNSAFE = {
    "said to be plain": (Method.EXCEL_EMAIL, lambda: mail.package(encrypted=False)),
    "plain workbook said to be encrypted": (Method.EXCEL_EMAIL, lambda: mail.package(mail.workbook())),
    "an OLE file that is not encrypted": (
        Method.EXCEL_EMAIL,
        lambda: mail.package(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(4096)),
    ),
    "empty": (Method.EXCEL_EMAIL, lambda: mail.package(b"")),
    "csv": (Method.DOCUMENT_EMAIL, lambda: mail.package(b"Site,Sex\n" + mail.CANARY.encode())),
    "plain zip": (Method.DOCUMENT_EMAIL, lambda: mail.package(plain_zip())),
    "zip with one plain member": (Method.DOCUMENT_EMAIL, lambda: mail.package(half_sealed_zip())),
    "zip in the old encryption that anyone breaks": (
        Method.DOCUMENT_EMAIL,
        lambda: mail.package(zip_with_flags(plain_zip(), 1)),
    ),
    "zip that says it is not encrypted": (
        Method.DOCUMENT_EMAIL,
        lambda: mail.package(zip_with_flags(mail.sealed_zip(), 0)),
    ),
    "words of an encrypted workbook": (
        Method.EXCEL_EMAIL,
        lambda: mail.package("Site,EncryptedPackage".encode("utf-16-le")),
    ),
    "cut zip": (Method.DOCUMENT_EMAIL, lambda: mail.package(mail.sealed_zip()[:-30])),
    "zip where a workbook was agreed": (Method.EXCEL_EMAIL, mail.zipped),
    "workbook where a zip was agreed": (Method.DOCUMENT_EMAIL, mail.package),
    "other content than its digest": (Method.EXCEL_EMAIL, lambda: mail.package(sha256="0" * 64)),
}


@pytest.mark.parametrize(("method", "sent"), UNSAFE.values(), ids=UNSAFE)
def test_what_is_not_encrypted_as_agreed_is_not_composed(method, sent):
    sent = sent()
    with pytest.raises(PackageUnsafe) as caught:
        mail.message(package=sent, dispatch=mail.dispatch(sent, method=method))
    assert mail.CANARY not in str(caught.value)


def test_an_artefact_other_than_the_recorded_one_is_not_composed():
    with pytest.raises(PackageUnsafe, match="not the one that was recorded"):
        mail.message(dispatch=mail.dispatch(artefact_sha256="0" * 64))


@pytest.mark.parametrize("method", [Method.PORTAL, Method.TELEPHONE])
def test_a_method_that_is_not_mail_is_not_composed(method):
    with pytest.raises(UsageProblem, match="not e-mail"):
        mail.message(dispatch=mail.dispatch(method=method))


def test_a_message_for_someone_else_is_not_composed():
    with pytest.raises(UsageProblem, match="one message goes to one person"):
        mail.message(focal_point=mail.focal_point(id="npl/scpa-secondary"))


BAD_ADDRESSES = [
    "", "nobody", "@example.org", "a@", "a@b", "a@@example.org", "a b@example.org", "a@exam ple.org",
    "a@example.org\r\nBcc: spy@example.org", "a@example.org\n", "a@example.org\r", "\na@example.org",
    "a@example.org, b@example.org", "a@example.org;b@example.org", "A Person <a@example.org>",
    "<a@example.org>", '"a b"@example.org', "a.@example.org", ".a@example.org", "a..b@example.org",
    "a@-example.org", "a@example-.org", "a@example..org", "a@example.org.", "é@example.org",
    "a@exämple.org", "a@[127.0.0.1]", "a@example.org\0", "a@example.org\u2028", "x" * 65 + "@example.org",
    "a@" + "b." * 126 + "org",
]  # fmt: skip


@pytest.mark.parametrize("address", BAD_ADDRESSES)
def test_a_bad_address_of_a_focal_point_is_refused_by_file_and_line_and_not_repeated(address):
    with pytest.raises(UsageProblem, match=r"^npl/focal_points/scpa\.yaml:5: ") as caught:
        mail.message(focal_point=mail.focal_point(email=address))
    assert address.strip() in ("", "@example.org") or address not in str(caught.value)


@pytest.mark.parametrize("address", BAD_ADDRESSES)
def test_a_bad_sender_is_refused(address):
    with pytest.raises(UsageProblem, match="sender"):
        mail.message(sender=address)


@pytest.mark.parametrize("address", ["a@b.org", "first.last+tag@sub.example.org", "x" * 64 + "@example.org"])
def test_plain_addresses_are_taken(address):
    assert mail.message(focal_point=mail.focal_point(email=address))["To"] == address


BROKEN = {
    "key with a line end": {"dispatch": mail.dispatch(key="6f1f3c1e\r\nBcc: spy@example.org")},
    "key with a bracket": {"dispatch": mail.dispatch(key="6f1f3c1e>@x")},
    "agreement with a line end": {"dispatch": mail.dispatch(agreement="npl/x\nThe password is")},
    "domain with a line end": {"message_domain": "example.org\r\nBcc: spy@example.org"},
    "domain of one label": {"message_domain": "localhost"},
    "date without a zone": {"date": datetime(2026, 11, 2, 6, 30)},  # noqa: DTZ001
    "file name with a line end": {"package": mail.package(filename="a.xlsx\r\nX: y")},
    "file name with a folder": {"package": mail.package(filename="../a.xlsx")},
    "file name with a place": {"package": mail.package(filename="Kathmandu सूची.xlsx")},
    "media type with a line end": {"package": mail.package(media_type="application/zip\r\nX: y")},
    "media type with a parameter": {"package": mail.package(media_type="text/html; charset=x")},
}


@pytest.mark.parametrize("change", BROKEN.values(), ids=BROKEN)
def test_what_cannot_stand_in_a_message_is_refused(change):
    with pytest.raises(UsageProblem):
        mail.message(**change)


@pytest.mark.parametrize(
    "beside",
    [
        ("data.csv", "text/csv", b"Site,Sex"),
        ("data.xlsx", mail.package().media_type, mail.workbook()),
        ("data.txt", "text/plain", b"x" * (256 * 1024 + 1)),
    ],
)
def test_nothing_that_could_be_an_extract_goes_beside_the_encrypted_one(beside):
    with pytest.raises(PackageUnsafe, match="only a receipt"):
        mail.message(attachments=[beside])


# ------------------------------------------------------------------------------------ what is known

S, F, N, U = Delivery.SENT, Delivery.FAILED, Delivery.NOT_SENT, Delivery.OUTCOME_UNKNOWN
KNOWN = """
    phase          250  251  354  421  451  550  554  none
    connecting      N    N    N    N    N    N    N    N
    EHLO            N    N    N    N    N    N    N    N
    TLS             N    N    N    N    N    N    N    N
    login           N    N    N    N    N    N    N    N
    MAIL            N    N    N    N    N    F    F    N
    RCPT            N    N    N    N    N    F    F    N
    DATA            N    N    N    N    N    F    F    N
    message_data    S    U    U    U    U    F    F    U
"""


def known() -> dict[tuple[Phase, int | None], Delivery]:
    head, *rows = (line.split() for line in KNOWN.split("\n") if line.strip())
    codes = [None if code == "none" else int(code) for code in head[1:]]
    words = {"S": S, "F": F, "N": N, "U": U}
    return {
        (Phase(name.replace("_", " ")), code): words[word]
        for name, *cells in rows
        for code, word in zip(codes, cells, strict=True)
    }


def test_the_table_speaks_of_every_phase():
    assert {phase for phase, _ in known()} == set(Phase)


@pytest.mark.parametrize(("phase", "code"), known())
def test_what_is_known_after_each_reply(phase, code):
    assert deliver.outcome(phase, code) is known()[phase, code]


def test_sent_is_said_of_nothing_but_250_to_the_whole_message():
    everything = product(Phase, [None, -1, 0, *range(100, 700)])
    assert [each for each in everything if deliver.outcome(*each) is S] == [(Phase.CONTENT, 250)]


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("answer", [250, 421, 451, 550, *Fault])
def test_a_receipt_is_one_sentence_that_names_phase_and_reply_and_carries_the_message_id_if_a_copy_may_be_out(
    phase, answer
):
    receipt = deliver.receipt(phase, answer, "<key@example.org>")
    assert receipt.delivery is deliver.outcome(phase, None if isinstance(answer, Fault) else answer)
    assert str(phase) in receipt.detail
    assert str(answer) in receipt.detail
    assert receipt.detail.endswith(".")
    assert "@" not in receipt.detail
    assert (receipt.remote_id == "<key@example.org>") is (receipt.delivery in (S, U))


def test_a_receipt_says_what_to_do_next():
    def detail(phase, answer):
        return deliver.receipt(phase, answer, "<k@example.org>").detail

    assert "may be tried again" in detail(Phase.RECIPIENT, 451)
    assert "no copy left" in detail(Phase.RECIPIENT, 550)
    assert "ask the recipient" in detail(Phase.CONTENT, Fault.DROPPED)


def test_the_reference_is_short_and_of_the_key():
    assert deliver.reference(mail.dispatch()) == "6f1f3c1e"


def test_the_date_is_the_argument_and_not_the_clock():
    later = mail.message(date=datetime(2031, 1, 1, tzinfo=UTC))
    assert later["Date"] == "Wed, 01 Jan 2031 00:00:00 +0000"
    assert re.sub(rb"Date: .*", b"", later.as_bytes()) == re.sub(rb"Date: .*", b"", mail.message().as_bytes())


def test_a_receipt_of_an_attempt_is_frozen():
    receipt = deliver.receipt(Phase.CONTENT, 250, "<k@example.org>")
    assert replace(receipt) == receipt
