"""Object stores: a folder, and two real S3 servers as processes (see support/s3.py)."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme

from dtm_sharing.errors import StoreFailed, UsageProblem
from dtm_sharing.stores import bucket, folder
from dtm_sharing.stores.objects import ObjectStore, open_store
from support.s3 import ACCESS_KEY, SECRET_KEY, Server, create_bucket, logout, serve_moto, serve_rclone

KEY = "npl/site-assessment/17/cleaned/table.parquet"
BIG = bytes(range(256)) * 4 * 9000  # 9 MB: two parts


@pytest.fixture(scope="module")
def buckets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that rclone serves; it holds the bucket ``dtm``."""
    path = tmp_path_factory.mktemp("rclone")
    (path / "dtm").mkdir()
    return path


@pytest.fixture(scope="module")
def rclone(buckets: Path) -> Iterator[Server]:
    with serve_rclone(buckets) as server:
        yield server


@pytest.fixture(scope="module")
def moto() -> Iterator[Server]:
    with serve_moto() as server:
        create_bucket(server, "dtm")
        yield server


@pytest.fixture(params=["folder", "rclone", "moto"])
def store(request: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    """Each kind of store, empty."""
    if request.param == "folder":
        return open_store(str(tmp_path / "store"))
    server: Server = request.getfixturevalue(request.param)
    server.login(monkeypatch)
    return open_store(server.url("dtm", tmp_path.name))


# ----------------------------------------------------------------------------------------- every store


def test_what_is_put_is_got(store: ObjectStore) -> None:
    assert not store.exists(KEY)
    store.put(KEY, b"first")
    assert store.exists(KEY)
    assert store.get(KEY) == b"first"
    store.put(KEY, b"")
    assert store.get(KEY) == b""


def test_a_big_object_comes_back_whole(store: ObjectStore) -> None:
    assert len(BIG) > bucket.MULTIPART
    store.put(KEY, BIG)
    assert store.get(KEY) == BIG


def test_a_big_object_is_sent_in_parts(moto: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    moto.login(monkeypatch)
    store: Any = open_store(moto.url("dtm", "parts"))
    store.put("big", BIG)
    store.put("small", b"1")
    tags = [store.client.head_object(Bucket="dtm", Key=f"parts/{key}")["ETag"] for key in ("big", "small")]
    assert [tag.endswith('-2"') for tag in tags] == [True, False]


def test_keys_are_listed_by_their_first_characters(store: ObjectStore) -> None:
    assert store.list() == ()
    for key in ("a/17/x", "a/170/x", "a/18/ü y+z.txt", "b"):
        store.put(key, b"1")
    assert store.list() == ("a/17/x", "a/170/x", "a/18/ü y+z.txt", "b")
    assert store.list("a/17") == ("a/17/x", "a/170/x")
    assert store.list("a/17/") == ("a/17/x",)
    assert store.list("c") == ()
    assert store.get("a/18/ü y+z.txt") == b"1"


def test_what_is_deleted_is_gone_and_deleting_it_again_is_no_error(store: ObjectStore) -> None:
    store.put(KEY, b"1")
    store.delete(KEY)
    store.delete(KEY)
    assert not store.exists(KEY)
    assert store.list() == ()


def test_what_is_created_is_not_replaced(store: ObjectStore) -> None:
    assert store.create(KEY, b"first")
    assert not store.create(KEY, b"second")
    assert store.get(KEY) == b"first"


def test_an_object_that_is_not_there_is_named(store: ObjectStore) -> None:
    with pytest.raises(StoreFailed, match=r"no such object|There is no") as raised:
        store.get(KEY)
    assert store.where(KEY) in str(raised.value)


@pytest.mark.parametrize(
    "key", ["", "/etc/x", "a/../../x", "..", "a//b", "a/", "./a", "a\\..\\b", "a\0b", "a\nb", ".part-1"]
)
def test_no_key_leads_out_of_the_store(store: ObjectStore, key: str) -> None:
    for use in (
        store.get,
        store.exists,
        store.delete,
        lambda k: store.put(k, b""),
        lambda k: store.create(k, b""),
    ):
        with pytest.raises(StoreFailed, match="cannot be the key of an object"):
            use(key)


# --------------------------------------------------------------------------------------------- folder


def test_a_restricted_folder_is_for_its_owner_only(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        open_store((tmp_path / "store").as_uri()).put(KEY, b"1")
    finally:
        os.umask(old)
    found = [tmp_path / "store", *(tmp_path / "store").rglob("*")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in found if path.is_dir()} == {0o700}
    assert {stat.S_IMODE(path.stat().st_mode) for path in found if path.is_file()} == {0o600}


def test_everyone_may_read_a_public_folder(tmp_path: Path) -> None:
    old = os.umask(0o077)
    try:
        open_store(str(tmp_path / "store"), restricted=False).put("a/b", b"1")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "store/a").stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "store/a/b").stat().st_mode) == 0o644


