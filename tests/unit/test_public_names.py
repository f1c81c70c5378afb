"""``import dtm_sharing``: light, and every name is there, whatever was imported before."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import dtm_sharing

PLUGINS = Path(__file__).parents[2] / "plugins"
CORE = {
    "classify_table": ("dtm_sharing.classify", "classify"),
    "decide": ("dtm_sharing.gate", "decide"),
    "load_policy": ("dtm_sharing.stores.policies", "read_policies"),
    "profile": ("dtm_sharing.stores.frames", "profile"),
    "read_table": ("dtm_sharing.stores.frames", "read_table"),
}
AIRFLOW = {"classified", "publish"}


def python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(PLUGINS)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


def test_the_names_are_these():
    assert set(dtm_sharing.__all__) == {*CORE, *AIRFLOW}
    assert set(dtm_sharing.__all__) <= set(dir(dtm_sharing))


@pytest.mark.parametrize("name", CORE)
def test_a_name_is_the_thing_itself(name):
    module, attribute = CORE[name]
    __import__(module)
    assert getattr(dtm_sharing, name) is getattr(sys.modules[module], attribute)


def test_a_name_that_is_none_is_an_attribute_error():
    with pytest.raises(AttributeError, match="clasify"):
        _ = dtm_sharing.clasify


def test_steps_stay_modules_whatever_is_asked_for_first():
    """``from dtm_sharing import classify`` must give the step, also after the function was asked for."""
    code = """
import dtm_sharing
dtm_sharing.classify_table, dtm_sharing.decide
from dtm_sharing import classify, gate
print(type(classify).__name__, type(gate).__name__)
"""
    assert python(code).split() == ["module", "module"]
    assert python("from dtm_sharing import classify; print(type(classify).__name__)").strip() == "module"


def test_importing_the_package_imports_nothing_of_it():
    code = "import sys; old = set(sys.modules); import dtm_sharing; print(*sorted(set(sys.modules) - old))"
    loaded = {name.split(".")[0] for name in python(code).split()}
    assert "dtm_sharing" in loaded
    assert not loaded & {"pandas", "pydantic", "airflow", "click", "ruamel"}
    assert not [name for name in python(code).split() if name.startswith("dtm_sharing.")]


@pytest.mark.airflow
def test_the_names_for_dag_files_are_those_of_the_orchestration():
    code = """
import dtm_sharing
from dtm_sharing import orchestration
print(dtm_sharing.classified is orchestration.classified, dtm_sharing.publish is orchestration.publish)
"""
    assert python(code).split()[-2:] == ["True", "True"]
