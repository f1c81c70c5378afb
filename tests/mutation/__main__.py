"""Whether the tests notice when a rule is changed: ``make mutants``.

mutmut changes one operator, constant or argument at a time, in the modules that decide. What mypy refuses
could not land (``make check``) and is tried no further; for the others run the tests that reach the changed
function, quick ones first, until one fails. A change that nothing notices survives: a test is missing, or it
makes no difference. The first is mended; the second is explained in ``survivors.toml``. A survivor that is
not explained there, and an explanation of none, end this with 1.

It works on a copy (``.mutants``), because mutmut wants a ``src`` folder and writes into what it mutates.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".mutants"
EXPLAINED = Path(__file__).with_name("survivors.toml")

# What is mutated, by the name that --only takes, and the tests that are to notice. Quick ones: each runs many
# thousand times.
TARGETS = {
    "classify": ["classify.py"],
    "detect": ["detect/*.py"],
    "gate": ["gate/*.py"],
    "protect": ["protect.py"],
    "policy": ["policy/*.py"],
}
TESTS = {
    "classify": [
        "unit/test_classify.py",
        "spec",
        "oracle",
        "property/test_rules.py",
        "property/test_gate.py",
    ],
    "detect": ["unit/test_detect.py", "stores/test_frames.py"],
    "gate": [
        "unit/test_gate.py",
        "unit/test_gate_relations.py",
        "spec",
        "oracle",
        "property/test_rules.py",
        "property/test_gate.py",
    ],
    "protect": ["unit/test_protect.py"],
    "policy": [
        "unit/test_kinds.py",
        "unit/test_policy.py",
        "unit/test_policy_expected.py",
        "unit/test_policy_layout.py",
        "unit/test_policy_papers.py",
        "unit/test_policy_parts.py",
        "unit/test_policy_signers.py",
        "unit/test_policy_writer.py",
        "spec/test_words.py",
        "property/test_policy.py",
        "property/test_expected.py",
        "cli/test_formatting.py",
        "cli/test_policy_tests.py",
    ],
}
# Random cases per test: few, because they are asked again for every mutant.
FEWER = {"DTM_ORACLE_CASES": "400", "DTM_RULES_CASES": "60", "DTM_FUZZ_EXAMPLES": "3", "DTM_FUZZ_CASES": "30"}

PROJECT = """\
[tool.pytest.ini_options]
addopts = ["--strict-markers", "--import-mode=importlib", "-p", "no:cacheprovider", "-x", "-q"]
pythonpath = ["src", "tests"]
markers = ["airflow: not here", "real_data: not here"]
filterwarnings = ["error", "ignore::DeprecationWarning:mutmut"]

[tool.mutmut]
source_paths = ["src"]
only_mutate = [{mutated}]
also_copy = ["tests", "policies", "conftest.py"]
pytest_add_cli_args_test_selection = [{tests}]
use_git_change_detection = false
type_check_command = ["{python}", "-m", "mypy", "--output", "json", "-p", "dtm_sharing"]
# Of the time that the tests take when nothing is changed: what goes round for ever is noticed by it.
timeout_multiplier = 2
timeout_constant = 5

[tool.mypy]
strict = true
warn_unused_ignores = false  # mutmut adds its own
ignore_missing_imports = true
mypy_path = "src"
explicit_package_bases = true
namespace_packages = true
"""


# One example that fails is enough to notice a mutant: to look for a smaller one takes minutes for each. And a
# quick test notices most: mutmut has measured them, but asks in no order.
CONFTEST = """\
import json
import sys
from pathlib import Path

import pytest
from hypothesis import Phase, settings

settings.register_profile("mutants", phases=[Phase.explicit, Phase.generate], deadline=None, database=None)
settings.load_profile("mutants")

LONGEST = 2.5  # seconds: whatever survives is asked by all tests


def pytest_collection_modifyitems(items):
    measured = Path("mutmut-stats.json")
    seconds = json.loads(measured.read_text("utf-8"))["duration_by_test"] if measured.exists() else {}
    items[:] = [each for each in items if seconds.get(each.nodeid, 0) <= LONGEST]
    items.sort(key=lambda item: seconds.get(item.nodeid, 0))


@pytest.fixture(autouse=True)
def nothing_is_remembered():  # what was made before the change would not be made again
    for name, module in list(sys.modules.items()):
        if name.startswith("dtm_sharing"):
            for each in vars(module).values():
                if hasattr(each, "cache_clear"):
                    each.cache_clear()
"""


@dataclass(frozen=True)
class Survivor:
    """A change that no test noticed: mutmut's name of it, the function, and the lines that it changed."""

    name: str
    function: str
    change: str


