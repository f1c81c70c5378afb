"""A second pair of eyes on the finished artefact: Great Expectations, with a suite made from the decision.

``package`` compares what it reads back with the table that it was given. Here the same reading is held
against the decision alone, by code that is not ours, so that a table that is wrong from the start is noticed.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dtm_sharing.errors import PackageUnsafe
from dtm_sharing.model import PUBLIC, Approved, Level

if TYPE_CHECKING:
    import pandas as pd

Expectation = tuple[str, Mapping[str, Any]]  # its type, as Great Expectations names it, and its arguments


@dataclass(frozen=True, slots=True)
class Checked:
    """How many expectations the artefact met: all of them."""

    expectations: int


def check(approved: Approved, reopened: pd.DataFrame, key: Sequence[str] = ()) -> Checked:
    """Hold an artefact, as ``package.reopen`` gives it, against the decision that approved it.

    ``key`` names the columns that tell one row from another; those that the extract leaves out are not asked
    for. The results are asked for without values, and nothing is written, sent or printed.

    Raises:
        PackageUnsafe: at least one expectation is not met; the sentence names each one and its column.
    """
    suite = expectations(approved, key)
    with _quiet():
        results = _validate(suite, reopened)
    if len(results) != len(suite):
        raise PackageUnsafe(f"Only {len(results)} of {len(suite)} expectations were checked: nothing leaves")
    if failed := [name for name, met in results if not met]:
        raise PackageUnsafe(
            f"The finished artefact does not meet {len(failed)} of {len(suite)} expectations: "
            f"{'; '.join(failed)}. Correct the table, then package it again"
        )
    return Checked(len(suite))


def expectations(approved: Approved, key: Sequence[str] = ()) -> list[Expectation]:
    """What the decision promises about the table, one expectation each."""
    classification = approved.decision.classification
    columns = [column.header.key for column in classification.columns]
    refused = {each.header.key for each in approved.decision.refused}
    may_have = _levels(approved)
    allowed = [
        c.header.key for c in classification.columns if c.level in may_have and c.header.key not in refused
    ]
    return [
        ("expect_table_columns_to_match_ordered_list", {"column_list": columns}),
        # From the levels, not from the approval: a Secret column that was approved by mistake is not in it.
        ("expect_table_columns_to_match_set", {"column_set": allowed, "exact_match": True}),
        ("expect_table_row_count_to_equal", {"value": classification.rows}),
        *_expected_of_keys(columns, key),
    ]


def _levels(approved: Approved) -> Collection[Level]:
    return {Level.PUBLIC} if approved.decision.audience == PUBLIC else {Level.PUBLIC, Level.CONFIDENTIAL}


def _expected_of_keys(columns: Sequence[str], key: Sequence[str]) -> Iterator[Expectation]:
    present = [name for name in key if name in columns]
    for name in present:
        yield "expect_column_values_to_not_be_null", {"column": name}
        yield "expect_column_values_to_match_regex", {"column": name, "regex": r"\S"}  # "" is blank, not null
    if not present or len(present) < len(key):
        return  # a part of a key need not be unique
    if len(present) == 1:
        yield "expect_column_values_to_be_unique", {"column": present[0]}
    else:
        yield "expect_compound_columns_to_be_unique", {"column_list": present}


def _validate(suite: Sequence[Expectation], frame: pd.DataFrame) -> list[tuple[str, bool]]:
    """Each expectation's name, with its column where it has one, and whether it is met."""
    gx = _great_expectations()
    from great_expectations.data_context.types import base
    from great_expectations.exceptions.exceptions import GreatExpectationsError
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    try:
        context = gx.get_context(mode="ephemeral", project_config=_in_memory(base))
        asset = context.data_sources.add_pandas("artefact").add_dataframe_asset("table")
        batch = asset.add_batch_definition_whole_dataframe("whole").get_batch({"dataframe": frame})
        asked = gx.ExpectationSuite(
            name="decision",
            expectations=[ExpectationConfiguration(type=kind, kwargs=dict(kwargs)) for kind, kwargs in suite],
        )
        answer = batch.validate(asked, result_format="BOOLEAN_ONLY")
    except GreatExpectationsError as error:  # its text may quote cells, so it goes no further
        raise PackageUnsafe(f"The artefact cannot be checked: {type(error).__name__}") from None
    return [(_name(each.expectation_config), bool(each.success)) for each in answer.results]


def _in_memory(base: Any) -> Any:
    """Its configuration: nothing on disk, not even a folder for documents, and nothing on the screen."""
    return base.DataContextConfig(
        store_backend_defaults=base.InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        progress_bars=base.ProgressBarsConfig(globally=False),
        analytics_enabled=False,
    )


def _name(config: Any) -> str:
    column = config.kwargs.get("column")
    return f"{config.type} ({column})" if column else str(config.type)


def _great_expectations() -> Any:
    """The library, imported on first use: it takes seconds, and a DAG file must not wait for it."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"  # read at import: it tells nobody about our tables
    import great_expectations

    return great_expectations


@contextmanager
def _quiet() -> Iterator[None]:
    """No log line and no warning of the library's own: an exception that it logs could quote cells."""
    logger, nowhere = logging.getLogger("great_expectations"), logging.NullHandler()
    propagated, logger.propagate = logger.propagate, False
    logger.addHandler(nowhere)  # without any, warnings would go to stderr
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.removeHandler(nowhere)
        logger.propagate = propagated
