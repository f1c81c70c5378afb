"""Mail against a real server that accepts, refuses, falls silent and hangs up, each at every step."""

import json
import logging
import os
import signal
import smtplib
import socket
import ssl
import stat
import subprocess
import sys
import threading
import traceback
from dataclasses import replace
from email.message import EmailMessage
from email.policy import compat32
from pathlib import Path

import msoffcrypto
import pytest

from dtm_sharing.demo import catcher
from dtm_sharing.errors import UsageProblem
from dtm_sharing.model import Delivery
from dtm_sharing.stores.smtp import Smtp, SmtpSettings
from support import mail
from support.mail import Do, Scripted, settings

S, F, N, U = Delivery.SENT, Delivery.FAILED, Delivery.NOT_SENT, Delivery.OUTCOME_UNKNOWN
SERVER_TEXT = "focal.point@example.org has left, ask at the office"


def send(server, message=None, **changes):
    return Smtp(settings(server, **changes)).send(message or mail.message())


# ------------------------------------------------------------------------------------ taken


def test_a_message_is_taken_once_by_one_recipient_and_its_extract_opens(tmp_path):
    with Scripted(tmp_path) as server:
        receipt = send(server)
        (kept,) = server.messages()
    assert receipt.delivery is S
    assert receipt.detail == "The mail server took the message (message data, reply 250)."
    assert receipt.remote_id == kept["Message-ID"] == mail.message()["Message-ID"]
    assert kept.get_all("Delivered-To") == ["focal.point@example.org"]
    assert kept["Return-Path"] == f"<{mail.SENDER}>"
    (attached,) = kept.iter_attachments()
    assert attached.get_content() == mail.sealed_workbook()
    (tmp_path / "extract.xlsx").write_bytes(attached.get_content())
    with (tmp_path / "extract.xlsx").open("rb") as file, (tmp_path / "plain.xlsx").open("wb") as plain:
        opened = msoffcrypto.OfficeFile(file)
        opened.load_key(password=mail.PASSWORD, verify_password=True)
        opened.decrypt(plain, verify_integrity=True)
    assert (tmp_path / "plain.xlsx").read_bytes() == mail.workbook()


def test_what_the_server_is_told_is_this_and_no_more(tmp_path):
    with Scripted(tmp_path) as server:
        send(server)
    told = [each.split()[0] for each in server.commands]
    assert told == ["EHLO", "STARTTLS", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "QUIT"]
    assert server.connections == 1
    assert server.authenticated == [True]
    (to,) = (each for each in server.commands if each.startswith("RCPT"))
    assert to.casefold() == "rcpt to:<focal.point@example.org>"  # Python 3.13 writes "to:"


def test_the_machine_is_not_named_to_the_server_nor_in_the_message(tmp_path):
    with Scripted(tmp_path) as server:
        send(server)
    greetings = [each for each in server.commands if each.startswith("EHLO")]
    assert greetings == ["EHLO example.org"] * 2
    assert socket.getfqdn() not in greetings[0]
    (kept,) = server.messages()
    assert set(kept.keys()) == {
        "Return-Path", "Delivered-To", "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted",
        "MIME-Version", "Content-Type",
    }  # fmt: skip


def test_lines_that_begin_with_a_dot_arrive_as_they_were(tmp_path):
    message = EmailMessage()
    message["From"], message["To"], message["Message-ID"] = mail.SENDER, "a@example.org", "<1@example.org>"
    message.set_content(".\n..\n.one\nend")
    with Scripted(tmp_path) as server:
        assert send(server, message).delivery is S
        (kept,) = server.messages()
    assert kept.get_content() == ".\r\n..\r\n.one\r\nend\r\n"


def test_tls_from_the_first_byte(tmp_path):
    with Scripted(tmp_path, implicit_tls=True) as server:
        assert send(server, starttls=False).delivery is S
    assert "STARTTLS" not in server.commands
    assert server.authenticated == [True]


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_a_server_that_knows_one_mechanism_of_login(tmp_path, mechanism):
    with Scripted(tmp_path, auth_exclude_mechanism={"PLAIN", "LOGIN"} - {mechanism}) as server:
        assert send(server).delivery is S
    assert server.authenticated == [True]


def test_two_messages_are_two_connections(tmp_path):
    with Scripted(tmp_path) as server:
        channel = Smtp(settings(server))
        assert [channel.send(mail.message()).delivery for _ in range(2)] == [S, S]
    assert server.connections == 2


# ------------------------------------------------------------------------------------ not taken

