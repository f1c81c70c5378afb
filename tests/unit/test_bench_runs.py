"""The benchmarks still run. What they measure is nobody's pass or fail, so no time is looked at here."""

from __future__ import annotations

import subprocess
import sys

import pytest

from dtm_sharing.model import Outcome, Stage
from support.loading import ROOT


def bench(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=180)


@pytest.mark.airflow
def test_parsing_is_measured_against_as_many_empty_dags(tmp_path):
    done = bench("tests.bench", "--quick", "--only", "parsing", "--folder", tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "one task, asset schedule" in done.stdout
    assert not any(tmp_path.iterdir())


def test_all_but_the_secret_columns_of_the_wide_round_may_leave(tmp_path):
    """The round that is measured must go all the way; the gate decides on it as on any other."""
    from datetime import date

    from dtm_sharing import classify, gate, protect
    from dtm_sharing.model import Audience, Urgency
    from dtm_sharing.stores import frames
    from dtm_sharing.stores.policies import read_policies

    done = bench("tests.bench.wide", tmp_path, 5, 200)
    assert done.stdout.strip() == '{"columns": 200, "leaving": 195}', done.stderr[-2000:]
    policy = read_policies(tmp_path / "policies")
    dataset = policy.datasets["npl/site-assessment"]
    frame = frames.read_table(tmp_path / "round.csv", dataset).frame
    frame, dropped = protect.drop_at_collection(dataset, frame)
    assert len(dropped) == 5  # the contacts, and what is Secret beside the ages
    profile = frames.profile_frame(frame, policy, dataset, stage=Stage.CLEANED, round_="2", whole=True)
    labelled = classify.classify(policy, profile, date(2026, 11, 22))
    for urgency in (Urgency.LOW, Urgency.MEDIUM):
        decision = gate.decide(policy, labelled, Audience("npl/everything", urgency), ())
        assert decision.outcome is Outcome.ALLOW, decision.gaps
        assert len(decision.classification.columns) == 195


@pytest.mark.parametrize(("name", "said"), [("decisions", "with forms"), ("policies", "load and validate")])
def test_decisions_and_policy_folders_are_measured_against_the_least_that_there_is_to_do(
    name, said, tmp_path
):
    done = bench("tests.bench", "--quick", "--only", name, "--folder", tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert said in done.stdout
    assert not any(tmp_path.iterdir())