def test_a_folder_url_may_hold_escapes(tmp_path: Path) -> None:
    path = tmp_path / "a store"
    open_store(path.as_uri()).put("k", b"1")
    assert "%20" in path.as_uri()
    assert (path / "k").read_bytes() == b"1"


def test_a_symbolic_link_out_of_the_store_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret").write_bytes(b"1")
    store = open_store(str(tmp_path / "store"))
    store.put("a", b"1")
    (tmp_path / "store/link").symlink_to(tmp_path / "outside")
    (tmp_path / "store/file").symlink_to(tmp_path / "outside/secret")
    for use in (
        lambda: store.get("link/secret"),
        lambda: store.get("file"),
        lambda: store.put("link/new", b"1"),
        lambda: store.delete("link/secret"),
    ):
        with pytest.raises(StoreFailed, match="leads out of the store through a symbolic link"):
            use()
    assert store.list() == ("a",)
    assert [path.name for path in (tmp_path / "outside").iterdir()] == ["secret"]


def test_a_file_being_written_is_not_an_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(str(tmp_path))
    seen = []
    replace = Path.replace

    def look(self: Path, target: Path) -> Path:
        seen.append((store.list(), store.exists("k"), len(list(tmp_path.iterdir()))))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", look)
    store.put("k", b"1")
    assert seen == [((), False, 1)]


