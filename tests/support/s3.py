"""Two real S3 servers as processes, each used for what it is right about.

``rclone serve s3`` checks signatures, but ignores ``If-None-Match``. ``moto_server`` honours conditional
writes, but accepts any signature. Both choose a free port of this machine themselves.

    with serve_rclone(folder) as server:        # a bucket is a folder
        server.login(monkeypatch)
        store = open_store(server.url("bucket", "prefix"))
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest

ACCESS_KEY, SECRET_KEY = "made-up-access-key", "made-up-secret-key"
STARTUP = 60  # seconds after which a server that says nothing is ended

ISOLATED = {  # no credentials but ours, and no question to a cloud's metadata service
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_REGION": "us-east-1",
}


@dataclass(frozen=True)
class Server:
    endpoint: str  # http://127.0.0.1:PORT, or https

    def url(self, bucket: str, prefix: str = "") -> str:
        return f"s3://{bucket}/{prefix}?endpoint={self.endpoint}"

    def login(self, monkeypatch: pytest.MonkeyPatch, secret: str = SECRET_KEY) -> None:
        """Give this process the server's credentials, or wrong ones."""
        logout(monkeypatch)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)


def logout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take every AWS setting from this process."""
    for name in [each for each in os.environ if each.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in ISOLATED.items():
        monkeypatch.setenv(name, value)


@contextmanager
def serve_rclone(folder: Path, certificate: Path | None = None) -> Iterator[Server]:
    """Serve the folders in ``folder`` as buckets, to the access key and secret key above.

    ``certificate`` is a file with a private key and its certificate; with it, the endpoint is https.
    """
    options = ["--addr", "127.0.0.1:0", "--auth-key", f"{ACCESS_KEY},{SECRET_KEY}", "--config", os.devnull]
    if certificate:
        options += ["--cert", str(certificate), "--key", str(certificate)]
    with _serve([_program("rclone"), "serve", "s3", *options, str(folder)]) as endpoint:
        yield Server(endpoint)


@contextmanager
def serve_moto() -> Iterator[Server]:
    """Serve S3 from memory; buckets are to be created first (``create_bucket``)."""
    with _serve([_program("moto_server"), "-H", "127.0.0.1", "-p", "0"]) as endpoint:
        yield Server(endpoint)


def create_bucket(server: Server, bucket: str) -> None:
    import boto3

    client = boto3.client(
        "s3",
        endpoint_url=server.endpoint,
        region_name="us-east-1",
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
    )
    client.create_bucket(Bucket=bucket)
    client.close()


def _program(name: str) -> str:
    """A program of this virtual environment, else of the PATH."""
    found = shutil.which(name, path=str(Path(sys.prefix) / "bin")) or shutil.which(name)
    assert found, f"{name} is not installed: it is in the dev group of pyproject.toml"
    return found


@contextmanager
def _serve(command: list[str]) -> Iterator[str]:
    """Run a server that writes its address to stderr once it listens; end it afterwards."""
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        assert process.stderr
        rest = threading.Thread(target=process.stderr.read)  # a full pipe would stop the server
        try:
            endpoint = _listening(process, process.stderr)
            rest.start()
            yield endpoint
        finally:
            process.terminate()
            process.wait(10)
            if rest.ident:
                rest.join()


def _listening(process: subprocess.Popen[str], stderr: IO[str]) -> str:
    limit = threading.Timer(STARTUP, process.kill)
    limit.start()
    said = ""
    for line in stderr:
        said += line
        if address := re.search(r"https?://127\.0\.0\.1:\d+", line):
            limit.cancel()
            return address[0]
    limit.cancel()
    raise AssertionError(f"the server did not start: {said}")