def main() -> int:
    """The command. Gives the exit code."""
    wanted = _arguments()
    targets = wanted.only or list(TARGETS)
    _copy(wanted.folder, targets)
    if not wanted.report:
        # By a pattern, be it of all: then mutmut asks each test of the unchanged code by its name, too. One
        # that pytest does not find again by that name would fail, and all that it reaches would seem noticed.
        chosen = [f"*{each}*" for each in wanted.function or [""]]
        _mutmut(wanted.folder, "run", "--max-children", str(wanted.processes), *chosen, seen=True)
    survivors = list(_survivors(wanted.folder))
    explained = explanations(targets)
    return report(survivors, explained)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m tests.mutation", description="Do the tests notice a changed rule?"
    )
    parser.add_argument("--only", choices=TARGETS, action="append", help="not all of them")
    parser.add_argument(
        "--function", action="append", default=[], help="mutants with this in their name only"
    )
    parser.add_argument(
        "--processes", type=int, default=os.cpu_count(), help="at the same time (one per core)"
    )
    parser.add_argument("--report", action="store_true", help="run nothing; show what the last run left")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="for the copy (.mutants)")
    return parser.parse_args()


def _copy(folder: Path, targets: Iterable[str]) -> None:
    """The project as mutmut wants it."""
    folder.mkdir(exist_ok=True)
    ignore = shutil.ignore_patterns("__pycache__", ".mypy_cache")
    for name, source in (
        ("src", ROOT / "plugins"),
        ("tests", ROOT / "tests"),
        ("policies", ROOT / "policies"),
    ):
        shutil.rmtree(folder / name, ignore_errors=True)
        shutil.copytree(source, folder / name, ignore=ignore)
    mutated = [f"src/dtm_sharing/{each}" for target in targets for each in TARGETS[target]]
    tests = sorted({f"tests/{each}" for target in targets for each in TESTS[target]})
    text = PROJECT.format(mutated=_listed(mutated), tests=_listed(tests), python=sys.executable)
    (folder / "pyproject.toml").write_text(text, "utf-8")
    (folder / "conftest.py").write_text(CONFTEST, "utf-8")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f'"{each}"' for each in names)


def _mutmut(folder: Path, *arguments: str, seen: bool = False) -> str:
    """What it said; on a terminal it is ``seen`` at once, for then it shows how far it is."""
    command = [sys.executable, "-m", "mutmut", *arguments]
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **FEWER},
        stdout=None if seen and sys.stdout.isatty() else subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(
            f"{' '.join(command[1:])} ended with {done.returncode}\n{(done.stdout or '')[-2000:]}"
        )
    return done.stdout or ""


# ------------------------------------------------------------------------------------------ what survived


def _survivors(folder: Path) -> Iterator[Survivor]:
    for line in _mutmut(folder, "results").splitlines():
        name, _, state = line.strip().partition(": ")
        if state.strip() in ("survived", "no tests"):
            difference = _mutmut(folder, "show", name).splitlines()
            changed = [
                each[0] + " " + each[1:].strip()
                for each in difference
                if each[:1] in "+-" and each[:3] not in ("+++", "---")
            ]
            yield Survivor(name, function_of(name), "\n".join(changed))


def function_of(name: str) -> str:
    """``dtm_sharing.gate.judge.x_judge__mutmut_3`` -> ``dtm_sharing.gate.judge.judge``."""
    module, _, mangled = name.rpartition("__mutmut_")[0].rpartition(".")
    plain = mangled.removeprefix("x_").removeprefix("x\u01c1").replace("\u01c1", ".")
    return f"{module}.{plain}"


def explanations(targets: Iterable[str]) -> list[dict[str, str]]:
    """What ``survivors.toml`` says of these targets: function, change, why."""
    patterns = [
        f"dtm_sharing.{each.removesuffix('.py').replace('/', '.')}.*" for t in targets for each in TARGETS[t]
    ]
    known: list[dict[str, str]] = tomllib.loads(EXPLAINED.read_text("utf-8")).get("survivor", [])
    return [each for each in known if any(fnmatch(each["function"], pattern) for pattern in patterns)]


def report(survivors: list[Survivor], explained: list[dict[str, str]]) -> int:
    known = {(each["function"], each["change"].strip()) for each in explained}
    found = {(each.function, each.change) for each in survivors}
    missing = [each for each in survivors if (each.function, each.change) not in known]
    for each in missing:
        print(f"\n{each.name}\n{each.change}")
    gone = [each for each in explained if (each["function"], each["change"].strip()) not in found]
    for one in gone:
        print(f"\nsurvivors.toml explains what did not survive: {one['function']}\n{one['change']}")
    print(f"\n{len(survivors)} survived, {len(survivors) - len(missing)} of them are explained")
    return 1 if missing or gone else 0


if __name__ == "__main__":
    sys.exit(main())