def test_of_many_that_create_one_object_one_succeeds(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    start = threading.Barrier(8)
    won: list[bytes] = []

    def create(content: bytes) -> None:
        start.wait()
        if store.create("k", content):
            won.append(content)

    threads = [threading.Thread(target=create, args=(bytes([n]) * 99,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [store.get("k")] == won
    assert [path.name for path in tmp_path.iterdir()] == ["k"]


WRITE = """
import sys, resource, signal
sys.path.insert(0, sys.argv[1])
from dtm_sharing.errors import StoreFailed
from dtm_sharing.stores.objects import open_store
limit = int(sys.argv[3])
if limit:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
store = open_store(sys.argv[2])
store.put("old", b"1")
for write in (store.put, store.create):
    try:
        write("a/new", bytes(1 << 20))
    except StoreFailed as problem:
        print(problem)
print(store.list(), store.get("old"))
"""
PLUGINS = str(Path(folder.__file__).parents[2])


def write_too_much(path: Path, limit: int, *before: str) -> list[str]:
    command = [*before, sys.executable, "-c", WRITE, PLUGINS, str(path), str(limit)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def refused(path: Path) -> list[str]:
    sentence = f"Could not write {path}/a/new: disk full; free space there and try again"
    return [sentence, sentence, "('old',) b'1'"]


def test_where_a_file_may_not_grow_nothing_half_written_stays(tmp_path: Path) -> None:
    assert write_too_much(tmp_path, 1 << 16) == refused(tmp_path)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["old"]


def test_on_a_full_disk_nothing_half_written_stays(tmp_path: Path) -> None:
    if not shutil.which("unshare"):
        pytest.skip("no unshare to mount a small disk with")
    mount = [
        "unshare",
        "-rm",
        "sh",
        "-c",
        f'mount -t tmpfs -o size=64k tmpfs "{tmp_path}" && "$@"; ls -aR "{tmp_path}/a"',
        "-",
    ]
    if subprocess.run(
        [*mount[:4], f'mount -t tmpfs tmpfs "{tmp_path}"'], capture_output=True, check=False
    ).returncode:
        pytest.skip("this machine lets nobody mount a small disk")
    said = write_too_much(tmp_path, 0, *mount)
    assert said[:3] == refused(tmp_path)
    assert [line for line in said[3:] if line not in {".", "..", ""}] == [f"{tmp_path}/a:"]


def test_an_error_of_the_file_system_is_one_sentence(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    store.put("a", b"1")
    with pytest.raises(StoreFailed, match=r"Could not write .*/a/b: (Not a directory|File exists)"):
        store.put("a/b", b"1")
    store.put("folder/b", b"1")
    with pytest.raises(StoreFailed, match=r"Could not read .*/folder: Is a directory"):
        store.get("folder")


# ------------------------------------------------------------------------------------------------- S3


def test_a_wrong_secret_is_refused(rclone: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    rclone.login(monkeypatch, secret="another-secret")
    store = open_store(rclone.url("dtm"))
    for use in (lambda: store.put(KEY, b"1"), lambda: store.get(KEY), lambda: store.exists(KEY), store.list):
        with pytest.raises(
            StoreFailed, match=r"s3://dtm/.*refused the credentials \((SignatureDoesNotMatch|403)\)"
        ) as raised:
            use()
        assert ACCESS_KEY not in str(raised.value)
        assert "secret" not in str(raised.value)
    rclone.login(monkeypatch)
    assert not open_store(rclone.url("dtm")).exists(KEY)


def test_missing_credentials_are_a_sentence(rclone: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    logout(monkeypatch)
    with pytest.raises(
        StoreFailed, match=f"Could not write s3://dtm/{KEY}: no credentials; set AWS_ACCESS_KEY_ID"
    ):
        open_store(rclone.url("dtm")).put(KEY, b"1")


def test_a_missing_bucket_is_named(rclone: Server, moto: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for server in (rclone, moto):
        server.login(monkeypatch)
        store = open_store(server.url("nowhere"))
        for use in (lambda: store.put(KEY, b"1"), lambda: store.put(KEY, BIG), store.list):  # noqa: B023 - used at once
            with pytest.raises(
                StoreFailed, match=r"there is no bucket 'nowhere' on 127.0.0.1:\d+; create it"
            ):
                use()


def test_create_asks_the_server_not_to_replace(moto: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look and the write somebody else may write: then the server decides."""
    moto.login(monkeypatch)
    store = open_store(moto.url("dtm", "race"))
    store.put(KEY, b"first")
    monkeypatch.setattr(bucket.BucketStore, "exists", lambda self, key: False)
    assert not store.create(KEY, b"second")
    assert store.get(KEY) == b"first"


def test_an_object_that_comes_back_other_than_sent_is_no_success(
    rclone: Server, buckets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rclone.login(monkeypatch)
    store = open_store(rclone.url("dtm", "damaged"))
    get = bucket.BucketStore.get

    def damaged(self: Any, key: str) -> bytes:
        (buckets / "dtm/damaged" / key).write_bytes(b"2")
        return get(self, key)

    monkeypatch.setattr(bucket.BucketStore, "get", damaged)
    for write in (store.put, store.create):
        with pytest.raises(StoreFailed, match="came back other than it was sent"):
            write(write.__name__, b"1")


def test_a_prefix_is_a_folder_of_its_own(moto: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    moto.login(monkeypatch)
    inner, beside = open_store(moto.url("dtm", "in/ner")), open_store(moto.url("dtm", "in/nerd"))
    inner.put("k", b"1")
    assert inner.list() == ("k",)
    assert beside.list() == ()
    assert inner.where("k") == "s3://dtm/in/ner/k"


def test_a_server_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    logout(monkeypatch)
    Server("").login(monkeypatch)
    monkeypatch.setattr(bucket, "ATTEMPTS", 1)
    with socket.create_server(("127.0.0.1", 0)) as free:
        endpoint = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(
        StoreFailed, match=r"127.0.0.1:\d+ does not answer, or broke off; check AWS_ENDPOINT_URL_S3"
    ):
        open_store(f"s3://dtm?endpoint={endpoint}").put(KEY, b"1")


class Stutter(BaseHTTPRequestHandler):
    """A server that promises ten bytes and sends one."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "10")
        self.end_headers()
        self.wfile.write(b"1")

    def log_message(self, *_: object) -> None:
        pass


def test_an_object_that_breaks_off_is_not_taken_for_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Stutter) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        server = Server(f"http://127.0.0.1:{httpd.server_port}")
        server.login(monkeypatch)
        try:
            with pytest.raises(StoreFailed, match=r"Could not read s3://dtm/k: .* broke off"):
                open_store(server.url("dtm")).get("k")
        finally:
            httpd.shutdown()
            thread.join()


def test_waiting_and_trying_again_are_bounded(moto: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    moto.login(monkeypatch)
    settings = open_store(moto.url("dtm")).client.meta.config  # type: ignore[attr-defined]
    assert (settings.connect_timeout, settings.read_timeout) == (5, 60)
    assert settings.retries["total_max_attempts"] == 4


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate and key for 127.0.0.1, and beside them ``ca.pem``, which signed it."""
    path = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(path / "ca.pem"))
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_and_cert_chain_pem.write_to_path(str(path / "server.pem"))
    return path


@pytest.fixture
def encrypted(certificate: Path, buckets: Path) -> Iterator[Server]:
    with serve_rclone(buckets, certificate=certificate / "server.pem") as server:
        yield server


def test_a_certificate_that_nobody_vouches_for_is_refused(
    encrypted: Server, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encrypted.login(monkeypatch)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", encrypted.endpoint)
    monkeypatch.setattr(bucket, "ATTEMPTS", 1)
    with pytest.raises(StoreFailed, match=r"certificate of 127.0.0.1:\d+ cannot be verified; AWS_CA_BUNDLE"):
        open_store("s3://dtm/tls").put(KEY, b"1")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate / "ca.pem"))
    store = open_store("s3://dtm/tls")
    store.put(KEY, b"1")
    assert store.get(KEY) == b"1"


# ----------------------------------------------------------------------------------------------- URLs


def test_the_server_may_come_from_the_environment(moto: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    moto.login(monkeypatch)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", moto.endpoint)
    open_store("s3://dtm/env").put("k", b"1")
    assert open_store(moto.url("dtm", "env")).get("k") == b"1"


def test_plain_http_to_another_machine_has_to_be_asked_for_by_its_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    logout(monkeypatch)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://store.example.org:8333")
    with pytest.raises(UsageProblem, match=r"store.example.org:8333 is set to http, which is not encrypted"):
        open_store("s3://dtm/x")
    asked = open_store("s3://dtm/x?unsafe_plain_http=yes")
    assert asked.client.meta.endpoint_url == "http://store.example.org:8333"  # type: ignore[attr-defined]


def test_at_aws_the_bucket_is_part_of_the_host_and_elsewhere_of_the_path(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    logout(monkeypatch)
    style = [open_store("s3://dtm").client.meta.config.s3]  # type: ignore[attr-defined]
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "https://store.example.org")
    style.append(open_store("s3://dtm").client.meta.config.s3)  # type: ignore[attr-defined]
    assert style == [None, {"addressing_style": "path"}]


@pytest.mark.parametrize(
    ("url", "sentence"),
    {
        "": "is no store",
        "  ": "is no store",
        "ftp://host/x": "'ftp://host/x' is no store: write a folder",
        "https://user:made-up@bucket.example.org/x": "'https://bucket.example.org/x' is no store",
        "file://": "is no store",
        "file:///": "is no store",
        "file://other-host/x": "is no store",
        "s3://[x": "malformed",
        "s3://": "write s3://bucket/prefix",
        "s3:///x": "write s3://bucket/prefix",
        "s3://key:made-up@dtm/x": "s3://dtm/x: write s3://bucket/prefix; credentials belong",
        "s3://dtm?endpont=x": "unknown option 'endpont'",
        "s3://dtm?endpoint=": "endpoint is for a server on this machine",
        "s3://dtm?endpoint=http://store.example.org": "endpoint is for a server on this machine",
        "s3://dtm?endpoint=http://127.0.0.1.example.org": "endpoint is for a server on this machine",
        "s3://dtm?endpoint=http://127.0.0.1:made-up": "endpoint is for a server on this machine",
    }.items(),
)
def test_a_url_that_makes_no_sense_is_refused(url: str, sentence: str) -> None:
    with pytest.raises(UsageProblem, match=sentence) as raised:
        open_store(url)
    assert "made-up" not in str(raised.value)


def test_a_prefix_may_not_lead_upwards() -> None:
    with pytest.raises(StoreFailed, match="cannot be the key"):
        open_store("s3://dtm/a/%2e%2e/b")


def test_settings_that_boto_does_not_understand_are_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    logout(monkeypatch)
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(UsageProblem, match=r"do not make sense \(ProfileNotFound\)"):
        open_store("s3://dtm")


def test_the_secret_is_in_no_representation(moto: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    moto.login(monkeypatch)
    assert SECRET_KEY not in repr(open_store(moto.url("dtm")))
