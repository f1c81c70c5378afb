"""The policy folder on disk. Nothing in it is silently left out, and nothing may be missing from it.

``SHA256SUMS`` at its top lists every file that is read, in the format of ``sha256sum``, below a comment that
says how many they are. A folder that was copied half is valid YAML too, and may be looser than the whole:
without this list nobody would notice, nor without the number where the list itself was cut. It is against
accidents; against malice there are the review of changes, and the digest in the ledger.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from dtm_sharing import policy
from dtm_sharing.errors import PolicyInvalid, StoreFailed, UsageProblem
from dtm_sharing.model import Policy
from dtm_sharing.policy import Problem
from dtm_sharing.stores import regular

# Not policy: the generated JSON schemas at the top, and given/expect tests at any depth.
_SCHEMAS, _TESTS = "schemas", "tests"
SEAL = "SHA256SUMS"
_SUM = re.compile(r"([0-9a-f]{64}) [ *](.+)")
_COUNT = re.compile(r"# (\d+) files", re.ASCII)  # sha256sum --check passes over lines that begin with #
# What a policy file may be; here as well, for whoever only asks for the digest does not load the models.
_KINDS = frozenset(
    (
        *("classification", "indicators", "relations", "operation", "overlay", "waiver", "dataset"),
        *("assessment", "focal_points", "request", "agreement"),
    )
)
_HEAD = 1 << 16  # bytes of a file that are looked at for its kind, which stands at the top
_KIND = re.compile(rb"(?:^ *|[{,]\s*)[\"']?kind[\"']?\s*:\s*[\"']?([a-z_]+)", re.MULTILINE)
_BACKUPS = ("~", ".bak", ".orig", ".rej", ".swp", ".swo", ".tmp")


def read_policies(folder: Path) -> Policy:
    """The policy of a sealed folder: every ``*.yaml`` below it, but ``schemas/`` and ``tests/``.

    Hidden files and editors' backups are no policy files. A file that looks like one and cannot be read as
    one is a problem: by its name (``.yml``, ``.yaml.txt``), without permission, or with a policy file's
    ``kind`` under another name or in one of these folders. So is one that the seal does not have as it is.

    Raises:
        UsageProblem: there is no such folder.
        PolicyInvalid: with every problem of every file.
    """
    files, problems = _read(folder)
    problems += _seal_problems(folder, files, problems)
    return _parsed(files, problems)


def policy_digest(folder: Path) -> str:
    """The digest of the policy that ``read_policies`` would give, without parsing: to see whether it changed.

    Raises:
        UsageProblem: there is no such folder.
        PolicyInvalid: a file cannot be read, has a name that ``read_policies`` refuses, or is not as sealed.
    """
    files, problems = _read(folder)
    problems += _seal_problems(folder, files, problems)
    if problems:
        raise PolicyInvalid(tuple(sorted(problems)))
    return policy.digest(files)


def read_files(folder: Path) -> dict[str, bytes]:
    """Name → content of every policy file, sealed or not: for those who are about to change or seal them.

    Raises:
        UsageProblem: there is no such folder.
        PolicyInvalid: a file cannot be read, or has a name that ``read_policies`` refuses.
    """
    files, problems = _read(folder)
    if problems:
        raise PolicyInvalid(tuple(sorted(problems)))
    return files


def _parsed(files: Mapping[str, bytes], problems: list[Problem]) -> Policy:
    try:
        loaded = policy.parse(files)
    except PolicyInvalid as invalid:
        # A folder whose files cannot be read at all is not also empty.
        found = [each for each in invalid.problems if isinstance(each, Problem) and (files or not problems)]
        raise PolicyInvalid(tuple(sorted({*problems, *found}))) from invalid
    if problems:
        raise PolicyInvalid(tuple(sorted(problems)))
    return loaded


# -------------------------------------------------------------------------------------------- the seal


def seal(folder: Path) -> Path:
    """Write the list of the folder's policy files as they are now, whole or not at all. Gives its path.

    Raises:
        UsageProblem: there is no such folder.
        PolicyInvalid: the policy does not load; the old list stays.
        StoreFailed: the list cannot be written; the old one stays.
    """
    files, problems = _read(folder)
    _parsed(files, problems)
    path = folder / SEAL
    try:
        _replace(path, sums(files))
    except OSError as error:
        raise StoreFailed(f"{path}: the seal cannot be written ({error.strerror})") from error
    return path


def sums(files: Mapping[str, bytes]) -> bytes:
    """What ``SHA256SUMS`` says of these files: how many, and what ``sha256sum`` prints, in order of name."""
    lines = (f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files))
    return "".join((f"# {len(files)} files\n", *lines)).encode("utf-8", "surrogateescape")


def is_sealed(folder: Path) -> bool:
    """Whether the list says of every policy file what it is, and of nothing else.

    Raises:
        UsageProblem: there is no such folder.
    """
    files, problems = _read(folder)
    return bool(files) and not problems and not _seal_problems(folder, files, problems)


def _seal_problems(folder: Path, files: Mapping[str, bytes], known: Iterable[Problem]) -> list[Problem]:
    """``known``: what is said already of files and folders that cannot be read; it is not said twice."""
    if not files and not os.access(folder / SEAL, os.F_OK):  # exists() raises where it may not look
        return []
    review = f"review the folder, then run 'dtm-sharing seal {folder}'"
    try:
        text = regular.read(folder / SEAL).decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        sentence = f"the list of this folder's files is missing, so some may be missing too; {review}"
        return [Problem(SEAL, 1, 1, sentence)]
    except OSError as error:
        return [Problem(SEAL, 1, 1, f"this file cannot be read: {error.strerror}")]
    listed, problems = _listed(text, review)
    told = {each.file for each in known}
    for name in sorted({*listed, *files}):
        if not told.isdisjoint((name, *(each.as_posix() for each in PurePosixPath(name).parents))):
            continue
        if name not in files:
            sentence = f"{name!r} is listed here and is not in the folder; copy it again, or {review}"
            problems.append(Problem(SEAL, listed[name][0], 1, sentence))
        elif name not in listed:
            problems.append(Problem(name, 1, 1, f"{SEAL} does not list this file; {review}"))
        elif hashlib.sha256(files[name]).hexdigest() != listed[name][1]:
            sentence = f"this file is not what {SEAL} says: edited since, or copied half; {review}"
            problems.append(Problem(name, 1, 1, sentence))
    return problems


def _listed(text: str, review: str) -> tuple[dict[str, tuple[int, str]], list[Problem]]:
    """Name → line and hash, of the lines that are whole; and what is wrong with the others, or the number."""
    listed: dict[str, tuple[int, str]] = {}
    problems: list[Problem] = []
    *lines, rest = text.split("\n")
    count = _COUNT.fullmatch(lines[0]) if lines else None
    for number, line in enumerate([*lines, *([rest] if rest else [])], start=1):
        if count and number == 1:
            continue
        found = _SUM.fullmatch(line)
        if found is None or number > len(lines):
            sentence = f"this line is cut off, or is none of sha256sum's; {review}"
            problems.append(Problem(SEAL, number, 1, sentence))
        elif found[2] in listed:
            sentence = f"{found[2]!r} is listed twice; {review}"
            problems.append(Problem(SEAL, number, 1, sentence))
        else:
            listed[found[2]] = number, found[1]
    if not problems and (count is None or int(count[1]) != len(listed)):
        says = (
            f"says {count[1]} files and lists {len(listed)}"
            if count
            else "does not say how many files it has"
        )
        problems.append(Problem(SEAL, 1, 1, f"this list {says}, so some may be missing; {review}"))
    return listed, problems


def _replace(path: Path, content: bytes) -> None:
    """Synced before it takes the old one's place: after a power cut there is one or the other."""
    handle, name = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(handle, 0o644)
            file.write(content)
            file.flush()
            os.fsync(handle)
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)


