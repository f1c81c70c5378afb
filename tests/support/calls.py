"""Every call that a folder of source makes, and where it stands: for tests of what nobody may call."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Call:
    """``name`` is dotted as far as can be told: ``os.replace``, ``stores.ledger.record``, ``?.save``."""

    file: str  # relative to the folder
    function: str  # dotted: class and function; "" at the level of the module
    name: str
    node: ast.Call

    @property
    def method(self) -> str:
        return self.name.rpartition(".")[2]

    @property
    def place(self) -> str:
        return f"{self.file}:{self.function}"

    def given(self, keyword: str) -> ast.expr | None:
        return next((each.value for each in self.node.keywords if each.arg == keyword), None)


def calls(*folders: Path) -> Iterator[Call]:
    for folder in folders:
        for path in sorted(folder.rglob("*.py")):
            file = path.relative_to(folder).as_posix()
            yield from _calls(ast.parse(path.read_text("utf-8")), file, "")


def calls_in(source: str, file: str = "<text>") -> Iterator[Call]:
    return _calls(ast.parse(source), file, "")


def _calls(tree: ast.AST, file: str, function: str) -> Iterator[Call]:
    for node in ast.iter_child_nodes(tree):
        inside = function
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inside = f"{function}.{node.name}" if function else node.name
        elif isinstance(node, ast.Call):
            yield Call(file, function, _dotted(node.func), node)
        yield from _calls(node, file, inside)


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return f"{_dotted(node.value)}.{node.attr}" if isinstance(node, ast.Attribute) else "?"
