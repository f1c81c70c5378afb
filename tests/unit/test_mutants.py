"""The report of `make mutants`: what survived is explained, and what is explained survived."""

from __future__ import annotations

import tomllib

import pytest

from mutation.__main__ import EXPLAINED, TARGETS, TESTS, Survivor, explanations, function_of, report
from support.loading import ROOT

SURVIVOR = Survivor(
    "dtm_sharing.gate.judge.x_judge__mutmut_3", "dtm_sharing.gate.judge.judge", "- a < b\n+ a <= b"
)
KNOWN = {"function": SURVIVOR.function, "change": f"\n{SURVIVOR.change}\n", "why": "They are never equal."}


@pytest.mark.parametrize(
    ("survivors", "explained", "code", "said"),
    [
        ([], [], 0, "0 survived, 0 of them are explained"),
        ([SURVIVOR], [KNOWN], 0, "1 survived, 1 of them are explained"),
        ([SURVIVOR], [], 1, "+ a <= b"),
        ([], [KNOWN], 1, "explains what did not survive"),
        ([SURVIVOR], [{**KNOWN, "change": "- a < b\n+ a > b"}], 1, SURVIVOR.name),
    ],
)
def test_a_survivor_without_an_explanation_fails_and_so_does_an_explanation_without_one(
    survivors, explained, code, said, capsys
):
    assert report(survivors, explained) == code
    assert said in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("dtm_sharing.gate.judge.x_judge__mutmut_3", "dtm_sharing.gate.judge.judge"),
        ("dtm_sharing.gate.judge.x__gaps__mutmut_12", "dtm_sharing.gate.judge._gaps"),
        ("dtm_sharing.gate.judge.x\u01c1Case\u01c1grain__mutmut_1", "dtm_sharing.gate.judge.Case.grain"),
    ],
)
def test_the_name_of_a_mutant_tells_its_function(name, function):
    assert function_of(name) == function


def test_every_explanation_says_why_and_is_of_a_module_that_is_mutated():
    known = tomllib.loads(EXPLAINED.read_text("utf-8")).get("survivor", [])
    assert all(each["why"].strip() for each in known)
    assert explanations(TARGETS) == known


def test_what_is_mutated_and_what_tests_it_is_there():
    assert TARGETS.keys() == TESTS.keys()
    for patterns in TARGETS.values():
        assert any(list((ROOT / "plugins" / "dtm_sharing").glob(each)) for each in patterns)
    assert all(
        (ROOT / "tests" / each).exists() for each in (each for tests in TESTS.values() for each in tests)
    )
