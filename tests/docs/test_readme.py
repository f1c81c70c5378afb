"""Every command, example and output in the README is run, loaded or compared with what really comes out.

The commands run as processes, one after another, in a folder that looks like a clone after ``make demo``: its
policies are the sample country's, dated around today, and its ledger is made through the pipeline.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from email import message_from_bytes
from pathlib import Path

import click
import pytest

from dtm_sharing.cli.program import program
from dtm_sharing.demo.dates import SAMPLE_DATE, shift_dates
from dtm_sharing.demo.report import Report
from dtm_sharing.demo.runner import BLOCKED_DAG, ROUND
from dtm_sharing.demo.server import Run
from dtm_sharing.errors import GateDenied
from dtm_sharing.model import Delivery, Receipt
from dtm_sharing.stores.database import Ledger
from dtm_sharing.stores.outbox import Claim
from dtm_sharing.stores.policies import seal
from support.demonstrated import Demonstrated, demonstrate
from support.ledgers import LEASE, NOW, dispatch, intend
from support.loading import ROOT, loaded
from support.terminals import Screen, on_terminal

README = ROOT / "README.md"
TEXT = README.read_text("utf-8")
DOCUMENTS = [README, *sorted((ROOT / "docs").rglob("*.md"))]
DAYS = (date.today() - SAMPLE_DATE).days  # noqa: DTZ011 - as the demonstration dates its policies
LONGEST_EXAMPLE = 25  # lines
_ANYTHING = "…"  # in an output of the README: something that is left out


@dataclass(frozen=True)
class Command:
    line: int
    text: str
    code: int
    output: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.line}: {self.text}"


def blocks(language: str, text: str = TEXT) -> list[tuple[int, str]]:
    """The fenced blocks of a language, each with the number of its first line."""
    fence = re.compile(rf"^```{language}\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    return [(text[: found.start(1)].count("\n") + 1, found[1]) for found in fence.finditer(text)]


def commands() -> Iterator[Command]:
    """All commands, in order: ``sh`` blocks hold commands, ``console`` blocks hold them with their output."""
    found = []
    for start, block in blocks("sh"):
        found += [_command(start + n, line) for n, line in enumerate(block.splitlines()) if line.strip()]
    for start, block in blocks("console"):
        for n, line in enumerate(block.splitlines()):
            if line.startswith("$ "):
                found.append(_command(start + n, line.removeprefix("$ ")))
            else:
                found[-1].output.append(line)
    yield from sorted(found, key=lambda each: each.line)


def _command(line: int, text: str) -> Command:
    command, _, said = text.partition("    # ")
    code = re.fullmatch(r"exit (\d+)", said) if said else None
    assert not said or code, f"README line {line}: a comment after a command says `exit N`"
    return Command(line, command, int(code[1]) if code else 0)


COMMANDS = list(commands())
MAKES = [each for each in COMMANDS if each.text.startswith("make ")]
EXPORTS = [each for each in COMMANDS if each.text.startswith("export ")]
# These need a person: one who found something out about a dispatch, or knows the master secret.
TYPED = [
    each
    for each in COMMANDS
    if re.match(r"dtm-sharing (dispatch (settle|recall)|password|ledger key)\b", each.text)
]
RUN = [each for each in COMMANDS if each not in MAKES + EXPORTS + TYPED]


# ------------------------------------------------------------------------------------------- commands


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone after ``make demo``, with the README's own policy files in it and a receipt saved from mail."""
    folder = tmp_path_factory.mktemp("clone")
    made = demonstrate(folder / ".demo")
    for path in made.space.policies.rglob("*.yaml"):
        there = folder / "policies" / path.relative_to(made.space.policies)
        there.parent.mkdir(parents=True, exist_ok=True)
        there.write_bytes(path.read_bytes())
    for name, content in policy_files().items():
        (folder / name).write_text(content, "utf-8")
    seal(folder / "policies")
    (folder / "entry.tlog-proof").write_bytes(_receipt(made.space.mail / "001.eml"))
    return folder


def policy_files() -> dict[str, str]:
    """The README's policy files by name, dated as the sample country is."""
    return {block.splitlines()[0].removeprefix("# "): shift_dates(block, DAYS) for _, block in blocks("yaml")}