REFUSED = {
    "greeting 554": ({"greeting": f"554 {SERVER_TEXT}"}, N, "Phase connecting: replied 554"),
    "greeting dropped": ({"greeting": Do.DROP}, N, "Phase connecting: the connection broke"),
    "greeting is not SMTP": ({"greeting": "HTTP/1.1 400 Bad Request"}, N, "answer was not SMTP"),
    "EHLO 421": ({"EHLO": f"421 {SERVER_TEXT}"}, N, "Phase EHLO: replied 421"),
    "STARTTLS 454": ({"STARTTLS": f"454 {SERVER_TEXT}"}, N, "Phase TLS: replied 454"),
    "STARTTLS dropped": ({"STARTTLS": Do.DROP}, N, "Phase TLS: the connection broke"),
    "AUTH 535": ({"AUTH": f"535 {SERVER_TEXT}"}, N, "Phase login: replied 535"),
    "AUTH 454": ({"AUTH": f"454 {SERVER_TEXT}"}, N, "Phase login: replied 454"),
    "MAIL 550": ({"MAIL": f"550 {SERVER_TEXT}"}, F, "Phase MAIL: replied 550"),
    "MAIL 451": ({"MAIL": f"451 {SERVER_TEXT}"}, N, "Phase MAIL: replied 451"),
    "RCPT 550": ({"RCPT": f"550 {SERVER_TEXT}"}, F, "Phase RCPT: replied 550"),
    "RCPT 451": ({"RCPT": f"451 {SERVER_TEXT}"}, N, "Phase RCPT: replied 451"),
    "RCPT 251 forwards": ({"RCPT": f"251 {SERVER_TEXT}"}, N, "Phase RCPT: replied 251"),
    "RCPT dropped": ({"RCPT": Do.DROP}, N, "Phase RCPT: the connection broke"),
    "DATA 554 before the message": ({"DATA": f"554 {SERVER_TEXT}"}, F, "Phase DATA: replied 554"),
    "DATA 451 before the message": ({"DATA": f"451 {SERVER_TEXT}"}, N, "Phase DATA: replied 451"),
    "DATA dropped before the message": ({"DATA": Do.DROP}, N, "Phase DATA: the connection broke"),
}  # fmt: skip

UNCLEAR = {
    "550 to the message": ({"content": f"550 {SERVER_TEXT}"}, F, "Phase message data: replied 550"),
    "451 to the message": ({"content": f"451 {SERVER_TEXT}"}, U, "Phase message data: replied 451"),
    "421 to the message": ({"content": f"421 {SERVER_TEXT}"}, U, "Phase message data: replied 421"),
    "accepts, then drops": ({"content": Do.DROP}, U, "Phase message data: the connection broke"),
    "drops in the middle": ({"DATA": Do.DROP_IN_THE_MIDDLE}, U, "Phase message data: the connection broke"),
    "accepts in words that never end": ({"content": "250 " + "x" * 9000}, U, "answer was not SMTP"),
    "accepts in no SMTP": ({"content": "thank you"}, U, "answer was not SMTP"),
}  # fmt: skip


@pytest.mark.parametrize(("script", "delivery", "words"), (REFUSED | UNCLEAR).values(), ids=REFUSED | UNCLEAR)
def test_what_is_known_after_each_fault_and_that_it_was_tried_once(
    tmp_path, caplog, capfd, script, delivery, words
):
    caplog.set_level(logging.DEBUG)
    with Scripted(tmp_path, script) as server:
        receipt = send(server)
    assert receipt.delivery is delivery
    assert words in receipt.detail.replace("the mail server ", "")
    assert (receipt.remote_id is None) is (delivery is not U)
    assert server.connections == 1
    assert [each.split()[0] for each in server.commands].count("DATA") <= 1
    assert "left, ask" not in receipt.detail
    assert "@" not in receipt.detail
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("script", [case[0] for case in REFUSED.values()], ids=REFUSED)
def test_before_the_message_is_submitted_nothing_of_it_is_at_the_server(tmp_path, script):
    with Scripted(tmp_path, script) as server:
        send(server)
        assert server.messages() == ()


def test_a_message_that_was_taken_and_answered_451_is_there_although_it_was_not_said_to_be(tmp_path):
    """Why a 4xx after the message is unknown and not "try again"."""
    with Scripted(tmp_path, {"content": "451 try again"}) as server:
        assert send(server).delivery is U
        assert len(server.messages()) == 1


