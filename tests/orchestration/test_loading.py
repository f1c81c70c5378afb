"""How Airflow loads our plugin, our policy and our DAG files, each time in a process of its own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from support.loading import ROOT, loaded
from support.policies import sealed

pytestmark = pytest.mark.airflow

PLUGINS = ROOT / "plugins"


def test_the_plugin_loader_is_kept_to_one_file():
    """Airflow runs every module below plugins/ under its bare name; only these three lines stop it."""
    lines = (PLUGINS / ".airflowignore").read_text().splitlines()
    assert lines == ["airflow_local_settings.py", "dtm_sharing/*", "!dtm_sharing/plugin.py"]


def test_no_top_level_name_of_ours_is_one_of_the_standard_library():
    names = {path.stem for path in PLUGINS.iterdir()} | {"dtm_sharing"}
    assert not names & sys.stdlib_module_names
    assert not (ROOT / "tests" / "airflow").exists()


def test_our_dag_files_load_once_with_one_plugin_and_nothing_heavy(tmp_path):
    found = loaded(ROOT / "dags", tmp_path)
    assert found["errors"] == {}
    assert found["plugin_errors"] == {}
    assert found["plugins"].count("dtm_sharing") == 1
    assert found["twice"] == []
    assert found["heavy"] == []
    assert set(found["dags"]) == {
        "npl_site_assessment",
        "npl_blocked_export",
        "share.npl.child-protection.low",
        "share.npl.child-protection.medium",
        "share.monthly",
    }


def test_a_new_agreement_file_is_a_new_dag(tmp_path):
    folder = tmp_path / "policies"
    _copy(ROOT / "policies", folder)
    first = folder / "npl" / "agreements" / "child-protection.yaml"
    text = first.read_text().replace("id: npl/child-protection\n", "id: npl/second\n")
    before = loaded(ROOT / "dags", tmp_path / "home", DTM_SHARING_POLICIES=str(folder))
    (first.parent / "second.yaml").write_text(text)
    sealed(folder)
    after = loaded(ROOT / "dags", tmp_path / "home", DTM_SHARING_POLICIES=str(folder))
    assert set(after["dags"]) - set(before["dags"]) == {"share.npl.second.low", "share.npl.second.medium"}


def test_a_policy_that_does_not_load_leaves_no_pathway_and_says_where(tmp_path):
    folder = tmp_path / "policies"
    _copy(ROOT / "policies", folder)
    file = folder / "npl" / "agreements" / "child-protection.yaml"
    file.write_text(file.read_text().replace("urgency: low", "urgency: high"))
    sealed(folder)
    found = loaded(ROOT / "dags", tmp_path / "home", DTM_SHARING_POLICIES=str(folder))
    assert not [dag for dag in found["dags"] if dag.startswith("share.")]
    ((path, problem),) = found["errors"].items()
    assert path.endswith("pathways.py")
    assert "child-protection.yaml:" in problem


def _copy(source: Path, target: Path) -> None:
    for path in source.rglob("*.yaml"):
        there = target / path.relative_to(source)
        there.parent.mkdir(parents=True, exist_ok=True)
        there.write_bytes(path.read_bytes())
    sealed(target)


AROUND_THE_GATE = {
    "a plain task": """
    @task(outlets=[Asset(name="open", uri="dtm-public://npl/site-assessment")])
    def leak(): ...
    leak()
""",
    "a mapped task": """
    @task(outlets=[Asset(name="open", uri="dtm-public://npl/site-assessment")])
    def leak(x): ...
    leak.expand(x=[1, 2])
""",
    "a reference by name": """
    EmptyOperator(task_id="leak", outlets=[Asset.ref(name="npl/site-assessment public")])
""",
    "a reference by URI": """
    EmptyOperator(task_id="leak", outlets=[Asset.ref(uri="dtm-public://npl/site-assessment")])
""",
    "an operator": """
    EmptyOperator(task_id="leak", outlets=[Asset(name="open", uri="s3://dtm-open/round.csv")])
""",
}

DAG_FILE = """
from airflow.sdk import DAG, Asset, task
from airflow.providers.standard.operators.empty import EmptyOperator

with DAG("around_the_gate"):
{task}
"""


@pytest.mark.parametrize("kind", AROUND_THE_GATE)
def test_a_dag_with_a_public_outlet_outside_the_gate_does_not_load(kind, tmp_path):
    dags = tmp_path / "dags"
    dags.mkdir()
    (dags / "leak.py").write_text(DAG_FILE.format(task=AROUND_THE_GATE[kind]))
    found = loaded(dags, tmp_path / "home", DTM_SHARING_PUBLIC_STORE="s3://dtm-open?region=eu")
    assert found["dags"] == []
    ((_, problem),) = found["errors"].items()
    assert "leak" in problem
    assert "publish(" in problem


def test_a_file_in_the_folder_of_what_is_public_is_a_public_outlet(tmp_path):
    dags = tmp_path / "dags"
    dags.mkdir()
    task = f"""
    EmptyOperator(task_id="leak", outlets=[Asset(name="o", uri="file://{tmp_path}/open/round.csv")])
"""
    (dags / "leak.py").write_text(DAG_FILE.format(task=task))
    found = loaded(dags, tmp_path / "home", DTM_SHARING_PUBLIC_STORE=f"{tmp_path}/open/")
    assert found["dags"] == []
    assert "publish(" in next(iter(found["errors"].values()))


MISTAKES = {
    # what a DAG author wrote                                  what Airflow shows
    'classified("npl/site-assessment", stage="clean")(f)()': "stage is 'collected' or 'cleaned', not 'clean'",
    'arrived("npl/site-assessment", stage="clean")': "stage is 'collected' or 'cleaned', not 'clean'",
    'publish(classified("npl/site-assessment", stage="cleaned")(f))': "publish() takes the table of a",
    "publish(task(f)())": "publish() takes the table of a",
    "publish(f())": "publish() takes the table of a",
}

MISTAKEN = """
from airflow.sdk import DAG, task
from dtm_sharing.orchestration import arrived, classified, publish

def f(): ...

with DAG("mistaken"):
    {call}
"""


def test_a_mistake_in_a_dag_file_is_shown_in_one_sentence(tmp_path):
    dags = tmp_path / "dags"
    dags.mkdir()
    for number, call in enumerate(MISTAKES):
        (dags / f"mistake{number}.py").write_text(MISTAKEN.format(call=call))
    found = loaded(dags, tmp_path / "home")
    assert found["dags"] == []
    shown = {Path(path).name: problem for path, problem in found["errors"].items()}
    for number, sentence in enumerate(MISTAKES.values()):
        assert f"ValueError: {sentence}" in shown[f"mistake{number}.py"].splitlines()[-1]


def test_a_dag_with_another_outlet_loads(tmp_path):
    dags = tmp_path / "dags"
    dags.mkdir()
    task = """
    EmptyOperator(task_id="other", outlets=[Asset(name="o", uri="s3://dtm-open-to-us/round.csv")])
"""
    (dags / "other.py").write_text(DAG_FILE.format(task=task))
    found = loaded(dags, tmp_path / "home", DTM_SHARING_PUBLIC_STORE="s3://dtm-open")
    assert found == {**found, "dags": ["around_the_gate"], "errors": {}}
