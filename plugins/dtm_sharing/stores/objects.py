"""Object stores: a folder or an S3 bucket, chosen by URL alone. An object is there whole or not at all.

| URL | store |
|---|---|
| a path, ``file:///srv/dtm/restricted`` | a folder |
| ``s3://bucket/prefix`` | S3; server and credentials from AWS's own settings, e.g. ``AWS_ENDPOINT_URL_S3`` |
| ``s3://bucket/prefix?endpoint=http://127.0.0.1:8333`` | an S3 server on this machine |

What crosses a network is encrypted and the server's certificate is verified; ``AWS_CA_BUNDLE`` names a CA of
one's own. On a network that nobody else can read, such as that of one compose file, add
``unsafe_plain_http=yes`` to the URL.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from dtm_sharing.errors import UsageProblem
from dtm_sharing.stores.bucket import open_bucket, without_secrets
from dtm_sharing.stores.folder import FolderStore


class ObjectStore(Protocol):
    """Bytes under keys such as ``npl/site-assessment/17/table.parquet``: relative, "/" between segments.

    Every method raises ``StoreFailed`` where the store does not do what is asked, and for a key that is not
    of this form.
    """

    def put(self, key: str, content: bytes) -> None:
        """Store an object in place of any earlier one; readers see the old one or the new one."""

    def create(self, key: str, content: bytes) -> bool:
        """Store an object if there is none; False, and nothing changed, if there is one."""

    def get(self, key: str) -> bytes: ...

    def exists(self, key: str) -> bool: ...

    def list(self, prefix: str = "") -> tuple[str, ...]:
        """The keys that begin with these characters, sorted."""

    def delete(self, key: str) -> None:
        """Remove an object. That it is not there is no error."""

    def where(self, key: str) -> str:
        """The path or URL of an object, for people."""


def open_store(url: str, *, restricted: bool = True) -> ObjectStore:
    """The store at a URL. Nothing is created or asked before its first use.

    Args:
        url: see the table at the top.
        restricted: a folder and its files are for their owner only (0700, 0600); else all may read.

    Raises:
        UsageProblem: the URL is not one of a store.
    """
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise UsageProblem("The URL of a store is malformed: write a folder or s3://bucket/prefix") from error
    if parts.scheme == "s3":
        return open_bucket(parts)
    if parts.scheme == "file" and parts.netloc in {"", "localhost"} and parts.path.strip("/"):
        return FolderStore(Path(unquote(parts.path)), restricted=restricted)
    if not url.strip() or "://" in url or parts.scheme == "file":
        raise UsageProblem(
            f"{without_secrets(parts)!r} is no store: write a folder, file:///folder or s3://bucket/prefix"
        )
    return FolderStore(Path(url).expanduser().absolute(), restricted=restricted)