# --------------------------------------------------------------------------------------------- reading


def _read(folder: Path) -> tuple[dict[str, bytes], list[Problem]]:
    if not folder.is_dir():
        raise UsageProblem(
            f"there is no policy folder {folder}; name the folder that holds classification.yaml"
        )
    files: dict[str, bytes] = {}
    problems: list[Problem] = []
    for name, path in _walk(folder, problems):
        is_file = path.is_file()
        aside = _aside(name)
        sentence = _why_not(name, is_file=is_file) if not aside else None
        if sentence is None and is_file and (aside or not name.endswith(".yaml")):
            sentence = _unread(path, aside)
        if sentence:
            problems.append(Problem(name, 1, 1, sentence))
        # A misnamed file is read all the same, so that what it names is not called missing as well.
        if is_file and not aside and name.lower().endswith((".yaml", ".yml")):
            try:
                files[name] = regular.read(path)
            except OSError as error:
                problems.append(Problem(name, 1, 1, f"this file cannot be read: {error.strerror}"))
    return files, problems


def _aside(name: str) -> str | None:
    """The folder without policy files in which a file lies, if it does."""
    *folders, _ = name.split("/")
    return _TESTS if _TESTS in folders else _SCHEMAS if folders[:1] == [_SCHEMAS] else None


