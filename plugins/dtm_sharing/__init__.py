"""Nothing leaves a DTM round except through a decision that the policy files justify.

The public names, each imported on first use, so that ``import dtm_sharing`` costs nothing:

    from dtm_sharing import classified, publish   # in a DAG file
    from dtm_sharing import load_policy, read_table, profile, classify_table, decide    # in a script

    policy = load_policy(Path("policies"))
    dataset = policy.datasets["npl/site-assessment"]
    table = profile(read_table(Path("round.csv"), dataset), policy, dataset)
    decide(policy, classify_table(policy, table, date(2026, 11, 22)), PUBLIC).outcome

``dtm_sharing.classify`` is the step, a module; its function is ``classify_table`` here, because one name
cannot be both: which of the two it gave would depend on what was imported before.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dtm_sharing.classify import classify as classify_table
    from dtm_sharing.gate import decide
    from dtm_sharing.orchestration import classified, publish
    from dtm_sharing.stores.frames import profile, read_table
    from dtm_sharing.stores.policies import read_policies as load_policy

__all__ = ["classified", "classify_table", "decide", "load_policy", "profile", "publish", "read_table"]

_HOMES = {
    "classified": ("dtm_sharing.orchestration", "classified"),
    "classify_table": ("dtm_sharing.classify", "classify"),
    "decide": ("dtm_sharing.gate", "decide"),
    "load_policy": ("dtm_sharing.stores.policies", "read_policies"),
    "profile": ("dtm_sharing.stores.frames", "profile"),
    "publish": ("dtm_sharing.orchestration", "publish"),
    "read_table": ("dtm_sharing.stores.frames", "read_table"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _HOMES[name]
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
