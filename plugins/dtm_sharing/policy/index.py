"""What the files of a folder name, and whether every reference leads somewhere."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, KeysView, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from dtm_sharing.model import Grain, Level, Source
from dtm_sharing.policy.files import (
    AgreementFile,
    AssessmentFile,
    ClassificationFile,
    DatasetFile,
    FocalPointsFile,
    IndicatorPart,
    IndicatorsFile,
    LevelMark,
    Names,
    OperationFile,
    OverlayFile,
    Part,
    PersonPart,
    Refers,
    RelationPart,
    RelationsFile,
    RequestFile,
    WaiverFile,
)
from dtm_sharing.policy.problems import Problem, did_you_mean, quoted
from dtm_sharing.policy.shape import Document
from dtm_sharing.policy.words import OURS, Words

_Made = TypeVar("_Made")


@dataclass(frozen=True, slots=True)
class Index:
    """What the files name, by id. Of two with the same id, the first."""

    words: Words
    names: dict[str, dict[str, Source]] = field(default_factory=dict)
    levels: dict[str, dict[Grain, Level | None]] = field(
        default_factory=dict
    )  # None: a word that is no level
    operations: dict[str, OperationFile] = field(default_factory=dict)
    datasets: dict[str, DatasetFile] = field(default_factory=dict)
    people: dict[str, tuple[str, PersonPart]] = field(default_factory=dict)  # organization, person
    tables_c: list[tuple[Document, FocalPointsFile]] = field(default_factory=list)  # all, in order of file
    requests: dict[str, RequestFile] = field(default_factory=dict)
    overlays: dict[str, tuple[Document, OverlayFile]] = field(default_factory=dict)
    assessments: dict[str, AssessmentFile] = field(default_factory=dict)
    relations: dict[str, tuple[Source, RelationPart]] = field(default_factory=dict)
    waivers: dict[str, tuple[Document, WaiverFile]] = field(default_factory=dict)
    agreements: dict[str, tuple[Document, AgreementFile]] = field(default_factory=dict)
    whole: bool = True  # False: a file that could not be read, or has faults, may name a rule
    whole_operations: bool = True  # False: the same of operations
    kept: dict[Callable[[Index], Any], Any] = field(default_factory=dict)  # see once()

    @property
    def organizations(self) -> KeysView[str]:
        return self.names.get("organization", {}).keys()

    def once(self, make: Callable[[Index], _Made]) -> _Made:
        """What ``make`` finds in the whole folder, found once for the checks of all documents."""
        if make not in self.kept:
            self.kept[make] = make(self)
        made: _Made = self.kept[make]
        return made

    def is_stranger(self, person: str, organization: str | None) -> bool:
        """Whether this focal point is another organization's; False where either does not exist."""
        home, _ = self.people.get(person, (None, None))
        return len(self.organizations & {home, organization}) > 1


def index(documents: Iterable[Document], unread: Mapping[str, bytes]) -> tuple[Index, list[Problem]]:
    """What the documents name; ids that are used twice, references to nothing, and levels that are none.

    ``documents`` are in order of file. ``unread`` are the files that could not be understood: what they may
    name is not called missing.
    """
    documents = tuple(documents)
    sound = not unread and all(each.sound for each in documents if each.kind in _WITH_RULES)
    placed = not unread and all(each.sound for each in documents if each.kind == "operation")
    found = Index(_words(documents), whole=sound, whole_operations=placed)
    problems = [*_one_classification(documents, unread), *_names(documents, found)]
    for document in documents:
        _enter(document.part, document, found)
    problems += _references(documents, found, _ids_in(unread))
    return found, problems


_WITH_RULES = ("indicators", "relations", "overlay", "assessment")


def _words(documents: Iterable[Document]) -> Words:
    """The words that the classification gives to the levels."""
    schemes: dict[str, dict[str, Level]] = {}
    tables = [each for each in documents if isinstance(each.part, ClassificationFile)]
    for document in tables:
        assert isinstance(document.part, ClassificationFile)
        for row in document.part.levels or ():
            for scheme, words in (row.aliases or {}).items():
                schemes.setdefault(scheme, {}).update({word: OURS[row.level] for word in words if row.level})
    return Words(schemes, known=bool(tables) and all(each.sound for each in tables))


