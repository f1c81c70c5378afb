"""The one way to lay out a policy file, so that a change shows what changed. It moves, and never rewrites.

The modeline first; keys in the order of their model; two spaces for each step inwards; no blanks at the ends
of lines; one line feed at the end. Words, quotes, line breaks within a value, the order of lists and all
comments stay: a comment moves with the key or the item that it stands above.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import dropwhile, pairwise, takewhile
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
    text = re.sub("\r\n?", "\n", content.decode().removeprefix("\ufeff"))
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
    """YAML that hardly anybody writes by hand (an anchor, '?' before a key): its lines stay."""


def _with_modeline(text: str, modeline: str, *, end: bool = True) -> bytes:
    """``end``: whether the file may end as files do."""
    lines = text.split("\n")
    head = list(takewhile(lambda line: not line or line.startswith("#"), lines))
    rest = dropwhile(lambda line: not line, (line for line in head if not line.startswith(_MODELINE)))
    made = "\n".join([modeline, *rest, *lines[len(head) :]])
    return (made.rstrip("\n") + "\n" if end else made).encode()


# ------------------------------------------------------------------------------------------- the tree


@dataclass(frozen=True, slots=True)
class _Node:
    """A key or a value and where it stands in the text: ``end`` is behind its last character."""

    start: int
    end: int
    word: str = ""  # of a scalar: what it says
    style: str | None = None  # of a scalar: one of | > ' " or None
    flow: bool = False
    keys: tuple[_Node, ...] = ()  # none in a list
    values: tuple[_Node, ...] = ()

    @property
    def is_block(self) -> bool:
        return bool(self.values) and not self.flow

    @property
    def is_list(self) -> bool:
        return not self.keys


def _tree(text: str) -> _Node:
    events = (each for each in texts.events(text) if not hasattr(each, "explicit"))  # without documents
    next(events)  # the start of the stream
    return _node(next(events), events, text)


def _node(event: Event, events: Iterator[Event], text: str) -> _Node:
    assert isinstance(event, ScalarEvent | MappingStartEvent | SequenceStartEvent)
    if event.anchor:
        raise _OtherLayout
    start = event.start_mark.index
    if isinstance(event, ScalarEvent):
        end = event.end_mark.index
        if event.style in ("|", ">"):  # its mark is behind the blank lines that follow
            end = len(text[:end].rstrip())
        return _Node(start, end, event.value, event.style)
    flow, is_list = bool(event.flow_style), isinstance(event, SequenceStartEvent)
    keys, values = [], []
    while not isinstance(event := next(events), MappingEndEvent | SequenceEndEvent):
        if not is_list:
            keys.append(_node(event, events, text))
            event = next(events)
        values.append(_node(event, events, text))
    end = event.end_mark.index if flow else values[-1].end
    return _Node(start, end, flow=flow, keys=tuple(keys), values=tuple(values))


def _in_order(node: _Node, annotation: Any) -> Sequence[int]:
    """The positions of a mapping's entries in the order of its model; as they stand where it has none."""
    fields = list(getattr(shape.plain(annotation), "model_fields", ()))
    if not fields:
        return range(len(node.values))
    return sorted(range(len(node.keys)), key=lambda at: fields.index(node.keys[at].word))


def _below(node: _Node, at: int, annotation: Any) -> Any:
    return shape.below(annotation, at if node.is_list else node.keys[at].word)


# ---------------------------------------------------------------------------------- in braces, on a line


def _flow_in_order(text: str, model: Any) -> str:
    """The text with the entries of each ``{…}`` in the order of its model, unless comments are among them."""
    changed: list[tuple[int, int, str]] = []
    _flow_changes(_tree(text), text, model, changed)
    for start, end, new in changed:  # each as long as it was
        text = text[:start] + new + text[end:]
    return text


def _flow_changes(node: _Node, text: str, annotation: Any, changed: list[tuple[int, int, str]]) -> None:
    if node.flow:
        changed.append((node.start, node.end, _flow(node, text, annotation)))
        return
    for at, value in enumerate(node.values):
        _flow_changes(value, text, _below(node, at, annotation), changed)


