"""The edge: exit codes, one sentence on stderr, and real processes with real pipes."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest

from dtm_sharing import errors
from dtm_sharing.cli import edge
from dtm_sharing.cli.program import program
from dtm_sharing.model import Delivery, Receipt
from support.ledgers import LEASE, NOW, dispatch, intend, open_ledger
from support.policies import write_policies

PLUGINS = Path(__file__).parents[2] / "plugins"

COMMANDS = [
    ("classify",),
    ("gate",),
    ("explain",),
    ("levels",),
    ("validate",),
    ("fmt",),
    ("test",),
    ("seal",),
    ("schema",),
    ("diff",),
    ("simulate",),
    ("replay",),
    ("due",),
    ("audit",),
    ("ledger",),
    ("ledger", "verify"),
    ("ledger", "checkpoint"),
    ("ledger", "key"),
    ("dispatch",),
    ("dispatch", "list"),
    ("dispatch", "settle"),
    ("dispatch", "recall"),
    ("password",),
    ("password", "tell"),
    ("password", "rotate"),
    ("password", "end"),
    ("completion",),
]
GROUPS = [("ledger",), ("dispatch",), ("password",)]
TYPED = [("ledger", "key"), ("password", "tell"), ("password", "rotate"), ("password", "end")]


def process(*arguments: object, code: str = "", **options) -> subprocess.CompletedProcess[str]:
    """The program as a process of its own; ``code`` runs in it first."""
    program = f"{code}\nimport sys\nfrom dtm_sharing.cli import main\nsys.exit(main())"
    environment = {**os.environ, "PYTHONPATH": str(PLUGINS), **options.pop("env", {})}
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        env=environment,
        text=True,
        timeout=60,
        check=False,
        **({"capture_output": True} | options),
    )


# --------------------------------------------------------------------------------------------------- help


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help(cli, command):
    answer = cli(*command, "--help")
    assert (answer.code, answer.err) == (0, "")
    assert f"Usage: dtm-sharing {' '.join(command)} " in answer.out
    assert max(map(len, answer.out.splitlines())) <= 80


def test_the_list_above_has_every_command():
    found = {(name,) for name in program.commands}
    for name, group in program.commands.items():
        found |= {(name, each) for each in getattr(group, "commands", ())}
    assert set(COMMANDS) == found


@pytest.mark.parametrize("command", [each for each in COMMANDS if each not in GROUPS + TYPED], ids=" ".join)
def test_the_example_at_the_end_of_each_help_works(cli, command, tmp_path, monkeypatch):
    """In a folder where ``policies`` is the project's, with a made-up round and a ledger.

    Those that ask for a secret are tried on a terminal, in ``test_passwords``.
    """
    from dtm_sharing.demo.sample import write_sample

    for clone in ("main", "mine"):
        shutil.copytree(PLUGINS.parent / "policies", tmp_path / clone / "policies")
    tmp_path /= "mine"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DTM_SHARING_POLICIES", "policies")
    monkeypatch.setenv("DTM_SHARING_LEDGER", "ledger.db")
    write_sample(tmp_path / "round.csv", rows=4)
    ledger = open_ledger(tmp_path / "ledger.db")
    intend(ledger, dispatch(ledger, key="0f8fad5b-d9cb-469f-a165-70867728950e"))
    claim = ledger.claim("0f8fad5b-d9cb-469f-a165-70867728950e", NOW, LEASE)
    ledger.conclude(claim, Receipt(Delivery.OUTCOME_UNKNOWN, "The line broke."), NOW)
    ledger.checkpoint(NOW)
    example = cli(*command, "--help").out.partition("Example:\n")[2]
    words = shlex.split(example.replace("\\\n", " "))  # as a shell joins the lines, and shlex does not
    assert words[: 1 + len(command)] == ["dtm-sharing", *command]
    answer = cli(*words[1:])
    # What the ledger says was sent was made up of indicators that nobody declares; and it holds no decision.
    code = {("gate",): 4, ("simulate",): 2, ("replay",): 4}.get(command, 0)
    assert answer.code == code, answer.err


def test_the_version_is_the_package_s(cli):
    answer = cli("--version")
    assert answer.code == 0
    assert re.fullmatch(r"dtm-sharing .+\n", answer.out)


# --------------------------------------------------------------------------------------------------- usage


@pytest.mark.parametrize(
    "arguments",
    [
        ("clasify",),
        ("--no-such-option",),
        ("classify",),
        ("classify", "a.csv"),
        ("classify", "a.csv", "--dataset", "x", "--format", "xml"),
        ("gate", "a.csv", "--dataset", "x"),
        ("gate", "a.csv", "--dataset", "x", "--audience", "public", "--urgency", "high"),
        ("gate", "a.csv", "--dataset", "x", "--audience", "public", "--stage", "raw"),
        ("explain", "a.csv", "--dataset", "x"),
        ("audit",),
        ("audit", "--organization", "x", "--year", "26"),
        ("audit", "--organization", "x", "--year", "MMXXVI"),
        ("ledger", "check"),
        ("dispatch", "settle", "x"),
        ("dispatch", "settle", "x", "--as", "lost", "--by", "x", "--reason", "x"),
        ("password", "tell", "x"),
        ("password", "tell", "x", "--method", "portal"),
    ],
    ids=" ".join,
)
def test_a_slip_of_the_hand_is_a_failure_in_one_sentence(cli, arguments):
    """Not click's 2: that means denied, and a typo in a script must not look like a decision."""
    answer = cli(*arguments)
    assert (answer.code, answer.out) == (1, "")
    assert len(answer.err.splitlines()) == 1
    assert answer.err.endswith(".\n") or "?" in answer.err


