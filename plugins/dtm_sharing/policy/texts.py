"""YAML text → plain data, with the line and column of every key and value. Knows nothing of policy.

It reads the events of ruamel.yaml's parser and resolves scalars itself, by the core schema of YAML 1.2
with one difference: nothing at all after a key is ``EMPTY``, never None, so that a value which somebody
forgot cannot pass for an optional one that was left out.

Refused, because each makes a file mean something else than it seems to say: duplicate keys, a second
document, tags, directives, and aliases (which are also how a small file becomes a huge one).
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import (
    AliasEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)
from ruamel.yaml.reader import ReaderError

from dtm_sharing.policy.problems import Problem, quoted

_DEEPEST = 20  # our files nest six levels; what goes deeper is a mistake or an attack


class _Empty:
    """A key with nothing after it, or an explicit null."""

    def __repr__(self) -> str:
        return "nothing"


EMPTY = _Empty()
UNREADABLE = _Empty()  # a value that has a problem of its own already

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NO_NUMBER = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
WORD = re.compile(r"[a-z0-9_]+")  # as our keys are; another key may be somebody's name
_DIRECTIVE = re.compile(r"(?<![^\r\n])%")  # before a document; only comments stand there otherwise


@dataclass(slots=True)
class Place:
    """Where a value stands, where its keys stand, and the places of what is in it."""

    line: int
    column: int
    keys: dict[str, tuple[int, int]] = field(default_factory=dict)
    parts: dict[str | int, Place] = field(default_factory=dict)

    def of(self, path: tuple[str | int, ...]) -> tuple[int, int]:
        """Line and column of the value at ``path``, or of the deepest value on the way that exists."""
        place = self
        for step in path:
            if step not in place.parts:
                break
            place = place.parts[step]
        return place.line, place.column

    def of_key(self, path: tuple[str | int, ...]) -> tuple[int, int]:
        """Line and column of the key that ends ``path``; of the value where that is no key."""
        place = self
        for step in path[:-1]:
            place = place.parts.get(step, place)
        return place.keys.get(str(path[-1]), self.of(path)) if path else self.of(path)


@dataclass(frozen=True, slots=True)
class Text:
    """One file as read: mappings are dicts, sequences tuples. ``data`` is EMPTY where it is not YAML."""

    file: str
    data: Any
    place: Place
    problems: tuple[Problem, ...]


def read(file: str, content: bytes) -> Text:
    """Plain data and places of one file; never raises, whatever the bytes."""
    reader = _Reader(file)
    data: Any = EMPTY
    place = Place(1, 1)
    try:
        data, place = reader.document(_decoded(content))
    except _NotYaml as fault:
        reader.report(fault.line, fault.column, fault.sentence)
    return Text(file, data, place, tuple(reader.problems))


class _NotYaml(Exception):
    """The file cannot be read further than here."""

    def __init__(self, line: int, column: int, sentence: str) -> None:
        self.line, self.column, self.sentence = line, column, sentence


def _decoded(content: bytes) -> str:
    content = content.removeprefix(codecs.BOM_UTF8)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        before = content[: error.start].decode()
        raise _NotYaml(*_end_of(before), "this is not UTF-8 text; save the file as UTF-8") from error


def _end_of(text: str) -> tuple[int, int]:
    """Line and column of the character that follows ``text``."""
    return text.count("\n") + 1, len(text) - text.rfind("\n")


def events(text: str) -> Iterator[Event]:
    """The parser's events; whatever goes wrong in it is _NotYaml with a position."""
    try:
        yield from YAML(typ="safe", pure=True).parse(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        if "could not find expected ':'" in str(error.problem):
            mark = error.context_mark  # the key, not the line after it
        sentence = _plainly(str(error.problem), text[mark.index :])
        raise _NotYaml(mark.line + 1, mark.column + 1, sentence) from error
    except ReaderError as error:
        sentence = "a character stands here that cannot be printed; remove it"
        raise _NotYaml(*_end_of(text[: error.position]), sentence) from error
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # ruamel.yaml lets these out on some broken texts (e.g. '"\UFFFFFFFF"'), without a position.
        raise _NotYaml(1, 1, "this is not YAML; look for a quote or bracket that is not closed") from error


_PLAINLY = (  # what ruamel.yaml says -> what we say
    (
        "mapping values are not allowed",
        "a ':' cannot stand here; put a text that holds ': ' in quotes, or mend the indentation",
    ),
    ("could not find expected ':'", "a ':' is missing after this key"),
    ("found undefined tag handle", "tags ('!…') are not used in policy files; remove it"),
    ("that cannot start any token", "a value cannot begin with this character; put it in quotes"),
    ("found unexpected end of stream", "a quote is opened and never closed"),
    ("found unexpected document separator", "a quote is opened and not closed before '---'"),
    ("unknown escape character", "a backslash in double quotes begins no known escape; use single quotes"),
    ("expected ',' or ']'", "a ',' or ']' is missing in this list"),
    ("expected ',' or '}'", "a ',' or '}' is missing in this mapping"),
    (
        "expected <block end>",
        "this does not fit what stands before it; look for a wrong indentation or quote",
    ),
    ("sequence entries are not allowed", "a '-' cannot stand here; begin the list on its own line"),
)


def _plainly(problem: str, here: str) -> str:
    """Our sentence for a problem of ruamel.yaml's; ``here`` is the text from where it stands."""
    if here.startswith("\t"):
        return "a tab stands here; indent with spaces"
    for theirs, ours in _PLAINLY:
        if theirs in problem:
            return ours
    return "this is not YAML; look for a quote, bracket or indentation that is not right"


class _Reader:
    """One pass over the events of one file."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.events: Iterator[Event] = iter(())

    def report(self, line: int, column: int, sentence: str) -> None:
        self.problems.append(Problem(self.file, line, column, sentence))

    def document(self, text: str) -> tuple[Any, Place]:
        self.events = events(text)
        next(self.events)  # the start of the stream
        start = next(self.events)
        if isinstance(start, StreamEndEvent):
            raise _NotYaml(1, 1, "this file is empty; remove it or write a policy in it")
        if directive := _DIRECTIVE.search(text, 0, start.start_mark.index):
            sentence = "directives ('%…') are not used in policy files; remove the line"
            raise _NotYaml(*_end_of(text[: directive.start()]), sentence)
        data, place = self.value(next(self.events), 0)
        next(self.events)  # the end of the document
        after = next(self.events)
        if not isinstance(after, StreamEndEvent):
            self.report(*_at(after), "a second document begins here; write one policy per file")
        return data, place

    def value(self, event: Event, depth: int) -> tuple[Any, Place]:
        line, column = _at(event)
        if depth > _DEEPEST:
            raise _NotYaml(line, column, "this is nested too deeply for a policy file")
        if isinstance(event, AliasEvent):
            self.report(line, column, "aliases ('*…') are not used here; write the value out")
            return UNREADABLE, Place(line, column)
        assert isinstance(event, ScalarEvent | SequenceStartEvent | MappingStartEvent)
        if event.ctag is not None:
            self.report(line, column, "tags ('!…') are not used in policy files; remove it")
        if isinstance(event, ScalarEvent):
            return _scalar(event), Place(line, column)
        if isinstance(event, SequenceStartEvent):
            return self.sequence(Place(line, column), depth)
        return self.mapping(Place(line, column), depth)

    def sequence(self, place: Place, depth: int) -> tuple[tuple[Any, ...], Place]:
        items: list[Any] = []
        while not isinstance(event := next(self.events), SequenceEndEvent):
            item, place.parts[len(items)] = self.value(event, depth + 1)
            items.append(item)
        return tuple(items), place

    def mapping(self, place: Place, depth: int) -> tuple[dict[str, Any], Place]:
        data: dict[str, Any] = {}
        while not isinstance(event := next(self.events), MappingEndEvent):
            line, column = _at(event)
            key = event.value if isinstance(event, ScalarEvent) else None
            if key is None:
                self.value(event, depth + 1)
                self.report(line, column, "a key must be one plain word")
            value, at = self.value(next(self.events), depth + 1)
            if key in place.keys:
                which = f"the key {quoted(key)}" if WORD.fullmatch(key) else "this key"
                self.report(line, column, f"{which} stands twice; the first is on line {place.keys[key][0]}")
            elif key is not None:
                data[key], place.keys[key], place.parts[key] = value, (line, column), at
        return data, place


def _at(event: Event) -> tuple[int, int]:
    return event.start_mark.line + 1, event.start_mark.column + 1


def is_text(plain: str) -> bool:
    """Whether these signs, without quotes, are read as the text that they are."""
    return isinstance(_resolved(plain), str)


def _scalar(event: ScalarEvent) -> Any:
    text: str = event.value
    return _resolved(text) if event.implicit[0] else text  # else quoted, or a block: always text


def _resolved(text: str) -> Any:
    if text in _NULL:
        return EMPTY
    if text in _BOOL:
        return _BOOL[text]
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return float(text.replace(".", "")) if _NO_NUMBER.fullmatch(text) else text
