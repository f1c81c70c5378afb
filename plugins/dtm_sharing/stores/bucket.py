"""An S3 bucket as an object store."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from dtm_sharing.errors import StoreFailed, UsageProblem
from dtm_sharing.stores.folder import checked_key

LOOPBACK = {"127.0.0.1", "::1", "localhost"}
MULTIPART = 8 << 20  # bytes; a larger object is sent in parts of this size, and appears when all are there
CONNECT, READ, ATTEMPTS = 5, 60, 4  # seconds to connect, seconds between bytes, tries of one request

_MISSING = {"404", "NoSuchKey", "NotFound"}
_REFUSED = {
    "403",
    "AccessDenied",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "SignatureDoesNotMatch",
}


def open_bucket(parts: SplitResult) -> BucketStore:
    """The store at an ``s3://`` URL; see ``objects.open_store``. Asks the server nothing."""
    shown = without_secrets(parts)
    options = parse_qs(parts.query, keep_blank_values=True)
    if unknown := options.keys() - {"endpoint", "unsafe_plain_http"}:
        raise UsageProblem(f"{shown}: unknown option {min(unknown)!r}; known: endpoint, unsafe_plain_http")
    if not parts.netloc or "@" in parts.netloc or ":" in parts.netloc:
        raise UsageProblem(f"{shown}: write s3://bucket/prefix; credentials belong in AWS's own settings")
    endpoint = options.get("endpoint", [None])[-1]
    if endpoint is not None and not (endpoint.startswith("http://") and _is_here(endpoint)):
        raise UsageProblem(
            f"{shown}: endpoint is for a server on this machine, as http://127.0.0.1:PORT; for any other set "
            "AWS_ENDPOINT_URL_S3"
        )
    client = _client(endpoint)
    address = client.meta.endpoint_url
    plain = not address.startswith("https://") and not _is_here(address)
    if plain and options.get("unsafe_plain_http") != ["yes"]:
        raise UsageProblem(
            f"{shown}: the S3 server {_host(client)} is set to http, which is not encrypted; set "
            "AWS_ENDPOINT_URL_S3 to its https address"
        )
    folder = unquote(parts.path).strip("/")
    return BucketStore(parts.netloc, f"{checked_key(folder)}/" if folder else "", client)


def _client(endpoint: str | None) -> Any:
    """A client with bounded waiting. At AWS the bucket is part of the host's name, elsewhere of the path."""
    from boto3.session import Session
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    config = Config(
        connect_timeout=CONNECT,
        read_timeout=READ,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        signature_version="s3v4",
        # Not every server knows AWS's checksum trailers. We compare SHA-256 ourselves.
        request_checksum_calculation="when_required",
    )
    try:
        session = Session()  # not boto3's own, which keeps the credentials that it saw first
        client = session.client("s3", endpoint_url=endpoint, config=config)
        if not _host(client).endswith((".amazonaws.com", ".amazonaws.com.cn")):
            path = config.merge(Config(s3={"addressing_style": "path"}))
            client = session.client("s3", endpoint_url=endpoint, config=path)
    except (BotoCoreError, ValueError) as error:
        raise UsageProblem(
            f"The S3 settings of this process do not make sense ({type(error).__name__}): check "
            "AWS_ENDPOINT_URL_S3, AWS_REGION and AWS_PROFILE"
        ) from error
    return client


def _is_here(address: str) -> bool:
    with suppress(ValueError):  # a port that is no number
        parts = urlsplit(address)
        return parts.hostname in LOOPBACK and parts.port != 0
    return False


def without_secrets(parts: SplitResult) -> str:
    """A URL for people: without user, password and options."""
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