@pytest.mark.parametrize("arguments", [(), *GROUPS])
def test_without_a_command_one_sees_the_commands(cli, arguments):
    answer = cli(*arguments)
    assert (answer.code, answer.out) == (1, "")
    assert ("Commands:" if arguments else "Judge a table:") in answer.err


# ------------------------------------------------------------------------------------- errors to exit codes


@pytest.fixture
def failing(monkeypatch):
    """Let ``validate`` raise this error."""

    def set_error(error: BaseException) -> None:
        def fail(**_options):
            raise error

        monkeypatch.setattr(program.commands["validate"], "callback", fail)

    return set_error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.UsageProblem("A sentence."), 1),
        (errors.TableUnreadable("A sentence."), 1),
        (errors.StoreFailed("A sentence."), 1),
        (errors.GateDenied("A sentence."), 2),
        (errors.LedgerAltered("A sentence.", 3), 2),
        (errors.PolicyInvalid(("A sentence.",)), 3),
        (errors.Undecided("A sentence."), 4),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_of_ours_is_its_sentence_and_its_exit_code(cli, failing, error, code):
    failing(error)
    answer = cli("validate")
    assert (answer.code, answer.out, answer.err) == (code, "", "A sentence.\n")


def test_every_problem_of_a_policy_is_a_line(cli, failing):
    failing(errors.PolicyInvalid(("a.yaml:1:1: this", "b.yaml:2:3: that")))
    assert cli("validate").err == "a.yaml:1:1: this\nb.yaml:2:3: that\n"


def test_a_message_cannot_command_the_terminal(cli, failing):
    failing(errors.UsageProblem("a\x1b[2Jb\x07"))
    assert cli("validate").err == "a\ufffd[2Jb\ufffd\n"


def test_an_interruption_is_130(cli, failing):
    failing(KeyboardInterrupt())
    answer = cli("validate")
    assert (answer.code, answer.out) == (130, "")
    assert "Traceback" not in answer.err


@pytest.mark.parametrize(
    "error", [KeyError("CANARY"), ValueError("CANARY"), RecursionError("CANARY"), OSError("CANARY")]
)
def test_a_bug_is_named_by_type_and_place_and_never_by_its_text(cli, failing, error):
    failing(error)
    answer = cli("validate")
    assert (answer.code, answer.out) == (1, "")
    assert re.fullmatch(
        rf"This is a bug: {type(error).__name__} at \S+:\d+; please report this line\.\n", answer.err
    )


def test_the_place_of_a_bug_is_the_last_line_of_ours(cli, monkeypatch):
    import json

    def fail(*_arguments, **_options):
        raise ValueError("CANARY")

    monkeypatch.setattr("dtm_sharing.cli.policy_files.load_policy", lambda _folder: json.loads("{", cls=fail))
    assert re.match(
        r"This is a bug: ValueError at dtm_sharing/cli/policy_files\.py:\d+;", cli("validate").err
    )


# ------------------------------------------------------------------------------------------ real processes