def _unread(path: Path, aside: str | None) -> str | None:
    """Why a file that is not read is a problem: it holds a policy file, and nobody would miss it."""
    try:
        head = regular.read(path, _HEAD)
    except OSError:
        return None  # by its name it is none
    found = _KIND.search(head) if _seems_yaml(head) else None
    kind = found[1].decode() if found else None
    if kind not in _KINDS:
        return None
    if aside:
        return f"here no policy file can be read, and this is one of kind '{kind}'; move it out of {aside}"
    return (
        f"a policy file's name ends in .yaml, and this is one of kind '{kind}'; rename this file, or begin "
        "its name with a dot"
    )


def _seems_yaml(head: bytes) -> bool:
    """Whether it begins with a key, as YAML or JSON do, and not as a page that only shows a policy file."""
    lines = (each.strip() for each in head.removeprefix(b"\xef\xbb\xbf").splitlines())
    first = next((each for each in lines if each and not each.startswith((b"#", b"---", b"%"))), b"")
    return first[:1] in b"{\"'" or (first[:1].islower() and b":" in first)


def _walk(folder: Path, problems: list[Problem]) -> Iterator[tuple[str, Path]]:
    """Every file but hidden ones and backups, with its name relative to the folder, in order of name."""

    def unreadable(error: OSError) -> None:
        name = Path(error.filename).relative_to(folder).as_posix()
        problems.append(Problem(name, 1, 1, f"this folder cannot be read: {error.strerror}"))

    for where, folders, names in os.walk(folder, onerror=unreadable):
        here = Path(where)
        within = "" if here == folder else f"{here.relative_to(folder).as_posix()}/"
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        for each in folders:
            if (here / each).is_symlink() and not _aside(f"{within}{each}/"):
                sentence = "this folder is a link, which is not followed; put its files here"
                problems.append(Problem(f"{within}{each}", 1, 1, sentence))
        for each in sorted(names):
            if not each.startswith((".", "#")) and not each.lower().endswith(_BACKUPS):
                yield f"{within}{each}", here / each


def _why_not(name: str, *, is_file: bool) -> str | None:
    """Why a file that seems to be a policy file is not one; None if it is one, or does not seem to be."""
    last = name.rpartition("/")[2].lower()
    if ".yaml" not in last and ".yml" not in last:
        return None
    if not name.endswith(".yaml"):
        return "a policy file's name ends in .yaml; rename this file, or begin its name with a dot"
    if not is_file:
        return "this is not a file that can be read; remove it or mend the link"
    if not name.isprintable() or "\\" in name:
        return "a policy file's name is plain text without a backslash; rename this file"
    return None
