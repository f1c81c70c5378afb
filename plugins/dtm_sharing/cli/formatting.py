"""``fmt``: policy files in their canonical form."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dtm_sharing.cli.options import settings, type_path
from dtm_sharing.cli.policy_files import WOULD_CHANGE, plain_lines
from dtm_sharing.cli.reports import located
from dtm_sharing.cli.terminal import emit, plain, replace_file
from dtm_sharing.errors import PolicyInvalid, UsageProblem

if TYPE_CHECKING:
    from ruamel.yaml.nodes import Node

_HEADINGS = 2  # lines with which a unified diff begins
_PEOPLE, _PERSONAL = "focal_points", {"name", "email", "mobile"}
_HIDDEN = "…"
_WORDS = re.compile(r"\S(?:.*\S)?")  # of one line, without the blanks around them
_COMMENT = re.compile(r"(?:(?<=\s)|^)#(?! yaml-language-server:).*", re.MULTILINE)
TESTS = "tests"  # folders whose files are given/expect cases


@click.command(
    short_help="Write policy files in their canonical form.",
    epilog="\b\nExample:\n  dtm-sharing fmt policies --check",
)
@click.argument("places", metavar="[DIR|FILE]...", nargs=-1, type=type_path)
@click.option("--check", is_flag=True, help="Write nothing; exit code 1 and a list if a file would change.")
@click.option(
    "--diff",
    is_flag=True,
    help="Write nothing; print what would change, as a unified diff, with … for what is personal.",
)
def fmt(places: tuple[Path, ...], *, check: bool, diff: bool) -> int:
    """Write policy files, and the given/expect files beside them, in their canonical form.

    Comments stay, and so does the meaning. A folder that was sealed as it was is sealed again; one that was
    not stays unsealed. Without DIR: the folder of DTM_SHARING_POLICIES.
    """
    changes = _changes(places or (settings().policies,))
    if not changes:
        emit("All policy files are in canonical form.")
        return 0
    if diff:
        emit(plain_lines("\n".join(line for each in changes.items() for line in _difference(*each))))
        return WOULD_CHANGE
    if not check:
        _rewrite(changes)
    emit("\n".join(plain(f"{'would change' if check else 'changed'}  {path}") for path in changes))
    return WOULD_CHANGE if check else 0


def _changes(places: Iterable[Path]) -> dict[Path, tuple[bytes, bytes]]:
    """Path → content now, and in canonical form, of the files that are not in it.

    Raises:
        PolicyInvalid: files have faults of their own; all of them are told, and none is changed.
    """
    from dtm_sharing import policy
    from dtm_sharing.policy import expected

    changes: dict[Path, tuple[bytes, bytes]] = {}
    problems: list[object] = []
    for folder, name, content in _files(places):
        tidy = expected.tidy if TESTS in Path(name).parts else policy.tidy
        try:
            tidied = tidy(name, content)
        except PolicyInvalid as invalid:
            problems += invalid.problems
            continue
        if tidied != content:
            changes[Path(located(folder, name))] = content, tidied
    if problems:
        raise PolicyInvalid(tuple(problems))
    return changes


def _files(places: Iterable[Path]) -> Iterator[tuple[Path, str, bytes]]:
    """Policy folder, name within it, and content of every file that the places name or hold."""
    from dtm_sharing.stores.policies import read_files
    from dtm_sharing.stores.policy_tests import read_tests

    for place in places:
        if not place.exists():
            raise UsageProblem(f"There is no file or folder {place}.")
        folder = _policy_folder(place)
        found = {**read_files(folder), **read_tests(folder)}
        within = Path(os.path.relpath(place, folder))
        named = [each for each in found if Path(each).is_relative_to(within)]
        if not named and place.is_file():
            raise UsageProblem(f"{place} is no policy file: its name ends in .yaml, outside of schemas/.")
        yield from ((folder, name, found[name]) for name in named)


def _policy_folder(place: Path) -> Path:
    """The folder at or above the place that holds a whole policy: it has a seal, or Table A.

    Raises:
        UsageProblem: there is none.
    """
    from dtm_sharing.stores.policies import SEAL

    whole = place.absolute()
    for folder in (whole, *whole.parents) if place.is_dir() else whole.parents:
        if (folder / SEAL).is_file() or (folder / "classification.yaml").is_file():
            return folder
    raise UsageProblem(
        f"{place} lies in no policy folder: none above it has a {SEAL} or classification.yaml."
    )


def _difference(path: Path, contents: tuple[bytes, bytes]) -> Iterator[str]:
    texts = [each.decode("utf-8") for each in contents]
    before, after = (each.splitlines() for each in texts)
    shown = _shown(texts)
    for number, line in enumerate(difflib.unified_diff(before, after, f"a/{path}", f"b/{path}", lineterm="")):
        heading = number < _HEADINGS or line.startswith("@@")
        yield line if heading else line[0] + shown.get(line[1:], line[1:])


def _shown(texts: Iterable[str]) -> dict[str, str]:
    """How each line of a focal_points file is shown; one that stands there twice as what says less.

    A diff goes into the logs of whatever checks the files, and names and telephones go into no log.
    """
    lines: dict[str, str] = {}
    for text in texts:
        for line, masked in zip(text.splitlines(), _masked(text).splitlines(), strict=True):
            lines[line] = masked if lines.get(line, masked) == masked else _HIDDEN
    return lines


def _masked(text: str) -> str:
    """A policy file's text; of one that names people without their names, telephones and all comments."""
    from ruamel.yaml import YAML

    root = YAML(typ="safe", pure=True).compose(text)
    entries = {key.value: value for key, value in root.value}
    if entries["kind"].value != _PEOPLE:
        return text
    people = [pair for person in entries["people"].value for pair in person.value]
    hidden = [_span(value) for key, value in people if key.value in _PERSONAL]
    written = [_span(each) for pair in (*root.value, *people) for each in pair if each.id == "scalar"]
    hidden += [each.span() for each in _COMMENT.finditer(text) if not _within(each.start(), written)]
    for start, end in sorted(hidden, reverse=True):
        lines = text[start:end].splitlines(keepends=True)
        text = text[:start] + "".join(_WORDS.sub(_HIDDEN, each) for each in lines) + text[end:]
    return text


def _span(node: Node) -> tuple[int, int]:
    return node.start_mark.index, node.end_mark.index


def _within(place: int, spans: Iterable[tuple[int, int]]) -> bool:
    return any(start <= place < end for start, end in spans)


def _rewrite(changes: Mapping[Path, tuple[bytes, bytes]]) -> None:
    from dtm_sharing.stores.policies import is_sealed, read_policies, seal

    folders = sorted({_policy_folder(path) for path in changes})
    sealed = [folder for folder in folders if is_sealed(folder)]
    for folder in sealed:
        read_policies(folder)  # what does not load could not be sealed again afterwards
    for path, (_, tidied) in changes.items():
        replace_file(path.resolve(), tidied.decode("utf-8"), "policy file")
    for folder in sealed:
        seal(folder)