def test_a_line_that_breaks_while_the_message_is_still_being_written_leaves_an_unknown_outcome(tmp_path):
    large = mail.package(mail.sealed_workbook() + bytes(12_000_000))  # more than the sockets hold
    with Scripted(tmp_path, {"DATA": Do.DROP_IN_THE_MIDDLE}, data_size_limit=2**26) as server:
        receipt = send(server, mail.message(package=large))
    assert receipt.delivery is U
    assert receipt.detail.startswith("Phase message data: the connection broke")


@pytest.mark.parametrize("step", ["greeting", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA"])
def test_a_server_that_falls_silent_is_not_waited_for_and_got_nothing(tmp_path, step):
    with Scripted(tmp_path, {step: Do.SILENCE}) as server:
        receipt = send(server, timeout=0.3)
        assert server.messages() == ()
    assert receipt.delivery is N
    assert "did not answer in time" in receipt.detail


def test_a_server_that_falls_silent_after_the_message_leaves_an_unknown_outcome(tmp_path):
    with Scripted(tmp_path, {"content": Do.SILENCE}) as server:
        receipt = send(server, timeout=20, limit=2)
    assert receipt.delivery is U
    assert "did not answer in time" in receipt.detail


def test_the_limit_ends_an_attempt_whose_every_answer_would_still_be_in_time(tmp_path):
    with Scripted(tmp_path, {"RCPT": Do.SILENCE}) as server:
        receipt = send(server, timeout=600, limit=1)
    assert receipt.delivery is N
    assert receipt.detail.startswith("Phase RCPT: the mail server did not answer in time")


def test_the_last_answer_may_take_longer_than_any_other(tmp_path):
    """A timeout after the data asks a person a question; the server is given what is left of the limit."""

    class Slow(Scripted):
        async def handle_DATA(self, server, session, envelope):  # noqa: N802  aiosmtpd's name
            await self._loop.run_in_executor(None, self.waited.wait, 1.5)
            return await super().handle_DATA(server, session, envelope)

    with Slow(tmp_path) as server:
        server.waited = threading.Event()
        assert send(server, timeout=1).delivery is S


def test_a_server_that_says_goodbye_badly_has_taken_the_message_all_the_same(tmp_path):
    with Scripted(tmp_path, {"QUIT": Do.DROP}) as server:
        assert send(server).delivery is S
    with Scripted(tmp_path, {"QUIT": "500 what?"}) as server:
        assert send(server).delivery is S


def test_a_message_too_big_for_the_server_is_refused_before_any_of_it_leaves(tmp_path):
    with Scripted(tmp_path, data_size_limit=1000) as server:
        receipt = send(server)
        assert server.messages() == ()
    assert receipt.delivery is F
    assert "Phase MAIL: the mail server replied 552" in receipt.detail


def test_a_server_that_is_down(tmp_path):
    with Scripted(tmp_path) as server:
        where = settings(server)
    receipt = Smtp(where).send(mail.message())
    assert receipt.delivery is N
    assert receipt.detail.startswith("Phase connecting: the mail server could not be reached")


def test_a_host_that_does_not_exist(tmp_path):
    with Scripted(tmp_path) as server:
        receipt = send(server, host="nowhere.invalid")
    assert receipt.delivery is N
    assert "could not be reached" in receipt.detail


# ------------------------------------------------------------------------------------ TLS and login


@pytest.mark.parametrize("implicit", [False, True])
def test_a_certificate_of_another_authority_is_refused_before_login_and_message(tmp_path, implicit):
    other = mail.foreign_authority(tmp_path / "other")
    with Scripted(tmp_path / "server", implicit_tls=implicit) as server:
        receipt = send(server, ca_file=other, starttls=not implicit)
    assert receipt.delivery is N
    assert "certificate could not be verified" in receipt.detail
    assert set(server.commands) <= {"EHLO example.org", "STARTTLS"}


@pytest.mark.parametrize("implicit", [False, True])
def test_a_certificate_for_another_name_is_refused_before_login_and_message(tmp_path, implicit):
    with Scripted(tmp_path, implicit_tls=implicit, identities=("mail.example.org",)) as server:
        receipt = send(server, starttls=not implicit)
    assert receipt.delivery is N
    assert "certificate could not be verified" in receipt.detail
    assert set(server.commands) <= {"EHLO example.org", "STARTTLS"}


def test_the_machines_own_authorities_do_not_vouch_for_a_home_made_certificate(tmp_path):
    with Scripted(tmp_path) as server:
        assert "certificate could not be verified" in send(server, ca_file=None).detail


def test_a_server_without_starttls_gets_neither_login_nor_message_even_if_it_asks_for_them(tmp_path):
    bare = {"tls_context": None, "auth_required": False, "auth_require_tls": False}
    with Scripted(tmp_path, **bare) as server:
        receipt = send(server)
    assert receipt.delivery is N
    assert receipt.detail.startswith("Phase TLS: no encrypted connection could be made")
    assert server.commands == ["EHLO example.org", "QUIT"]


def test_tls_older_than_1_2_is_refused(tmp_path):
    class Old(Scripted):
        def _make_tls(self):
            context = super()._make_tls()
            with pytest.warns(DeprecationWarning, match="TLSv1 is deprecated"):
                context.minimum_version = ssl.TLSVersion.TLSv1
            with pytest.warns(DeprecationWarning, match="TLSv1_1 is deprecated"):
                context.maximum_version = ssl.TLSVersion.TLSv1_1
            context.set_ciphers("ALL:@SECLEVEL=0")
            return context

    with Old(tmp_path) as server:
        channel = Smtp(settings(server))
        channel._context.set_ciphers("ALL:@SECLEVEL=0")  # so that only our minimum stands in the way
        receipt = channel.send(mail.message())
    assert receipt.delivery is N
    assert "AUTH" not in " ".join(server.commands)


def test_a_plain_server_where_tls_is_expected_gets_nothing(tmp_path):
    with Scripted(tmp_path) as server:
        receipt = send(server, starttls=False)
    assert receipt.delivery is N
    assert "no encrypted connection could be made" in receipt.detail


@pytest.mark.parametrize("excluded", [[], ["PLAIN"]])
@pytest.mark.parametrize("wrong", [{"password": "wröng"}, {"login": "someone-else"}])
def test_a_bad_login_is_tried_once_and_nothing_is_sent(tmp_path, excluded, wrong):
    with Scripted(tmp_path, auth_exclude_mechanism=excluded) as server:
        receipt = send(server, **wrong)
        assert server.messages() == ()
    assert receipt.delivery is N
    assert receipt.detail.startswith("Phase login: the mail server replied 535")
    assert len([each for each in server.commands if each.startswith("AUTH")]) == 1


def test_a_server_that_offers_no_login_we_know_gets_nothing(tmp_path):
    with Scripted(tmp_path, auth_exclude_mechanism=["PLAIN", "LOGIN"]) as server:
        receipt = send(server)
    assert receipt.delivery is N
    assert "offers no login that can be used" in receipt.detail
    assert not [each for each in server.commands if each.startswith(("AUTH", "MAIL"))]


@pytest.mark.parametrize("content", [None, b"", b"no certificate here"])
def test_an_authority_file_that_cannot_be_read_is_found_before_anything_is_begun(tmp_path, content):
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    with (
        Scripted(tmp_path / "server") as server,
        pytest.raises(UsageProblem, match=r"ca\.pem cannot be read"),
    ):
        Smtp(settings(server, ca_file=path))


# ------------------------------------------------------------------------------------ the message at hand


def with_headers(**headers):
    message = EmailMessage()
    for name, value in {"From": mail.SENDER, "To": "a@example.org", "Message-ID": "<1@x.org>"}.items():
        message[name] = value
    for name, value in headers.items():
        del message[name.replace("_", "-")]
        if value:
            message[name.replace("_", "-")] = value
    return message


@pytest.mark.parametrize(
    "headers",
    [
        {"To": "a@example.org, b@example.org"},
        {"To": ""},
        {"To": "A <a@example.org>"},
        {"Cc": "b@example.org"},
        {"Bcc": "b@example.org"},
        {"Resent_To": "b@example.org"},
        {"From": "other@example.org"},
        {"Message_ID": ""},
    ],
)
def test_a_message_to_more_than_one_or_from_another_is_not_tried(tmp_path, headers):
    with Scripted(tmp_path) as server, pytest.raises(UsageProblem) as caught:
        send(server, with_headers(**headers))
    assert server.connections == 0
    assert "@" not in str(caught.value)


@pytest.mark.parametrize("name", ["To", "From"])
def test_a_line_end_in_an_address_that_the_email_package_let_in_never_reaches_the_server(tmp_path, name):
    message = EmailMessage(policy=compat32)  # it looks at nothing
    for header in ("From", "To", "Message-ID"):
        message[header] = mail.SENDER
    message.replace_header(name, f"{mail.SENDER}>\r\nRCPT TO:<spy@example.org")
    with Scripted(tmp_path) as server, pytest.raises(UsageProblem):
        send(server, message)
    assert server.connections == 0


def test_no_secret_and_no_value_is_in_message_receipt_settings_error_or_log(tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    seen = []
    for number, script in enumerate([{}, *(case[0] for case in (REFUSED | UNCLEAR).values())]):
        with Scripted(tmp_path / str(number), script) as server:
            where = settings(server)
            seen += [repr(where), str(where), repr(Smtp(where).send(mail.message()))]
    with pytest.raises(UsageProblem) as caught:
        replace(where, password=mail.LOGIN_PASSWORD + "\0")
    seen += ["".join(traceback.format_exception(caught.value)), caplog.text]
    mails = [path.read_bytes().decode("ascii") for path in tmp_path.rglob("*.eml")]
    assert len(mails) > 1
    for secret in (mail.PASSWORD, mail.LOGIN_PASSWORD, mail.CANARY):
        assert not [text for text in seen + mails if secret in text]
    assert not [text for text in seen if mail.LOGIN in text or "focal.point" in text]


# ------------------------------------------------------------------------------------ Airflow's connection

EXTRA = {"from_email": mail.SENDER}
SECRET = "drow-terces"[::-1]  # so that no line of this file in a traceback shows it


def connection(**extra):
    return SmtpSettings.from_connection("mail.example.org", "me", SECRET, None, EXTRA | extra)


def test_a_connection_gives_settings():
    extra = EXTRA | {"disable_ssl": True, "ca_file": "/etc/ca.pem", "timeout": "7", "limit": 90}
    made = SmtpSettings.from_connection("mail.example.org", "me", SECRET, 2525, extra)
    assert made == SmtpSettings(
        "mail.example.org", 2525, "me", SECRET, mail.SENDER, True, Path("/etc/ca.pem"), 7.0, 90.0
    )
    assert SECRET not in repr(made)


@pytest.mark.parametrize(
    ("extra", "port", "starttls", "chosen"),
    [
        ({}, None, True, 587),
        ({}, 465, False, 465),
        ({}, 2525, True, 2525),
        ({"disable_ssl": True}, None, True, 587),
        ({"disable_ssl": "true"}, 465, True, 465),
        ({"disable_tls": True}, None, False, 465),
        ({"disable_tls": "True", "disable_ssl": "false"}, 2525, False, 2525),
        ({"disable_tls": None, "disable_ssl": "", "ssl_context": "default"}, None, True, 587),
        ({"auth_type": "basic"}, None, True, 587),
        ({"retry_limit": 5, "access_token": "", "subject_template": None}, None, True, 587),
    ],
)  # fmt: skip
def test_every_way_of_writing_it_is_encrypted(extra, port, starttls, chosen):
    made = SmtpSettings.from_connection("mail.example.org", "me", SECRET, port, EXTRA | extra)
    assert (made.starttls, made.port) == (starttls, chosen)


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({"disable_tls": True, "disable_ssl": True}, "unencrypted"),
        ({"disable_tls": "true", "disable_ssl": "1"}, "unencrypted"),
        ({"ssl_context": "none"}, "always verified"),
        ({"ssl_context": None, "verify": False}, "unknown extras .verify."),
        ({"ca_fle": "/etc/ca.pem"}, "unknown extras .ca_fle."),
        ({"disable_ssl": "maybe"}, "disable_ssl is neither true nor false"),
        ({"auth_type": "oauth2"}, "auth_type"),
        ({"from_email": ""}, "from_email"),
        ({"from_email": "a@example.org\r\nBcc: b@example.org"}, "from_email"),
        ({"from_email": ["a@example.org"]}, "from_email is not text"),
        ({"ca_file": 7}, "ca_file is not text"),
        ({"timeout": "soon"}, "timeout is not a number"),
        ({"timeout": "inf"}, "seconds above zero"),
        ({"limit": -1}, "seconds above zero"),
        ({"limit": 301}, "limit is above 300 seconds"),
    ],
)
def test_a_connection_that_makes_no_sense_or_weakens_the_way_out_is_refused(extra, words):
    with pytest.raises(UsageProblem, match=words) as caught:
        connection(**extra)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "values",
    [
        (None, "me", SECRET, None),
        ("mail.example.org\r\n", "me", SECRET, None),
        ("smtps://mail.example.org", "me", SECRET, None),
        ("a" * 64 + ".example.org", "me", SECRET, None),
        ("mail.example.org", None, SECRET, None),
        ("mail.example.org", "me", "", None),
        ("mail.example.org", "me\0", SECRET, None),
        ("mail.example.org", "me", SECRET, 70000),
    ],
)
def test_a_connection_without_host_login_or_password_is_refused(values):
    with pytest.raises(UsageProblem) as caught:
        SmtpSettings.from_connection(*values, EXTRA)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "mail", "mail.example.org"])