@pytest.mark.parametrize(
    ("audience", "more", "code"),
    [("public", (), 2), ("public", ("--as-of", "2027-09-15"), 4), ("nobody", (), 1)],
)
def test_exit_codes_of_a_real_process(table, policies, audience, more, code):
    usual = ("--dataset", "xyz/site-assessment", "--policies", policies, "--audience", audience)
    day = more or ("--as-of", "2026-11-22")
    done = process("gate", table(), *usual, *day)
    assert done.returncode == code
    assert bool(done.stdout) != bool(done.stderr)


def test_an_invalid_policy_is_3_for_a_real_process(policies):
    write_policies(policies, {"relations.yaml": b"kind: relations\n"})
    assert process("validate", policies).returncode == 3


def test_the_module_runs_like_the_program():
    done = subprocess.run(
        [sys.executable, "-m", "dtm_sharing.cli", "--version"],
        env={**os.environ, "PYTHONPATH": str(PLUGINS)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("dtm-sharing ")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_an_answer_that_cannot_be_written_is_a_failure(table, policies):
    """Else a script would read half an answer, and exit code 0 with it."""
    usual = ("--dataset", "xyz/site-assessment", "--policies", policies, "--as-of", "2026-11-22")
    with Path("/dev/full").open("w") as full:
        done = process("classify", table(), *usual, stdout=full, stderr=subprocess.PIPE, capture_output=False)
    assert done.returncode == 1
    assert done.stderr == "The answer could not be written: No space left on device.\n"


def test_a_reader_that_goes_away_gets_no_complaint(table, policies):
    usual = ("--dataset", "xyz/site-assessment", "--policies", policies, "--as-of", "2026-11-22")
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = process(
            "classify", table(), *usual, stdout=writer, stderr=subprocess.PIPE, capture_output=False
        )
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


def test_ctrl_c_ends_a_real_process_quietly():
    code = "import os, signal\nfrom dtm_sharing.stores import policies\n"
    code += "policies.read_policies = lambda _: os.kill(os.getpid(), signal.SIGINT)"
    done = process("validate", ".", code=code)
    assert done.returncode == 128 + signal.SIGINT
    assert (done.stdout, done.stderr.strip()) == ("", "")


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
@pytest.mark.parametrize("form", ["table", "json"])
def test_a_header_that_the_terminal_cannot_show_breaks_nothing(table, policies, encoding, form):
    usual = ("--dataset", "xyz/site-assessment", "--policies", policies, "--as-of", "2026-11-22")
    path = table(["Site ID", "عدد الأسر"], raw=False)
    there = {"env": {"PYTHONIOENCODING": encoding}, "encoding": encoding, "errors": "replace"}
    done = process("classify", path, *usual, "--format", form, **there)
    assert done.returncode == 4
    assert done.stderr == ""
    assert "Site ID" in done.stdout


def test_help_is_light():
    """The answer to ``--help`` takes a person's patience, so nothing heavy may be behind it."""
    code = "import atexit, sys\natexit.register(lambda: print(*sorted(sys.modules), file=sys.stderr))"
    for arguments in (("--help",), ("gate", "--help")):
        modules = set(process(*arguments, code=code).stderr.split())
        heavy = {"pandas", "numpy", "pyarrow", "pydantic", "ruamel", "sqlalchemy", "rich", "airflow", "boto3"}
        assert not heavy & modules
        assert "dtm_sharing.cli.tables" in modules


def test_warnings_of_libraries_are_no_answer():
    code = "import warnings\nfrom dtm_sharing.stores import policies\n"
    code += "policies.read_policies = lambda _: warnings.warn('CANARY')"
    assert "CANARY" not in process("validate", ".", code=code).stderr


def test_main_is_what_is_installed():
    from importlib.metadata import entry_points

    found = [each for each in entry_points(group="console_scripts") if each.name == "dtm-sharing"]
    if not found:
        pytest.skip("the project is not installed here, only on the path")
    assert found[0].value == "dtm_sharing.cli:main"


def test_the_click_contract_that_the_edge_relies_on():
    """``main(standalone_mode=False)`` gives back a command's return value and what ``exit()`` was given."""

    @click.command()
    @click.option("--leave", is_flag=True)
    @click.pass_context
    def command(context, leave):
        if leave:
            context.exit(7)
        return 4

    assert command.main([], standalone_mode=False) == 4
    assert command.main(["--leave"], standalone_mode=False) == 7
    assert edge.FAILURE == 1
