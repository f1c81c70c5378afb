"""The one way to lay out a policy file, so that a change shows what changed. It moves, and never rewrites.

The modeline first; keys in the order of their model; two spaces for each step inwards; no blanks at the ends
of lines; one line feed at the end. Words, quotes, line breaks within a value, the order of lists and all
comments stay: a comment moves with the key or the item that it stands above.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise, takewhile
from typing import Any

from ruamel.yaml.events import (
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from dtm_sharing.errors import PolicyInvalid
from dtm_sharing.policy import shape, texts
from dtm_sharing.policy.files import KINDS, Part

_MODELINE = "# yaml-language-server:"
_STEP = 2  # spaces inwards


def tidy(file: str, content: bytes, kinds: Mapping[str, type[Part]] = KINDS) -> bytes:
    """The file as ``dtm-sharing fmt`` lays it out; ``file`` is its path within the policy folder.

    Raises:
        PolicyInvalid: the file has a fault of its own. Its references are not looked at.
    """
    read = texts.read(file, content)
    document, faults = shape.document(read, kinds)
    if document is None or read.problems or faults:
        raise PolicyInvalid(tuple(sorted({*read.problems, *faults})))
    text = re.sub("\r\n?", "\n", content.decode("utf-8").removeprefix("\ufeff"))
    model = kinds[document.kind]
    modeline = f"{_MODELINE} $schema={'../' * file.count('/')}schemas/{document.kind}.schema.json"
    try:
        laid_out = "\n".join(_laid_out(_flow_in_order(text, model), model))
    except _OtherLayout:
        laid_out = text
    made = _with_modeline(laid_out, modeline)
    if texts.read(file, made).data != read.data:  # e.g. blanks that are part of a text at the end of the file
        return _with_modeline(text, modeline, end=False)
    return made


class _OtherLayout(Exception):
    """YAML that hardly anybody writes by hand (an anchor, '?' before a key, '|2'): its lines stay."""


def _with_modeline(text: str, modeline: str, *, end: bool = True) -> bytes:
    """``end``: whether the file may end as files do."""
    lines = text.split("\n")
    head = list(takewhile(lambda line: not line or line.startswith("#"), lines))
    rest = [line for line in head if not line.startswith(_MODELINE)]
    while rest and not rest[0]:
        del rest[0]
    made = "\n".join([modeline, *rest, *lines[len(head) :]])
    return (made.rstrip("\n") + "\n" if end else made).encode()


# ------------------------------------------------------------------------------------------- the tree


@dataclass(slots=True)
class _Node:
    """A value and where it stands in the text: ``end`` is behind its last character."""

    start: int
    end: int
    style: str | None = None  # of a scalar: one of | > ' " or None
    flow: bool = False
    keys: list[_Node] = field(default_factory=list)
    values: list[_Node] = field(default_factory=list)
    is_list: bool = False

    @property
    def is_block(self) -> bool:
        return bool(self.values) and not self.flow


def _tree(text: str) -> _Node:
    events = (each for each in texts.events(text) if not hasattr(each, "explicit"))  # without documents
    next(events)  # the start of the stream
    return _node(next(events), events, text)


def _node(event: Event, events: Iterator[Event], text: str) -> _Node:
    if getattr(event, "anchor", None):
        raise _OtherLayout
    if isinstance(event, ScalarEvent):
        end = event.end_mark.index
        if event.style in ("|", ">"):  # its mark is behind the blank lines that follow
            end = len(text[:end].rstrip())
        return _Node(event.start_mark.index, end, event.style)
    assert isinstance(event, MappingStartEvent | SequenceStartEvent)
    is_list = isinstance(event, SequenceStartEvent)
    node = _Node(event.start_mark.index, 0, flow=bool(event.flow_style), is_list=is_list)
    while not isinstance(event := next(events), MappingEndEvent | SequenceEndEvent):
        if not node.is_list:
            node.keys.append(_node(event, events, text))
            event = next(events)
        node.values.append(_node(event, events, text))
    node.end = event.end_mark.index if node.flow or not node.values else node.values[-1].end
    return node


def _in_order(node: _Node, text: str, annotation: Any) -> Sequence[int]:
    """The positions of a mapping's entries in the order of its model; as they stand where it has none."""
    model = shape.plain(annotation)
    if node.is_list or not (isinstance(model, type) and issubclass(model, Part)):
        return range(len(node.values))
    fields = list(model.model_fields)
    return sorted(range(len(node.keys)), key=lambda at: fields.index(_key(node.keys[at], text)))


def _key(node: _Node, text: str) -> str:
    key = text[node.start : node.end]
    return key if node.style is None else str(texts.read("", f"{{{key}: 1}}".encode()).data.popitem()[0])