def _receipt(path: Path) -> bytes:
    message = message_from_bytes(path.read_bytes())
    (found,) = (part for part in message.walk() if part.get_filename() == "entry.tlog-proof")
    content = found.get_payload(decode=True)
    assert isinstance(content, bytes)
    return content


def _environment() -> dict[str, str]:
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(("DTM_", "AIRFLOW"))},
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "80",
        "LC_ALL": "C.UTF-8",
    }


@pytest.fixture(scope="module")
def answers(clone: Path) -> dict[str, tuple[int, str]]:
    """What each command answered, in the order of the README: exit code and output."""
    exports = "; ".join(each.text for each in EXPORTS)
    answered: dict[str, tuple[int, str]] = {}
    for each in RUN:
        done = subprocess.run(
            ["sh", "-c", f"{exports}; {each.text}"],
            cwd=clone,
            env=_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=120,
        )
        answered[str(each)] = (done.returncode, done.stdout)
    return answered


@dataclass(frozen=True)
class Person:
    """Somebody on a terminal who knows the master secret, and of a dispatch whose outcome is not known."""

    folder: Path
    master: str
    key: str

    def types(self, command: Command) -> Screen:
        exports = "; ".join(each.text for each in EXPORTS)
        shell = ["sh", "-c", f"{exports}; {command.text.replace('KEY', self.key)}"]
        return on_terminal(shell, self.master, env=_environment(), cwd=self.folder)


@pytest.fixture(scope="module")
def person(tmp_path_factory: pytest.TempPathFactory) -> Person:
    folder = tmp_path_factory.mktemp("typed")
    made = demonstrate(folder / ".demo")
    opened = Ledger(made.space.ledger)
    unknown = intend(opened, dispatch(opened))
    claim = opened.claim(unknown.key, NOW, LEASE)
    assert isinstance(claim, Claim)
    opened.conclude(claim, Receipt(Delivery.OUTCOME_UNKNOWN, "The line broke."), NOW)
    return Person(folder, made.space.master, unknown.key)


@pytest.mark.parametrize("command", TYPED, ids=str)
def test_a_command_that_needs_a_person_does_its_work_on_a_terminal(command, person):
    screen = person.types(command)
    assert screen.code == command.code, screen.text
    assert "Usage:" not in screen.text
    assert person.master not in screen.text


@pytest.mark.parametrize("command", RUN, ids=str)
def test_a_command_ends_with_the_exit_code_that_the_readme_states(command, answers):
    code, output = answers[str(command)]
    assert code == command.code, output


@pytest.mark.parametrize("command", [each for each in RUN if each.output], ids=str)
def test_an_output_in_the_readme_is_what_comes_out(command, answers):
    _, output = answers[str(command)]
    assert _pattern(command.output).fullmatch(_stable(output)), output


def _pattern(lines: list[str]) -> re.Pattern[str]:
    """The README's lines: a line of ``…`` alone stands for any lines, ``…`` in a line for any text."""
    parts = [
        r"(?:.*\n)*?" if line == _ANYTHING else re.escape(_stable(line)).replace(_ANYTHING, ".*") + r"\n"
        for line in lines
    ]
    return re.compile("".join(parts))


def _stable(text: str) -> str:
    """Without what differs from day to day."""
    return re.sub(r"\d{4}-\d{2}-\d{2}(T[\d:+]+)?", "<date>", text)


