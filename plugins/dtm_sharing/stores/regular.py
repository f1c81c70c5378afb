"""Reading a file that somebody named, or that lies in a folder, and nothing else than a file.

A pipe or a device under a file's name is never waited for: nobody may ever write into it.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path


def read(path: Path, most: int | None = None) -> bytes:
    """The content of a regular file, or its first ``most`` bytes.

    Raises:
        OSError: it is not there, may not be read, or is a folder, a pipe, a socket or a device.
    """
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is a pipe or a device, not a file", str(path))
    with path.open("rb") as file:
        return file.read() if most is None else file.read(most)
