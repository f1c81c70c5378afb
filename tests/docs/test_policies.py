"""Every file and command of docs/policies.md is loaded, run, or refused as the text says."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from dtm_sharing.cli import edge
from support.loading import ROOT

TEXT = (ROOT / "docs" / "policies.md").read_text("utf-8")
FILES = {
    block.splitlines()[0].removeprefix("# "): block
    for block in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
}
COMMANDS = [
    line.partition("  #")[0].split()
    for line in re.search(r"```sh\n(.*?)```", TEXT, re.DOTALL)[1].splitlines()
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The sample country with the files of the text, not sealed, beside the policy as it was."""
    shutil.copytree(ROOT / "policies", tmp_path / "OLD")
    shutil.copytree(ROOT / "policies", tmp_path / "policies")
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "policies"


def run(*words: str) -> int:
    return edge.run(list(words))


def test_the_files_of_the_text_are_a_policy_once_it_is_sealed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(FILES) == 4, "overlay, waiver, relation, test"
    assert run("validate", "policies") == 3
    assert "dtm-sharing seal" in capsys.readouterr().err
    assert run("seal", "policies") == 0
    assert run("validate", "policies") == 0


def test_the_text_s_own_case_passes_and_notices_when_the_overlay_goes(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Some of the shipped cases fail beside it: they do not expect the text's waiver, nor its dates."""
    named = "Which sites can be reached is not published in the monsoon"
    run("seal", "policies")
    run("test", "policies")
    assert f"  ok    {named}" in capsys.readouterr().out
    (folder / "npl/overlays/monsoon.yaml").unlink()
    run("seal", "policies")
    assert run("test", "policies") == 2
    assert f"  FAIL  {named}" in capsys.readouterr().out


def test_what_the_waiver_lets_out_is_justified_and_without_it_is_not(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("seal", "policies")
    assert run("diff", "OLD", "policies", "--as-of", "2026-11-22") == 0
    assert "npl/movement-intentions" in capsys.readouterr().out
    assert run("diff", "policies", "OLD", "--as-of", "2026-11-22") == 2, "what only the new files keep back"


def test_every_command_of_the_text_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(COMMANDS) == 6
    for program, command, *_ in COMMANDS:
        assert program == "dtm-sharing"
        assert run(command, "--help") == 0
        assert capsys.readouterr().out