def test_hosts_are_names_or_addresses(host):
    assert SmtpSettings.from_connection(host, "me", SECRET, None, EXTRA).host == host


# ------------------------------------------------------------------------------------ the demo's catcher


def start(folder, **environment):
    plugins = Path(catcher.__file__).parents[2]
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "dtm_sharing.demo.catcher", "--folder", str(folder)],
        env={**os.environ, "PYTHONPATH": str(plugins), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


ACCOUNT = {catcher.LOGIN: mail.LOGIN, catcher.PASSWORD: mail.LOGIN_PASSWORD}


def test_the_catcher_runs_as_a_program_keeps_the_mail_and_stops_when_told(tmp_path):
    folder = tmp_path / "mail"
    with start(folder, **ACCOUNT) as program:
        try:
            printed = json.loads(program.stdout.readline())
            where = json.loads((folder / "ready.json").read_text())
            receipt = Smtp(
                SmtpSettings(
                    where["host"], where["port"], mail.LOGIN, mail.LOGIN_PASSWORD, mail.SENDER,
                    ca_file=Path(where["ca_file"]), timeout=5, limit=20,
                )
            ).send(mail.message())  # fmt: skip
        finally:
            program.send_signal(signal.SIGTERM)
        rest, errors = program.communicate(timeout=20)
    assert printed == where
    assert receipt.delivery is S
    assert (program.returncode, rest, errors) == (0, "", "")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "001.eml").stat().st_mode) == 0o600
    assert sorted(path.name for path in folder.iterdir()) == ["001.eml", "ca.pem"]