@pytest.mark.parametrize("command", MAKES, ids=str)
def test_a_make_command_has_a_target(command):
    """They start Airflow or these very tests, so they are not run here: .ci/run does that."""
    make = subprocess.run(
        ["make", "--dry-run", *shlex.split(command.text)[1:]],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert make.returncode == 0, make.stderr
    module = "pytest" if "test" in command.text else "dtm_sharing.demo"
    assert f"-m {module}" in make.stdout
    for option, value in re.findall(r"(ROUND)=(\S+)", command.text):
        assert f'--round-file "{value}"' in make.stdout, option


def test_each_test_above_has_something_to_test():
    assert len(RUN) > 15
    assert {each.code for each in RUN} == {0, 2, 3, 4}
    assert len(MAKES) == 4
    assert len(TYPED) == 6
    assert sum(bool(each.output) for each in RUN) > 4


def _leaves(group: click.Group, prefix: str) -> Iterator[str]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from _leaves(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}"


@pytest.mark.parametrize("name", list(_leaves(program, "dtm-sharing")))
def test_every_command_of_the_program_is_in_the_readme(name):
    assert [each for each in RUN + TYPED if each.text.startswith(f"{name} ") or each.text == name]


def test_the_exit_codes_are_those_of_the_errors():
    from dtm_sharing import errors

    known = {each.exit_code for each in vars(errors).values() if hasattr(each, "exit_code")}
    table = {int(code) for code in re.findall(r"^\| (\d+) \|", TEXT, re.MULTILINE)}
    assert table == {0, 130, *known}


# --------------------------------------------------------------------------------------- the two examples


def _example() -> str:
    ((_, code),) = blocks("python")
    return code


@pytest.mark.airflow
def test_the_round_of_the_readme_loads_in_airflow_beside_the_pathways(tmp_path):
    code = _example()
    assert len(code.splitlines()) < LONGEST_EXAMPLE
    dags = tmp_path / "dags"
    dags.mkdir()
    (dags / "my_round.py").write_text(code)
    found = loaded(dags, tmp_path / "home")
    assert found == {**found, "dags": ["my_round"], "errors": {}, "heavy": [], "plugin_errors": {}}


@pytest.mark.airflow
def test_the_agreement_of_the_readme_becomes_the_dag_that_it_names(clone, tmp_path):
    found = loaded(ROOT / "dags", tmp_path / "home", DTM_SHARING_POLICIES=str(clone / "policies"))
    assert found["errors"] == {}
    (promised,) = re.findall(r"the new DAG `([^`]+)`", TEXT)
    assert promised in found["dags"]
    assert [dag for dag in found["dags"] if "sample-wash" in dag] == [promised]


def test_the_cleaning_function_of_the_readme_does_what_it_says(tmp_path):
    """Its frame goes through the real path of a stage; only Airflow around it is left out."""
    made = demonstrate(tmp_path / ".demo", clean=_cleaning())
    assert 0 < made.cleaned.rows < made.collected.rows


def _cleaning():
    """The body of ``clean`` in the README's example."""
    body = _example().partition("def clean(collected):\n")[2].partition("\n\n")[0]
    scope: dict[str, object] = {}
    exec("def clean(collected):\n" + body.replace(" " * 8, "    "), scope)
    return scope["clean"]


# ------------------------------------------------------------------------------------------- the demo


@dataclass
class Told:
    """Stands in for the server: it knows of the one refusal, in the words in which the gate said it."""

    made: Demonstrated

    def failed_tasks(self, run: Run) -> dict[str, str]:
        return {"publish": str(self.made.refusal)} if run.dag == BLOCKED_DAG else {}


def test_what_the_demonstration_prints_is_what_the_readme_shows(tmp_path, monkeypatch, capsys):
    """The report on a folder made through the pipeline. That Airflow makes the same one: `make demo`."""
    monkeypatch.chdir(tmp_path)
    made = demonstrate(tmp_path / ".demo")
    assert isinstance(made.refusal, GateDenied)
    runs = {BLOCKED_DAG: Run(BLOCKED_DAG, "1", "failed", ROUND)}
    report = Report(made.space, Told(made), runs, ROUND, made.space.folder / "round.csv")  # type: ignore[arg-type]
    assert report.show([BLOCKED_DAG], BLOCKED_DAG), report.problems
    (shown,) = (block for _, block in blocks("text") if block.startswith("Refused"))
    lines = [_ANYTHING if line.strip() == _ANYTHING else line for line in shown.splitlines()]
    assert _pattern(lines).fullmatch(capsys.readouterr().out.removeprefix("\n"))


# -------------------------------------------------------------------------------------------- the papers


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda each: each.relative_to(ROOT).as_posix())
def test_links_lead_to_files(document):
    prose = re.sub(r"^```.*?^```$", "", document.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", prose):
        assert "://" not in target, "the papers of this project lead nowhere outside"
        assert (document.parent / target).exists(), target


def test_each_decision_has_a_number_of_its_own_and_none_is_left_out():
    names = sorted(path.name for path in (ROOT / "docs" / "decisions").glob("*.md"))
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))


def test_the_licence_is_the_one_that_the_package_names():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["license"] == "Apache-2.0"
    words = " ".join((ROOT / "LICENSE").read_text("utf-8").split())
    assert words.startswith("Apache License Version 2.0, January 2004")
    assert "END OF TERMS AND CONDITIONS" in words
