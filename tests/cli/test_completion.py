"""completion: what a shell offers while a command is typed, asked for as the shell asks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.policies import DATASET, patched, sample_files, write_policies

PLUGINS = Path(__file__).parents[2] / "plugins"
PROGRAM = "import sys\nsys.argv[0] = 'dtm-sharing'\nfrom dtm_sharing.cli import main\nsys.exit(main())"


def ask(line: str, shell: str = "bash", **environ: str) -> subprocess.CompletedProcess[str]:
    """What the program says to the shell whose user has typed ``line`` and presses the tabulator."""
    words = line.split(" ")
    asked = {
        "_DTM_SHARING_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": line if shell != "fish" else " ".join(words[:-1]),
        "COMP_CWORD": str(len(words) - 1) if shell != "fish" else words[-1],
    }
    return subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "PYTHONPATH": str(PLUGINS), **asked, **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def offered(line: str, **environ: str) -> list[str]:
    done = ask(line, **environ)
    assert (done.returncode, done.stderr) == (0, "")
    return [each.partition(",")[2] for each in done.stdout.split()]


@pytest.fixture
def there(policies) -> dict[str, str]:
    return {"DTM_SHARING_POLICIES": str(policies)}


# ------------------------------------------------------------------------------------------------- scripts


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell_calls_the_program_back(cli, shell):
    answer = cli("completion", shell)
    assert (answer.code, answer.err) == (0, "")
    assert f"_DTM_SHARING_COMPLETE={shell}_complete" in answer.out
    assert "dtm-sharing" in answer.out
    program = shutil.which(shell)
    if program and shell != "fish":  # else only its text is looked at
        done = subprocess.run([program, "-n"], input=answer.out, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


def test_another_shell_is_a_slip_of_the_hand(cli):
    answer = cli("completion", "tcsh")
    assert (answer.code, answer.out) == (1, "")
    assert len(answer.err.splitlines()) == 1


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
def test_bash_itself_gets_the_ids(there, tmp_path):
    """The script as bash runs it, with a program of our name on the path."""
    program = tmp_path / "bin" / "dtm-sharing"
    program.parent.mkdir()
    program.write_text(
        f"#!{sys.executable}\nimport sys\nfrom dtm_sharing.cli import main\nsys.exit(main())\n"
    )
    program.chmod(0o755)
    script = (
        'eval "$(dtm-sharing completion bash)"\n'
        "COMP_WORDS=(dtm-sharing gate round.csv --dataset x)\nCOMP_CWORD=4\n"
        '_dtm_sharing_completion dtm-sharing\nprintf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        env={**os.environ, **there, "PATH": path, "PYTHONPATH": str(PLUGINS)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("xyz/site-assessment\n", "")


# ------------------------------------------------------------------------------------------ what is offered


def test_commands_and_options_are_offered(there):
    assert "validate" in offered("dtm-sharing v", **there)
    assert offered("dtm-sharing validate --form", **there) == ["--format"]
    assert offered("dtm-sharing validate --format sa", **there) == ["sarif"]


@pytest.mark.parametrize(
    ("line", "ids"),
    [
        ("dtm-sharing classify round.csv --dataset ", ["xyz/site-assessment"]),
        ("dtm-sharing gate round.csv --dataset xyz/s", ["xyz/site-assessment"]),
        ("dtm-sharing gate round.csv --audience ", ["public", "xyz/child-protection"]),
        ("dtm-sharing gate round.csv --audience x", ["xyz/child-protection"]),
        ("dtm-sharing explain round.csv --audience p", ["public"]),
        ("dtm-sharing audit --organization ", ["iom", "public", "scpa"]),
        ("dtm-sharing dispatch settle 0f8fad5b --by xyz/iom-s", ["xyz/iom-secondary"]),
        ("dtm-sharing password tell xyz/scpa-p", ["xyz/scpa-primary"]),
        ("dtm-sharing explain round.csv --dataset npl", []),
    ],
)
def test_ids_of_the_policy_are_offered(there, line, ids):
    assert offered(line, **there) == ids


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_get_them_too(there, shell):
    done = ask("dtm-sharing gate round.csv --dataset x", shell, **there)
    assert (done.returncode, done.stderr) == (0, "")
    assert "xyz/site-assessment" in done.stdout


def test_the_folder_that_the_line_names_counts(policies):
    line = f"dtm-sharing gate round.csv --policies {policies} --dataset x"
    assert offered(line, DTM_SHARING_POLICIES="/nowhere") == ["xyz/site-assessment"]


# ------------------------------------------------------------------------------------------ nothing otherwise


def broken(policies: Path) -> Path:
    write_policies(policies, patched(sample_files(), DATASET, "grain: site", "grian: site"))
    return policies


def unsealed(policies: Path) -> Path:
    (policies / "SHA256SUMS").unlink()
    return policies


@pytest.mark.parametrize(
    "spoil",
    [broken, unsealed, lambda policies: policies / "none", lambda policies: policies / DATASET],
    ids=["invalid", "unsealed", "absent", "a file"],
)
def test_on_any_error_nothing_is_offered_and_nothing_said(policies, spoil):
    done = ask("dtm-sharing gate round.csv --dataset x", DTM_SHARING_POLICIES=str(spoil(policies)))
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")


def test_not_even_a_bug_reaches_the_line_that_is_typed(there):
    line = {"COMP_WORDS": "dtm-sharing gate round.csv --dataset x", "COMP_CWORD": "4"}
    code = "import dtm_sharing.stores.policies as p\ndef fail(_): raise KeyError('CANARY')\n"
    code += "p.read_policies = fail\n"
    done = subprocess.run(
        [sys.executable, "-c", code + PROGRAM],
        env={
            **os.environ,
            "PYTHONPATH": str(PLUGINS),
            "_DTM_SHARING_COMPLETE": "bash_complete",
            **line,
            **there,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")


def test_a_person_is_offered_by_function_only(policies):
    files = patched(
        sample_files(), "xyz/focal_points/scpa.yaml", "role: primary", "role: primary, name: CANARY"
    )
    write_policies(policies, files)
    done = ask("dtm-sharing password tell xyz/", DTM_SHARING_POLICIES=str(policies))
    assert "xyz/scpa-primary" in done.stdout
    assert "CANARY" not in done.stdout