def _flow(node: _Node, text: str, annotation: Any) -> str:
    begins = node.keys or node.values
    slots = [(begins[at].start, value.end) for at, value in enumerate(node.values)]
    entries = []
    for at, value in enumerate(node.values):
        inner = text[value.start : value.end]
        if value.values:
            inner = _flow(value, text, _below(node, at, annotation))
        entries.append(text[slots[at][0] : value.start] + inner)
    order = _in_order(node, annotation)
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
        return [_trimmed(line) for line in page.lines]
    first, last = page.line(root.start), page.line(root.end - 1)
    stop = page.stop(last + 1, len(page.lines), page.column(root.start) + 1)
    head = [line.strip() for line in page.lines[:first] if line.rstrip() != "---"]
    tail = [line.strip() for line in page.lines[stop:] if line.rstrip() != "..."]
    if any(line and not line.startswith("#") for line in [*head, *tail]):
        raise _OtherLayout
    return [*head, *page.block(root, model, 0, first, stop), *tail]


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

    def stop(self, begin: int, until: int, column: int) -> int:
        """Where a block ends whose words end above ``begin``: behind its comments, from ``column`` on."""
        stop = begin
        for line in range(begin, until):
            if self.lines[line].strip():
                if self._indent(line) < column:
                    break
                stop = line + 1
        return stop

    def block(self, node: _Node, annotation: Any, indent: int, begin: int, stop: int) -> list[str]:
        """The lines of a mapping or list that stands in this region, its keys or dashes now at ``indent``."""
        heads = self._heads(node)
        ends = [self.line(each.end - 1) for each in node.values]
        leads = [begin, *(self._lead(ends[at - 1], heads[at], node) for at in range(1, len(heads)))]
        chunks = []
        for at, (lead, until) in enumerate(pairwise([*leads, stop])):
            entry = _Entry(node, at, heads[at], ends[at], until)
            above = self._comments(lead, entry.head, indent)
            chunks.append([*above, *self._entry(entry, annotation, indent)])
        order = _in_order(node, annotation)
        return [line for at in order for line in chunks[at]]

    def _heads(self, node: _Node) -> list[int]:
        """The line on which each entry begins: that of its key, or of its dash."""
        if not node.is_list:
            return [self.line(each.start) for each in node.keys]
        dash = re.compile(f"[ -]{{{self.column(node.start)}}}-")  # a value may begin some lines below it
        heads = []
        for value in node.values:
            line = self.line(value.start)
            while not dash.match(self.lines[line]):
                line -= 1
            heads.append(line)
        return heads

    def _lead(self, end: int, head: int, node: _Node) -> int:
        """Where the comments of the entry at ``head`` begin: those above it that stand no further inwards."""
        line, column = head, self.column(node.start)
        while line - 1 > end and self._indent(line - 1) <= column:
            line -= 1
        return line

    def _indent(self, line: int) -> int:
        """How far inwards its first sign stands; 0 where it has none."""
        text = self.lines[line].rstrip()
        return len(text) - len(text.lstrip(" "))

    def _comments(self, begin: int, stop: int, indent: int) -> list[str]:
        found = [line.strip() for line in self.lines[begin:stop]]
        if any(each and not each.startswith("#") for each in found):
            raise _OtherLayout
        return _inwards(found, indent)

    def _entry(self, entry: _Entry, annotation: Any, indent: int) -> list[str]:
        if not entry.value.is_block:
            return [*self._atom(entry, indent), *self._comments(entry.end + 1, entry.until, indent)]
        below = _below(entry.of, entry.at, annotation)
        stop = self.stop(entry.end + 1, entry.until, self.column(entry.value.start))
        sign, behind = self._sign(entry)
        inline = self._heads(entry.value)[0] == entry.head
        lines = self.block(entry.value, below, indent + _STEP, entry.head + 1, stop)
        trailing = self._comments(stop, entry.until, indent)
        if not entry.of.is_list:
            return [" " * indent + f"{sign}  {behind}".rstrip(), *lines, *trailing]
        # The first key stands beside the dash, whichever it is now, and the comments on it above them.
        above = list(takewhile(lambda line: not line.strip() or line.lstrip().startswith("#"), lines))
        first = " " * indent + "- " + lines[len(above)][indent + _STEP :]
        notes = [*([] if inline or not behind else [behind]), *(each.strip() for each in above)]
        return [*_inwards(notes, indent), first, *lines[len(above) + 1 :], *trailing]

    def _sign(self, entry: _Entry) -> tuple[str, str]:
        """The key with its colon, or the dash; and what stands behind it on its line."""
        if entry.of.is_list:
            dash = self.lines[entry.head][self.column(entry.of.start) :]
            return "-", dash.removeprefix("-").strip()
        key = entry.of.keys[entry.at]
        colon = re.compile(r"[ \t]*:(.*)").match(self.text, key.end)
        if colon is None:
            raise _OtherLayout
        return self.text[key.start : key.end] + ":", colon[1].strip()

    def _atom(self, entry: _Entry, indent: int) -> list[str]:
        """An entry whose value is a scalar or in brackets, over as many lines as it has."""
        value = entry.value
        sign, behind = self._sign(entry)
        shift = indent - self.column(entry.of.start)
        if self.line(value.start) == entry.head:
            behind = self.lines[entry.head][self.column(value.start) :]
        else:  # it begins on a later line; behind the key is a comment, or nothing
            behind, shift = f" {behind}", indent + _STEP - self.column(value.start)
        first = " " * indent + f"{sign} {behind}"
        rest = range(entry.head + 1, entry.end + 1)
        if value.style in ("|", ">"):
            return [_trimmed(first), *self._literal(rest, indent + _STEP)]
        return [_trimmed(each) for each in (first, *(self._continued(line, indent, shift) for line in rest))]

    def _continued(self, line: int, indent: int, shift: int) -> str:
        within = max(self._indent(line) + shift, indent + _STEP)
        return " " * within + self.lines[line].lstrip(" ")

    def _literal(self, rest: range, indent: int) -> list[str]:
        """The lines of a block of text: their blanks count, but for those that its first words begin with."""
        base = next(self._indent(line) for line in rest if self.lines[line].strip())  # never without a word
        return _inwards([self.lines[line][base:] for line in rest], indent)


def _inwards(lines: Iterable[str], indent: int) -> list[str]:
    return [" " * indent + each if each else "" for each in lines]


def _trimmed(line: str) -> str:
    """Without blanks at the end, unless a backslash before them makes one a part of the text."""
    shorter = line.rstrip(" \t")
    return line if shorter.endswith("\\") else shorter