@dataclass(frozen=True, slots=True)
class BucketStore:
    """Objects of one S3 bucket below a prefix. Each upload is read back: some servers take anything."""

    bucket: str
    prefix: str  # "" or ends with "/"
    client: Any = field(repr=False, compare=False)  # boto3's

    def put(self, key: str, content: bytes) -> None:
        from boto3.s3.transfer import TransferConfig

        transfer = TransferConfig(multipart_threshold=MULTIPART, multipart_chunksize=MULTIPART)
        with self._failing("write", key):
            self.client.upload_fileobj(BytesIO(content), self.bucket, self._name(key), Config=transfer)
        self._verify(key, content)

    def create(self, key: str, content: bytes) -> bool:
        """As promised, but a server that ignores ``If-None-Match`` may let two succeed at the same moment."""
        from botocore.exceptions import ClientError

        if self.exists(key):
            return False
        with self._failing("write", key):
            try:
                self.client.put_object(Bucket=self.bucket, Key=self._name(key), Body=content, IfNoneMatch="*")
            except ClientError as error:
                if _code(error) == "PreconditionFailed":
                    return False
                raise
        self._verify(key, content)
        return True

    def get(self, key: str) -> bytes:
        with self._failing("read", key):
            answer = self.client.get_object(Bucket=self.bucket, Key=self._name(key))
            with closing(answer["Body"]) as body:  # its own "with" hands out what raises foreign errors
                content: bytes = body.read()
        return content

    def exists(self, key: str) -> bool:
        from botocore.exceptions import ClientError

        with self._failing("read", key):
            try:
                self.client.head_object(Bucket=self.bucket, Key=self._name(key))
            except ClientError as error:
                if _code(error) in _MISSING:
                    return False
                raise
        return True

    def list(self, prefix: str = "") -> tuple[str, ...]:
        with self._failing("list", prefix):
            pages = self.client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=self.prefix + prefix
            )
            names = [each["Key"] for page in pages for each in page.get("Contents", ())]
        return tuple(sorted(name.removeprefix(self.prefix) for name in names))

    def delete(self, key: str) -> None:
        with self._failing("delete", key):
            self.client.delete_object(Bucket=self.bucket, Key=self._name(key))

    def where(self, key: str) -> str:
        return f"s3://{self.bucket}/{self.prefix}{key}"

    def _name(self, key: str) -> str:
        return self.prefix + checked_key(key)

    def _verify(self, key: str, content: bytes) -> None:
        """Of three servers tried, none refused an upload whose SHA-256 was wrong.

        A wrong object stays: it may be the whole one of another writer.
        """
        if hashlib.sha256(self.get(key)).digest() != hashlib.sha256(content).digest():
            raise StoreFailed(
                f"{self.where(key)} came back other than it was sent: another process wrote it at the same "
                "moment, or the server damages what it stores"
            )

    @contextmanager
    def _failing(self, what: str, key: str) -> Iterator[None]:
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except ClientError as error:
            raise StoreFailed(f"Could not {what} {self.where(key)}: {self._answer(_code(error))}") from error
        except (BotoCoreError, Boto3Error) as error:
            raise StoreFailed(f"Could not {what} {self.where(key)}: {self._silence(error)}") from error

    def _answer(self, code: str) -> str:
        """What a server's error code means. Its own text is not passed on."""
        server = _host(self.client)
        if code == "NoSuchBucket":
            return f"there is no bucket {self.bucket!r} on {server}; create it or correct the URL"
        if code in _REFUSED:
            return f"{server} refused the credentials ({code}); check those of this process"
        if code in _MISSING:
            return "there is no such object"
        return f"{server} answered {code}"

    def _silence(self, error: Exception) -> str:
        """Why there was no answer at all."""
        from botocore import exceptions as boto

        server = _host(self.client)
        if isinstance(
            error, boto.NoCredentialsError | boto.PartialCredentialsError | boto.CredentialRetrievalError
        ):
            return "no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile"
        if isinstance(error, boto.SSLError):
            return f"the certificate of {server} cannot be verified; AWS_CA_BUNDLE may name its CA"
        if isinstance(error, boto.HTTPClientError | boto.ConnectionError):
            return f"{server} does not answer, or broke off; check AWS_ENDPOINT_URL_S3 and the line"
        return f"the request to {server} failed ({type(error).__name__})"


def _code(error: Any) -> str:
    return re.sub(r"\W", "", str(error.response.get("Error", {}).get("Code", ""))) or "an error"


def _host(client: Any) -> str:
    return urlsplit(str(client.meta.endpoint_url)).netloc.rpartition("@")[2]