def _enter(part: Part, document: Document, index: Index) -> None:
    """Two with the same id are a problem by themselves; the first is what the checks look at.

    An id that has a fault is None, which nothing refers to.
    """
    match part:
        case IndicatorsFile():
            for position, each in enumerate(part.indicators or ()):
                levels = _levels(part, each, document.data["indicators"][position])
                if levels is not None:
                    _keep(index.levels, each.id, index.words.levels(levels))
        case FocalPointsFile():
            index.tables_c.append((document, part))
            for person in part.people or ():
                _keep(index.people, person.id, (part.id, person))
        case RelationsFile():
            for position, relation in enumerate(part.relations or ()):
                _keep(index.relations, relation.id, (document.at("relations", position), relation))
        case OverlayFile() | WaiverFile() | AgreementFile():
            _keep(getattr(index, f"{document.kind}s"), part.id, (document, part))
        case OperationFile() | DatasetFile() | RequestFile() | AssessmentFile():
            _keep(getattr(index, f"{document.kind}s"), part.id, part)


def _keep(kept: dict[str, _Made], id_: str | None, value: _Made) -> None:
    if id_ is not None:
        kept.setdefault(id_, value)


def _levels(family: IndicatorsFile, each: IndicatorPart, raw: object) -> Mapping[Grain, str] | None:
    """Its own levels, else the family's; None where its own have a fault, and so cannot be known."""
    own = isinstance(raw, dict) and "levels" in raw
    return each.levels if own else family.levels


def _names(documents: Iterable[Document], index: Index) -> Iterator[Problem]:
    """Register every id; two of a kind are a problem that names both places."""
    for document in documents:
        for mark, path, name in document.marks():
            if not isinstance(mark, Names):
                continue
            known = index.names.setdefault(mark.kind, {})
            if name in known:
                yield document.problem(
                    path, f"the {mark.kind} id {quoted(name)} is used twice; the first is in {known[name]}"
                )
            known.setdefault(name, document.at(*path))


def _ids_in(unread: Mapping[str, bytes]) -> frozenset[str]:
    pattern = re.compile(rb"\bid:\s*['\"]?([a-z0-9/-]+)")
    return frozenset(each.decode() for content in unread.values() for each in pattern.findall(content))


def _references(documents: Iterable[Document], index: Index, perhaps: frozenset[str]) -> Iterator[Problem]:
    """Every reference leads somewhere, and every level is a level."""
    sentences: dict[tuple[str, str], str] = {}  # the same id may be missed a thousand times
    for document in documents:
        for mark, path, word in document.marks():
            if isinstance(mark, LevelMark):
                level = index.words.level(word)
                if isinstance(level, str):
                    yield document.problem(path, level)
            elif isinstance(mark, Refers):
                known = index.names.get(mark.kind, {})
                if word in known or word in perhaps:
                    continue
                if (mark.kind, word) not in sentences:
                    hint = did_you_mean(word, known)
                    sentences[mark.kind, word] = f"there is no {mark.kind} {quoted(word)}{hint}"
                yield document.problem(path, sentences[mark.kind, word])


def _one_classification(documents: Iterable[Document], unread: Mapping[str, bytes]) -> Iterator[Problem]:
    tables = [each for each in documents if each.kind == "classification"]
    for each in tables[1:]:
        sentence = f"a folder has one classification; the first is in {tables[0].at('kind')}"
        yield each.problem(("kind",), sentence)
    if not tables and not any(
        re.search(rb"^kind:\s*classif", text, re.MULTILINE) for text in unread.values()
    ):
        sentence = "no file has 'kind: classification'; write Table A, with its three levels, here"
        yield Problem("classification.yaml", 1, 1, sentence)