@pytest.mark.parametrize("missing", ACCOUNT)
def test_the_catcher_does_not_start_without_a_login(tmp_path, missing):
    with start(tmp_path, **ACCOUNT | {missing: ""}) as program:
        printed, errors = program.communicate(timeout=20)
    assert (program.returncode, printed) == (1, "")
    assert errors.count("\n") == 1
    assert "DTM_CATCHER_LOGIN" in errors


def test_the_catcher_says_in_one_sentence_that_it_cannot_write(tmp_path):
    (tmp_path / "file").touch()
    with start(tmp_path / "file", **ACCOUNT) as program:
        printed, errors = program.communicate(timeout=20)
    assert (program.returncode, printed) == (1, "")
    assert errors.count("\n") == 1
    assert "cannot write into" in errors


def test_the_catcher_takes_no_command_before_starttls_and_no_mail_before_a_login(tmp_path):
    with catcher.Catcher(tmp_path, mail.LOGIN, mail.LOGIN_PASSWORD) as server:
        with smtplib.SMTP(server.host, server.port, local_hostname="example.org", timeout=5) as client:
            client.ehlo()
            assert not client.has_extn("auth")
            code, words = client.mail("a@example.org")
            assert (code, b"STARTTLS" in words) == (530, True)
            client.starttls(context=mail.client_tls(server))
            client.ehlo()
            assert client.mail("a@example.org")[0] == 530
            with pytest.raises(smtplib.SMTPAuthenticationError):
                client.login(mail.LOGIN, "wrong")
            assert client.mail("a@example.org")[0] == 530
        assert server.messages() == ()


def test_the_catcher_numbers_on_from_what_the_folder_holds_and_shows_only_whole_messages(tmp_path):
    for _ in range(2):
        with catcher.Catcher(tmp_path, mail.LOGIN, mail.LOGIN_PASSWORD) as server:
            assert send(server).delivery is S
            (tmp_path / ".009.eml.part").write_bytes(b"half")
            (tmp_path / "notes.eml").write_bytes(b"Subject: someone's own\r\n\r\n")
    assert {path.name for path in tmp_path.glob("*.eml")} == {"001.eml", "002.eml", "notes.eml"}


def test_the_catcher_does_not_claim_what_it_could_not_keep(tmp_path):
    folder = tmp_path / "mail"
    with catcher.Catcher(folder, mail.LOGIN, mail.LOGIN_PASSWORD) as server:
        where = settings(server)
        channel = Smtp(where)
        (folder / "ca.pem").unlink()
        folder.rmdir()
        assert channel.send(mail.message()).delivery is U
