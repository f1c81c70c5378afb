"""docs/rules.md is what the decision tables of tests/spec say, and each of these is run by a test."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from spec import document
from spec.document import CHAPTERS, MEANING, RULES
from support.calls import calls_in
from support.loading import ROOT

TABLE = 'LEVELS = """\n| given | outcome |\n|-------|---------|\n| site  | allow   |\n"""\n'
TEST = '@pytest.mark.parametrize("row", rows(LEVELS), ids=name)\ndef test_it_is_so(row):\n    """It is."""\n'


def test_the_rule_book_is_what_the_tables_say() -> None:
    assert RULES.read_text("utf-8") == document.document(), "run: python -m tests.spec.document"


def test_a_table_is_read_with_its_comment_title_and_rule(tmp_path: Path) -> None:
    (tmp_path / "test_words.py").write_text(f"# Of another table.\n\n# Given\n# this.\n{TABLE}\n{TEST}")
    [module] = document.modules(tmp_path)
    [table] = module.tables
    assert (table.name, table.given) == ("words.LEVELS", "Given this.")
    assert (table.title, table.rule) == ("It is so", "It is.")
    assert table.rows == (("given", "outcome"), ("site", "allow"))


def test_a_table_that_no_test_runs_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "test_words.py").write_text(TABLE)
    with pytest.raises(ValueError, match=r"words\.LEVELS is a table that no test runs"):
        document.modules(tmp_path)


def test_a_table_that_no_chapter_names_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "test_new.py").write_text(TABLE + TEST)
    with pytest.raises(ValueError, match=r"each table stands in one chapter .*new\.LEVELS"):
        document.document(tmp_path)


def test_every_chapter_says_something_before_its_tables() -> None:
    assert all(each.text.endswith(".") and each.tables for each in CHAPTERS)
    assert len({each.title for each in CHAPTERS}) == len(CHAPTERS)


def test_every_word_for_what_is_missing_is_explained_and_is_one_of_the_engine() -> None:
    package = ROOT / "plugins" / "dtm_sharing"
    engine = [package / "classify.py", *sorted((package / "gate").glob("*.py"))]
    source = "".join(path.read_text("utf-8") for path in engine)
    given = {
        each.node.args[0].value
        for each in calls_in(source)
        if each.method in ("Gap", "Notice") and each.node.args and isinstance(each.node.args[0], ast.Constant)
    }
    assert given
    assert given <= MEANING.keys()
    assert [word for word in MEANING if f'"{word}"' not in source] == []