def _below(node: _Node, at: int, text: str, annotation: Any) -> Any:
    return shape.below(annotation, at if node.is_list else _key(node.keys[at], text))


# ---------------------------------------------------------------------------------- in braces, on a line


def _flow_in_order(text: str, model: Any) -> str:
    """The text with the entries of each ``{…}`` in the order of its model, unless comments are among them."""
    changed: list[tuple[int, int, str]] = []
    _flow_changes(_tree(text), text, model, changed)
    for start, end, new in sorted(changed, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _flow_changes(node: _Node, text: str, annotation: Any, changed: list[tuple[int, int, str]]) -> None:
    if node.flow:
        changed.append((node.start, node.end, _flow(node, text, annotation)))
        return
    for at, value in enumerate(node.values):
        _flow_changes(value, text, _below(node, at, text, annotation), changed)


def _flow(node: _Node, text: str, annotation: Any) -> str:
    starts = [each.start for each in node.keys or node.values]
    slots = [(start, value.end) for start, value in zip(starts, node.values, strict=True)]
    entries = []
    for at, value in enumerate(node.values):
        inner = text[value.start : value.end]
        if value.values:
            inner = _flow(value, text, _below(node, at, text, annotation))
        entries.append(text[slots[at][0] : value.start] + inner)
    order = _in_order(node, text, annotation)
    between = [text[one[1] : other[0]] for one, other in pairwise(slots)]
    if any("#" in each for each in between):
        order = range(len(entries))
    made = text[node.start : slots[0][0]] if slots else text[node.start : node.end]
    for place, at in enumerate(order):
        made += entries[at] + (between[place] if place < len(between) else text[slots[-1][1] : node.end])
    return made


# --------------------------------------------------------------------------------------- line by line


def _laid_out(text: str, model: Any) -> list[str]:
    root = _tree(text)
    page = _Page(text)
    if not root.is_block:
        return [line.rstrip(" \t") for line in page.lines]
    first, last = page.line(root.start), page.line(root.end - 1)
    head = [line.rstrip(" \t") for line in page.lines[:first] if line.rstrip() != "---"]
    tail = [line for line in page.lines[last + 1 :] if line.rstrip() != "..."]
    if any(line.strip() and not line.strip().startswith("#") for line in [*head, *tail]):
        raise _OtherLayout
    body = page.block(root, model, 0, first, last + 1)
    return [*(line.strip() for line in head), *body, *(line.strip() for line in tail)]


@dataclass(frozen=True, slots=True)
class _Entry:
    """One key with its value, or one item of a list: the lines of both, and where what follows it begins."""

    of: _Node
    at: int
    head: int
    end: int
    until: int

    @property
    def value(self) -> _Node:
        return self.of.values[self.at]


@dataclass(frozen=True)
class _Page:
    """Lays out the lines of a text anew. Lines are counted from 0; a region ends before its second one."""

    text: str

    @cached_property
    def lines(self) -> list[str]:
        return self.text.split("\n")

    @cached_property
    def _starts(self) -> list[int]:
        starts = [0]
        for line in self.lines:
            starts.append(starts[-1] + len(line) + 1)
        return starts

    def line(self, index: int) -> int:
        return bisect_right(self._starts, index) - 1

    def column(self, index: int) -> int:
        return index - self._starts[self.line(index)]

    def block(self, node: _Node, annotation: Any, indent: int, begin: int, stop: int) -> list[str]:
        """The lines of a mapping or list that stands in this region, its keys or dashes now at ``indent``."""
        heads = self._heads(node)
        column = self._column(node)
        ends = [self.line(each.end - 1) for each in node.values]
        leads = [begin]
        for head, end in zip(heads[1:], ends, strict=False):
            leads.append(self._lead(end, head, column))
        chunks = []
        for at, (lead, until) in enumerate(zip(leads, [*leads[1:], stop], strict=True)):
            entry = _Entry(node, at, heads[at], ends[at], until)
            above = self._comments(lead, entry.head, indent)
            chunks.append([*above, *self._entry(entry, annotation, indent)])
        order = _in_order(node, self.text, annotation)
        return [line for at in order for line in chunks[at]]

    def _heads(self, node: _Node) -> list[int]:
        """The line on which each entry begins: that of its key, or of its dash."""
        if not node.is_list:
            return [self.line(each.start) for each in node.keys]
        column, heads = self._column(node), []
        for value in node.values:
            line = self.line(value.start)
            while not (len(self.lines[line]) > column and self.lines[line][column] == "-"):
                line -= 1
                if line < 0:
                    raise _OtherLayout
            heads.append(line)
        return heads

    def _column(self, node: _Node) -> int:
        return self.column(node.start if node.is_list else node.keys[0].start)

    def _lead(self, end: int, head: int, column: int) -> int:
        """Where the comments of the entry at ``head`` begin: those above it that stand no further inwards."""
        line = head
        while line - 1 > end and (not self.lines[line - 1].strip() or self._indent(line - 1) <= column):
            line -= 1
        return line

    def _indent(self, line: int) -> int:
        return len(self.lines[line]) - len(self.lines[line].lstrip(" "))

    def _comments(self, begin: int, stop: int, indent: int) -> list[str]:
        found = [line.strip() for line in self.lines[begin:stop]]
        if any(each and not each.startswith("#") for each in found):
            raise _OtherLayout
        return [" " * indent + each if each else "" for each in found]

    def _entry(self, entry: _Entry, annotation: Any, indent: int) -> list[str]:
        if not entry.value.is_block:
            return [*self._atom(entry, indent), *self._comments(entry.end + 1, entry.until, indent)]
        below = _below(entry.of, entry.at, self.text, annotation)
        stop = self._stop(entry)
        sign, behind = self._sign(entry)
        inline = entry.of.is_list and self._heads(entry.value)[0] == entry.head
        begin = entry.head if inline else entry.head + 1
        lines = self.block(entry.value, below, indent + _STEP, begin, stop)
        trailing = self._comments(stop, entry.until, indent)
        if not entry.of.is_list:
            return [" " * indent + f"{sign}  {behind}".rstrip(), *lines, *trailing]
        # The first key stands beside the dash, whichever it is now, and the comments on it above them.
        above = list(takewhile(lambda line: not line.strip() or line.lstrip().startswith("#"), lines))
        first = " " * indent + "- " + lines[len(above)][indent + _STEP :]
        notes = [*([] if inline or not behind else [behind]), *(each.strip() for each in above)]
        noted = [" " * indent + each if each else "" for each in notes]
        return [*noted, first, *lines[len(above) + 1 :], *trailing]

    def _stop(self, entry: _Entry) -> int:
        """Where a block ends: behind the comments that stand as far inwards as it."""
        stop, column = entry.end + 1, self._column(entry.value)
        for line in range(stop, entry.until):
            if self.lines[line].strip():
                if self._indent(line) < column:
                    break
                stop = line + 1
        return stop

    def _sign(self, entry: _Entry) -> tuple[str, str]:
        """The key with its colon, or the dash; and what stands behind it on its line."""
        line = self.lines[entry.head]
        if entry.of.is_list:
            return "-", line[self._column(entry.of) + 1 :].strip()
        key = entry.of.keys[entry.at]
        colon = re.compile(r"[ \t]*:").match(self.text, key.end)
        if colon is None or line[: self.column(key.start)].strip(" -"):
            raise _OtherLayout
        return self.text[key.start : key.end] + ":", line[self.column(colon.end() - 1) + 1 :].strip()

    def _atom(self, entry: _Entry, indent: int) -> list[str]:
        """An entry whose value is a scalar or in brackets, over as many lines as it has."""
        value = entry.value
        sign, behind = self._sign(entry)
        shift = indent - self._column(entry.of)
        if self.line(value.start) == entry.head:
            behind = self.lines[entry.head][self.column(value.start) :]
        else:  # it begins on a later line; behind the key is a comment, or nothing
            behind, shift = f" {behind}" if behind else "", indent + _STEP - self.column(value.start)
        first = " " * indent + f"{sign} {behind}"
        rest = range(entry.head + 1, entry.end + 1)
        if value.style in ("|", ">"):
            return [first.rstrip(" \t"), *self._literal(entry, indent, rest)]
        return [_trimmed(each) for each in (first, *(self._continued(line, indent, shift) for line in rest))]

    def _continued(self, line: int, indent: int, shift: int) -> str:
        within = max(self._indent(line) + shift, indent + _STEP)
        return " " * within + self.lines[line].lstrip(" ") if self.lines[line].strip() else ""

    def _literal(self, entry: _Entry, indent: int, rest: range) -> list[str]:
        """The lines of a block of text: their blanks count, but for those that all of them begin with."""
        lines = [self.lines[each] for each in rest]
        start = entry.value.start
        header = self.lines[self.line(start)][self.column(start) :].split(" ")[0]
        if any(each.isdigit() for each in header):
            raise _OtherLayout
        base = next((len(each) - len(each.lstrip(" ")) for each in lines if each.strip()), 0)
        return [" " * (indent + _STEP) + each[base:] if each[base:] else "" for each in lines]


def _trimmed(line: str) -> str:
    """Without blanks at the end, unless a backslash before them makes one a part of the text."""
    shorter = line.rstrip(" \t")
    return line if shorter.endswith("\\") and shorter != line else shorter
