"""One file's plain data → the model of its kind, with every fault of its shape as a sentence of ours."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from dtm_sharing.model import Source
from dtm_sharing.policy.files import IS_A_PERSON, KINDS, SHOULD_BE, TEXT, LevelMark, Names, Part, Refers
from dtm_sharing.policy.problems import Problem, did_you_mean, instead, nearest, quoted
from dtm_sharing.policy.texts import EMPTY, UNREADABLE, WORD, Place, Text

Path = tuple[str | int, ...]
KEY = "[key]"  # at the end of a path: the key itself, not its value (pydantic's convention)
Mark = Names | Refers | LevelMark


@dataclass(frozen=True, slots=True)
class Document:
    """A file that has a known kind.

    ``part`` is always there, so that the checks can look for more faults: where the file has a fault of
    shape (``sound`` is False), the values that do not fit are None.
    """

    file: str
    kind: str
    part: Part
    place: Place
    data: Mapping[str, Any]
    sound: bool

    def at(self, *path: str | int) -> Source:
        return Source(self.file, *self.place.of(path))

    def problem(self, path: Path, sentence: str) -> Problem:
        if path[-1:] == (KEY,):
            return self.problem_at_key(path[:-1], sentence)
        return Problem(self.file, *self.place.of(path), sentence)

    def problem_at_key(self, path: Path, sentence: str) -> Problem:
        return Problem(self.file, *self.place.of_key(path), sentence)

    def marks(self) -> Iterator[tuple[Mark, Path, str]]:
        """Every text that names or refers to something, or is a level, whether or not the rest is sound."""
        return _marks(type(self.part), self.data)


def document(text: Text, kinds: Mapping[str, type[Part]] = KINDS) -> tuple[Document | None, list[Problem]]:
    """The document, or None where even the kind is not known; and what is wrong with its shape."""
    if not isinstance(text.data, dict):
        sentence = "this file is no mapping; write 'kind: …', 'id: …' and so on, each on its own line"
        return None, [] if text.problems else [Problem(text.file, *text.place.of(()), sentence)]
    kind = text.data.get("kind", EMPTY)
    if not isinstance(kind, str) or kind not in kinds:
        sentence = f"'kind' is missing; write one of {', '.join(kinds)}"
        if isinstance(kind, tuple | dict):
            sentence = f"'kind' must be one kind of policy file; write one of {', '.join(kinds)}"
        elif kind is not EMPTY:
            sentence = f"{quoted(kind)} is not a kind of policy file{instead(str(kind), kinds)}"
        at = text.place.of(("kind",))
        return None, [] if kind is UNREADABLE else [Problem(text.file, *at, sentence)]
    model = kinds[kind]
    try:
        part = model.model_validate(text.data)
    except ValidationError as faults:
        found = Document(text.file, kind, _salvaged(model, text.data), text.place, text.data, sound=False)
        return found, list(_problems(found, faults.errors()))
    return Document(text.file, kind, part, text.place, text.data, sound=True), []


# ----------------------------------------------------------------------------- sentences for the faults


def _problems(found: Document, faults: list[ErrorDetails]) -> Iterator[Problem]:
    """One problem per fault that is not known yet: a required key that is only misspelled is not missing."""
    misspelled = {
        (*path[:-1], nearest(str(path[-1]), _model_at(type(found.part), path[:-1]).model_fields))
        for path in (fault["loc"] for fault in faults if fault["type"] == "extra_forbidden")
    }
    for fault in faults:
        known = (
            fault["input"] is UNREADABLE
            or (fault["type"] == "missing" and fault["loc"] in misspelled)
            # pydantic does not count the items that have a fault of their own
            or (fault["type"] == "too_short" and len(fault["input"]) >= fault["ctx"]["min_length"])
        )
        if not known:
            yield _problem(found, fault)


def _problem(found: Document, fault: ErrorDetails) -> Problem:
    path: Path = fault["loc"] + tuple(fault.get("ctx", {}).get("below", ()))
    name = next(step for step in reversed(path) if isinstance(step, str))
    key = f"an item of {quoted(name)}" if isinstance(path[-1], int) else quoted(name)
    if fault["type"] == "extra_forbidden":
        model = _model_at(type(found.part), path[:-1])
        if name in model.gone:
            return found.problem_at_key(path, f"{key} is no key of {model.noun} any more: {model.gone[name]}")
        known = did_you_mean(name, model.model_fields)
        which = "this" if model.personal and not known else key
        return found.problem_at_key(path, f"{which} is not a key of {model.noun}{known}")
    if fault["type"] == "missing":
        return found.problem(path[:-1], _missing(name, _model_at(type(found.part), path[:-1])))
    personal = _personal(type(found.part), path)
    if personal and not WORD.fullmatch(name):  # nor is KEY, which stands for the key itself
        key = "this key"  # it may be somebody's name
    if fault["input"] is EMPTY:
        return found.problem_at_key(path, _empty(name, key, required=_required(found, path)))
    return found.problem(path, _sentence(fault, name, key, quote=not personal))


_BOTH_HALVES = "an assessment weighs both the risk of sharing and the risk of not sharing"


def _missing(name: str, model: type[Part]) -> str:
    if name.startswith("risk_of_"):
        return f"{quoted(name)} is missing: {_BOTH_HALVES}"
    return f"{quoted(name)} is missing from {model.noun}"


def _empty(name: str, key: str, *, required: bool) -> str:
    if name.startswith("risk_of_"):
        return f"{key} is empty: {_BOTH_HALVES}"
    return f"{key} is empty; write a value" + ("" if required else ", or leave the key out")


def _required(found: Document, path: Path) -> bool:
    model = _part(_model_at(type(found.part), path[:-1]))
    # What is no key of a model is an item, or a value of a mapping.
    return model is None or model.model_fields[str(path[-1])].is_required()


def _personal(model: type[Part], path: Path) -> bool:
    """Whether this is said of a person, or stands for a person's id: somebody's name may be written there."""
    annotation: Any = model
    for step in path:
        part = _part(plain(annotation))
        if part and part.personal:
            return True
        # A key stands for its value: where people are the values, somebody may write one as the key.
        annotation = below(annotation, step) if step != KEY else annotation
    return IS_A_PERSON in _opened(annotation)[1]


def _sentence(fault: ErrorDetails, name: str, key: str, *, quote: bool) -> str:
    """What is wrong with a value. ``tests/unit/test_policy.py`` has one bad input for each line here."""
    context, value = fault.get("ctx", {}), fault["input"]
    hidden = f"what {key} says"
    match fault["type"]:
        case "ours":
            return str(context["sentence"]).format(value=quoted(context["value"]) if quote else hidden)
        case "string_pattern_mismatch":
            if context["pattern"] == TEXT:
                return _empty(name, key, required=True)
            return SHOULD_BE[context["pattern"]].format(value=quoted(value) if quote else hidden, key=key)
        case "string_type" | "literal_error" | "date_type" | "is_instance_of":
            return f"{key} must be one text" + (
                "" if isinstance(value, tuple | dict) else "; put it in quotes"
            )
        case "tuple_type":
            return f"{key} must be a list; write [a, b], or each item on its own line after '- '"
        case "dict_type" | "model_type":
            return f"{key} must be a mapping; write its 'key: value' pairs on indented lines"
        case "bool_type" | "int_type" as kind:
            what = "a whole number" if kind == "int_type" else "true or false"
            return f"{key} must be {what}, without quotes"
        case "greater_than_equal" | "less_than_equal":
            return f"{key} must be a number from 1 to 1000"
        case "too_short":
            return f"{key} needs {_at_least(context['min_length'])}"
    return f"{key} is not what this key needs; see the JSON schema of this kind"


def _at_least(count: int) -> str:
    return "at least one item" if count == 1 else f"at least {count} items"


# ---------------------------------------------------------------------------------- walking the models


def plain(annotation: Any) -> Any:
    """The annotation without ``Annotated`` and ``| None``."""
    return _opened(annotation)[0]


def _opened(annotation: Any) -> tuple[Any, list[Any]]:
    """The annotation without ``Annotated`` and ``| None``, and what ``Annotated`` says of it."""
    said: list[Any] = []
    while get_origin(annotation) in (Annotated, Union, types.UnionType):
        annotation, *more = (each for each in get_args(annotation) if each is not type(None))
        said += more
    return annotation, said


def _part(annotation: Any) -> type[Part] | None:
    """The model that the annotation is; None where it is no model."""
    return annotation if isinstance(annotation, type) and issubclass(annotation, Part) else None


def _model_at(model: type[Part], path: Path) -> type[Part]:
    annotation: Any = model
    for step in path:
        annotation = below(annotation, step)
    found: type[Part] = plain(annotation)
    return found


def below(annotation: Any, step: str | int) -> Any:
    """The annotation of the value at this key, or at any place of a list."""
    annotation = plain(annotation)
    if model := _part(annotation):
        return _annotation(model.model_fields[str(step)])
    # a tuple[X, ...] or a dict[K, X]
    return get_args(annotation)[0 if isinstance(step, int) else 1]


def _annotation(info: FieldInfo) -> Any:
    """The annotation of a key as it was written: pydantic keeps what ``Annotated`` said apart."""
    return Annotated[info.annotation, None, *info.metadata]


def _salvaged(model: type[Part], data: Any) -> Part:
    """What fits of data that does not: each field by itself, None where it is missing or does not fit."""
    data = data if isinstance(data, dict) else {}
    values: dict[str, Any] = {}
    for name, info in model.model_fields.items():
        if name in data or info.is_required():
            values[name] = _fitting(_annotation(info), data.get(name))
        else:
            values[name] = info.default
    return model.model_construct(**values)


def _fitting(annotation: Any, value: Any) -> Any:
    bare = plain(annotation)
    if model := _part(bare):
        return _salvaged(model, value)
    of = _part(plain(get_args(bare)[0])) if get_origin(bare) is tuple else None
    if of:
        return tuple(_salvaged(of, item) for item in value) if isinstance(value, tuple) else None
    try:
        return TypeAdapter(annotation).validate_python(value, strict=True)
    except ValidationError:
        return None


# A plan says where in a model the marked texts are: by key (str), in every item (int), at every key and
# value of a mapping (None), or here.
@dataclass(frozen=True, slots=True)
class _Plan:
    here: tuple[Mark, ...]
    fields: Mapping[str, _Plan]
    items: _Plan | None
    keys: _Plan | None
    values: _Plan | None

    @property
    def empty(self) -> bool:
        return not (self.here or self.fields or self.items or self.keys or self.values)


@cache
def _plan_of(model: type[Part]) -> _Plan | None:
    return _plan(model)


def _plan(annotation: Any) -> _Plan | None:
    annotation, said = _opened(annotation)
    marks = [each for each in said if isinstance(each, Names | Refers | LevelMark)]
    items = keys = values = None
    fields: dict[str, _Plan] = {}
    if model := _part(annotation):
        for name, info in model.model_fields.items():
            if plan := _plan(_annotation(info)):
                fields[name] = plan
    elif get_origin(annotation) is tuple:
        items = _plan(get_args(annotation)[0])
    elif get_origin(annotation) is dict:
        keys, values = (_plan(each) for each in get_args(annotation))
    plan = _Plan(tuple(marks), fields, items, keys, values)
    return None if plan.empty else plan


def _marks(model: type[Part], data: Any) -> Iterator[tuple[Mark, Path, str]]:
    plan = _plan_of(model)
    return _follow(plan, data, ()) if plan else iter(())


def _follow(plan: _Plan, data: Any, path: Path) -> Iterator[tuple[Mark, Path, str]]:
    if isinstance(data, str):
        for mark in plan.here:
            yield mark, path, data
    elif isinstance(data, tuple) and plan.items:
        for position, item in enumerate(data):
            yield from _follow(plan.items, item, (*path, position))
    elif isinstance(data, dict):
        for key, value in data.items():
            if plan.keys:
                yield from _follow(plan.keys, key, (*path, key, KEY))
            below = plan.fields.get(key) or plan.values
            if below:
                yield from _follow(below, value, (*path, key))
