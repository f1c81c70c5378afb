"""A demonstration in which something failed says what, and does not end with 0."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from dtm_sharing.demo.__main__ import main
from dtm_sharing.demo.report import Report
from dtm_sharing.demo.runner import BLOCKED_DAG, ROUND, ROUND_DAG
from dtm_sharing.demo.server import Run
from support.demonstrated import Demonstrated, demonstrate


@dataclass
class Told:
    """Stands in for the server: it knows which task of which DAG failed, and why."""

    failed: dict[str, dict[str, str]]

    def failed_tasks(self, run: Run) -> dict[str, str]:
        return self.failed.get(run.dag, {})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Demonstrated:
    return demonstrate(tmp_path_factory.mktemp("outcome") / ".demo")


BLOCKED = {BLOCKED_DAG: {"publish": "Denied."}}
OUTCOMES = {
    # what happened                  states of the runs                               failed tasks      said
    "a step failed": (
        {ROUND_DAG: "failed", BLOCKED_DAG: "failed"},
        {ROUND_DAG: {"collect": "No."}},
        "collect",
    ),
    "a DAG never ran": ({BLOCKED_DAG: "failed"}, {}, f"{ROUND_DAG} did not run"),
    "the mistake went through": ({ROUND_DAG: "success", BLOCKED_DAG: "success"}, {}, "should not have"),
}


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_it_is_not_good_when(outcome, made, capsys):
    states, failed, said = OUTCOMES[outcome]
    runs = {dag: Run(dag, "1", state, ROUND) for dag, state in states.items()}
    report = Report(made.space, Told({**BLOCKED, **failed}), runs, ROUND, made.space.folder / "round.csv")  # type: ignore[arg-type]
    assert not report.show([ROUND_DAG, BLOCKED_DAG], BLOCKED_DAG)
    assert said in capsys.readouterr().out.partition("Not as it should be")[2]


def test_a_message_that_is_gone_is_missed(made, capsys):
    first = min(made.space.mail.glob("*.eml"))
    kept = first.read_bytes()
    first.unlink()
    runs = {dag: Run(dag, "1", state, ROUND) for dag, state in {BLOCKED_DAG: "failed"}.items()}
    try:
        report = Report(made.space, Told(BLOCKED), runs, ROUND, made.space.folder / "round.csv")  # type: ignore[arg-type]
        assert not report.show([BLOCKED_DAG], BLOCKED_DAG)
    finally:
        first.write_bytes(kept)
    assert "is not in the mail folder" in capsys.readouterr().out


@pytest.mark.parametrize(("content", "said"), [(b"", "is empty"), (None, "cannot be read")])
def test_a_round_that_cannot_be_read_ends_it_before_anything_starts(content, said, tmp_path, capsys):
    file = tmp_path / "round.csv"
    if content is not None:
        file.write_bytes(content)
    assert main(["--round-file", str(file), "--folder", str(tmp_path / "space")]) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "space").exists()
