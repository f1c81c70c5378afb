"""A folder as an object store, and the rule for the keys of every object store."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dtm_sharing.errors import StoreFailed

PART = ".part-"  # begins the name of a file that is being written; no key may have it
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def checked_key(key: str) -> str:
    """The key itself, if it cannot name anything outside the store, nor a file that is being written."""
    segments = key.split("/")
    wrong = any(each in {"", ".", ".."} or each.startswith(PART) for each in segments)
    if wrong or "\\" in key or not key.isprintable():
        raise StoreFailed(
            f"{key!r} cannot be the key of an object: it is relative, without '..' or empty parts"
        )
    return key


@dataclass(frozen=True, slots=True)
class FolderStore:
    """Files below a folder, written beside their place, synced, and moved into it."""

    root: Path
    restricted: bool = True

    def put(self, key: str, content: bytes) -> None:
        with self._failing("write", key), self._written(key, content) as (part, path):
            part.replace(path)

    def create(self, key: str, content: bytes) -> bool:
        with self._failing("write", key), self._written(key, content) as (part, path):
            try:
                path.hardlink_to(part)
            except FileExistsError:
                return False
        return True

    def get(self, key: str) -> bytes:
        with self._failing("read", key):
            return self._path(key).read_bytes()

    def exists(self, key: str) -> bool:
        with self._failing("read", key):
            return self._path(key).is_file()

    def list(self, prefix: str = "") -> tuple[str, ...]:
        with self._failing("list", prefix):
            return tuple(sorted(key for key in self._keys() if key.startswith(prefix)))

    def delete(self, key: str) -> None:
        with self._failing("delete", key):
            self._path(key).unlink(missing_ok=True)

    def where(self, key: str) -> str:
        return str(self.root / key)

    def _keys(self) -> Iterator[str]:
        def fail(error: OSError) -> None:
            if not isinstance(error, FileNotFoundError):  # a store that was never written to is empty
                raise error

        for folder, _, names in os.walk(self.root, onerror=fail):
            for name in names:
                path = Path(folder, name)
                if not name.startswith(PART) and not path.is_symlink():
                    yield path.relative_to(self.root).as_posix()

    def _path(self, key: str) -> Path:
        path = self.root / checked_key(key)
        if not path.resolve().is_relative_to(self.root.resolve()):
            raise StoreFailed(
                f"{self.where(key)} leads out of the store through a symbolic link: remove the link"
            )
        return path

    @contextmanager
    def _written(self, key: str, content: bytes) -> Iterator[tuple[Path, Path]]:
        """A synced file with the content, beside its place. It is gone afterwards, whatever happens."""
        path = self._path(key)
        self._make_folder(path.parent)
        handle, name = tempfile.mkstemp(prefix=PART, dir=path.parent)
        part = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                os.fchmod(handle, 0o600 if self.restricted else 0o644)
                file.write(content)
                file.flush()
                os.fsync(handle)
            yield part, path
            _sync_folder(path.parent)
        finally:
            part.unlink(missing_ok=True)

    def _make_folder(self, folder: Path) -> None:
        missing = [each for each in (folder, *folder.parents) if not each.exists()]
        for each in reversed(missing):
            each.mkdir(exist_ok=True)
            if each.is_relative_to(self.root):
                each.chmod(0o700 if self.restricted else 0o755)
            _sync_folder(each.parent)

    @contextmanager
    def _failing(self, what: str, key: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise StoreFailed(f"There is no {self.where(key)}") from error
        except OSError as error:
            why = error.strerror or type(error).__name__
            if error.errno in _FULL:
                why = "disk full; free space there and try again"
            raise StoreFailed(f"Could not {what} {self.where(key)}: {why}") from error


def _sync_folder(folder: Path) -> None:
    """A new name is only safe from a power cut when its folder is on the disk too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
