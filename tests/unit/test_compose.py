"""docker-compose.yml and Dockerfile: valid, and holding what docs/deployment.md promises.

No image can be pulled in a test. The pieces that are code (health check, bucket maker, commands that read a
secret, the script that makes the secrets) are run against real servers and files.
"""

from __future__ import annotations

import base64
import http.server
import json
import os
import re
import shlex
import shutil
import ssl
import stat
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import pytest
import yaml

from dtm_sharing.stores import settings
from dtm_sharing.stores.database import Ledger
from dtm_sharing.stores.keys import MASTER_BYTES, Keys
from dtm_sharing.stores.objects import open_store
from dtm_sharing.stores.smtp import SmtpSettings
from support import ledgers, s3

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"
MAKE_SECRETS = ROOT / "docs" / "make_secrets.py"
ORIGIN = "dtm.example.org"
WORKER = "scheduler"  # the LocalExecutor runs its tasks there

# ${NAME}, ${NAME:-default}, ${NAME:?sentence}; $$ is a dollar sign.
VARIABLE = re.compile(r"\$\$|\$\{(?P<name>\w+)(?:(?P<how>:-|:\?)(?P<value>[^}]*))?\}|\$")

# What an operator may choose in the environment. None of it is secret; LEDGER_KEY is the public half.
CHOICES = {
    "DTM_AIRFLOW_PORT",
    "DTM_AIRFLOW_URL",
    "DTM_AIRFLOW_USERS",
    "DTM_API_WORKERS",
    "DTM_MAIL_PORT",
    "DTM_PARALLELISM",
    "DTM_SHARING_LEDGER_KEY",
}
NEEDED = {"DTM_SECRETS", "DTM_ROUNDS"}


# ------------------------------------------------------------------------------------ reading the files


def substituted(text: str, variables: dict[str, str]) -> str:
    """The text as Compose reads it."""

    def one(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        if found[0] == "$":
            raise ValueError(f"Compose refuses a single dollar sign: {text}")
        value = variables.get(found["name"], "")
        if not value and found["how"] == ":?":
            raise LookupError(found["value"] or found["name"])
        return value or (found["value"] if found["how"] == ":-" else "")

    return VARIABLE.sub(one, text)


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if isinstance(value, list):
        for each in value:
            yield from strings(each)
    elif isinstance(value, str):
        yield value


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load(COMPOSE.read_text("utf-8"))


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, Any]:
    return compose["services"]


def environment(service: dict[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in service.get("environment", {}).items()}


def secret_names(service: dict[str, Any]) -> set[str]:
    return {each if isinstance(each, str) else each["source"] for each in service.get("secrets", ())}


def mounts(service: dict[str, Any]) -> dict[str, tuple[str, bool]]:
    """Target -> source, and whether it is mounted read-only."""
    found = {}
    for each in service.get("volumes", ()):
        if isinstance(each, str):
            source, target, *mode = each.split(":")
            found[target] = (source, mode == ["ro"])
        else:
            found[each["target"]] = (each["source"], each.get("read_only", False))
    return found


def dockerfile() -> list[tuple[str, list[str]]]:
    """Instruction and words, line by line."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text("utf-8"), flags=re.MULTILINE)
    joined = text.replace("\\\n", " ")
    split = (line.split(None, 1) for line in joined.splitlines() if line.strip())
    return [(name, rest.split() if name == "RUN" else shlex.split(rest)) for name, rest in split]


def image_environment() -> dict[str, str]:
    return dict(word.split("=", 1) for name, words in dockerfile() if name == "ENV" for word in words)


@cache
def airflow_options() -> dict[tuple[str, str], dict[str, Any]]:
    """Airflow's own list of its options, read from its files: nothing of Airflow is imported."""
    package = find_spec("airflow")
    assert package is not None
    places = [
        Path(folder) / "config_templates" / "config.yml" for folder in package.submodule_search_locations
    ]
    text = next(place for place in places if place.exists()).read_text("utf-8")
    return {
        (section, key): option
        for section, described in yaml.load(text, yaml.CSafeLoader).items()
        for key, option in described["options"].items()
    }


def airflow_option(variable: str) -> tuple[str, str, str]:
    """Section, key and how the value is given: "", "_CMD" or "_SECRET"."""
    _, section, key = variable.split("__", 2)
    plain = re.sub(r"_(CMD|SECRET)$", "", key)
    is_option = (section.lower(), key.lower()) in airflow_options()
    return section.lower(), (key if is_option else plain).lower(), "" if is_option else key[len(plain) :]


# ------------------------------------------------------------------------------------------- the schema


def test_the_file_is_valid_by_the_compose_schema(compose):
    vendored = resources.files("check_jsonschema.builtin_schemas.vendor") / "compose-spec.json"
    schema = json.loads(vendored.read_text("utf-8"))
    jsonschema.validators.validator_for(schema)(schema).validate(compose)
    with pytest.raises(jsonschema.ValidationError):  # so the schema is one that can say no
        jsonschema.validate({"services": {"postgres": {"imagee": "x"}}}, schema)


@pytest.mark.skipif(
    not shutil.which("docker")
    or subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode != 0,
    reason="the compose plugin of docker is not installed",
)
def test_compose_itself_accepts_the_file(tmp_path):
    command = ["docker", "compose", "--file", str(COMPOSE), "--profile", "try", "config", "--quiet"]
    needed = {name: str(tmp_path) for name in NEEDED}
    done = subprocess.run(command, env=os.environ | needed, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_whatever_a_service_names_is_declared_and_used(compose, services):
    networks = {name for each in services.values() for name in each["networks"]}
    volumes = {source for each in services.values() for source, _ in mounts(each).values()}
    secrets = {name for each in services.values() for name in secret_names(each)}
    assert networks == set(compose["networks"])
    assert {name for name in volumes if not name.startswith((".", "$"))} == set(compose["volumes"])
    assert secrets == set(compose["secrets"])
    for name, service in services.items():
        assert set(service.get("depends_on", {})) <= set(services) - {name}


# --------------------------------------------------------------------------------- secrets and variables


def test_every_variable_is_a_known_choice_or_stops_compose_with_a_sentence(compose):
    found = [match for text in strings(compose) for match in VARIABLE.finditer(text) if match[0] != "$$"]
    assert "$" not in {match[0] for match in found}  # neither $NAME nor $(command)
    assert {match["name"] for match in found if match["how"] == ":-"} == CHOICES
    assert {match["name"] for match in found if match["how"] == ":?"} == NEEDED
    assert {match["name"] for match in found} == CHOICES | NEEDED
    assert all(match["value"].startswith("set it to ") for match in found if match["how"] == ":?")


def test_secrets_are_files_of_one_folder_outside_the_project(compose):
    for name, secret in compose["secrets"].items():
        assert list(secret) == ["file"]
        assert substituted(secret["file"], {"DTM_SECRETS": "/elsewhere"}) == f"/elsewhere/{name}"


def test_no_option_that_airflow_calls_sensitive_has_its_value_in_the_file(services):
    options, checked = airflow_options(), set()
    for name, service in services.items():
        for variable, value in environment(service).items():
            if not variable.startswith("AIRFLOW__"):
                continue
            section, key, how = airflow_option(variable)
            if options[section, key].get("sensitive"):
                checked.add(key)
                files = re.findall(r"/run/secrets/([\w.]+)", value)
                assert files, f"{name}: {variable}"
                assert set(files) <= secret_names(service), f"{name} reads a secret that it is not given"
                # Any value but a command that reads the file, or the file's own path, would be the secret.
                assert how == "_CMD" or set(json.loads(value)) == {"connections_file_path"}
    assert {"sql_alchemy_conn", "fernet_key", "jwt_secret", "secret_key"} <= checked


def test_a_variable_named_like_a_secret_names_a_file_of_one(services):
    no_secrets = {
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE",  # the copy that Airflow may write
        "AIRFLOW__WORKERS__SECRETS_BACKEND",  # a class
        "DTM_SHARING_LEDGER_KEY",  # the public half
        "ROOT_ACCESS_KEY_ID",  # a user's name
    }
    named = {
        variable: value
        for each in services.values()
        for variable, value in environment(each).items()
        if re.search(r"PASSWORD|SECRET|TOKEN|KEY", variable)
    }
    assert {name for name, value in named.items() if "/run/secrets/" not in value} == no_secrets


def test_every_secret_that_a_service_reads_is_one_that_it_is_given(services):
    for name, service in services.items():
        targets = {each if isinstance(each, str) else each["target"] for each in service.get("secrets", ())}
        text = "\n".join(strings([service.get("command"), service.get("environment", {})]))
        read = set(re.findall(r"/run/secrets/([\w.]+)", text))
        by_path = {"users.json", "mail_ca.pem"}  # found by the folder, and named in connections.json
        assert read <= targets, name
        assert targets - read <= by_path, f"{name} is given secrets that it does not read"


# ------------------------------------------------------------------------------------------ the boundary


@pytest.fixture(params=sorted(yaml.safe_load(COMPOSE.read_text("utf-8"))["services"]))
def service(request, services) -> dict[str, Any]:
    return services[request.param]


def test_a_service_is_nobody_and_cannot_become_root(service):
    user, group = service["user"].split(":")
    assert int(user) > 0
    assert int(group) > 0
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True
    assert not {"privileged", "cap_add", "network_mode", "pid", "ipc", "devices"} & set(service)


def test_ports_are_open_on_this_host_only(service):
    for port in service.get("ports", ()):
        assert isinstance(port, str)
        assert substituted(port, {}).startswith("127.0.0.1:")


def test_a_service_that_stays_is_checked_and_one_that_ends_is_not_started_again(service):
    if service["restart"] == "no":
        assert "healthcheck" not in service
    else:
        assert service["restart"] == "unless-stopped"
        assert service["healthcheck"]["test"][0] == "CMD"


def test_dependencies_wait_for_health_or_for_the_end(services):
    for name, each in services.items():
        for other, how in each.get("depends_on", {}).items():
            ends = services[other]["restart"] == "no"
            expected = "service_completed_successfully" if ends else "service_healthy"
            assert how["condition"] == expected, f"{name} on {other}"


def test_the_databases_and_the_object_store_have_no_way_in_from_outside(compose, services):
    for name in ("postgres", "object-store"):
        assert "ports" not in services[name]
        for network in services[name]["networks"]:
            assert compose["networks"][network]["internal"] is True
    assert "objects" not in services["api-server"]["networks"]


def test_only_the_worker_holds_the_ledger_the_passwords_and_the_connections(services):
    def those(has) -> set[str]:
        return {name for name, each in services.items() if has(each)}

    assert those(lambda each: "/ledger" in mounts(each)) == {WORKER}
    assert those(lambda each: "/credentials" in mounts(each)) == {WORKER}
    assert those(lambda each: "/data" in mounts(each)) == {WORKER}
    assert those(lambda each: "connections.json" in secret_names(each)) == {WORKER}
    assert those(lambda each: "object_store_credentials" in secret_names(each)) == {WORKER, "buckets"}
    assert those(lambda each: "objects" in each["networks"]) == {WORKER, "buckets", "object-store"}
    assert those(lambda each: "postgres_password" in secret_names(each)) == {
        *(name for name, each in services.items() if "metadata" in each["networks"])
    }


def test_code_and_policies_are_read_only_and_of_one_image(services):
    images = set()
    for each in services.values():
        for target, (source, read_only) in mounts(each).items():
            if target.startswith("/app/") or target == "/data":
                assert read_only, target
            if target.startswith("/app/"):
                assert (ROOT / source).is_dir()
        if "/app/plugins" in mounts(each):
            images.add((each["image"], each["build"]["target"]))
    assert len(images) == 1


def test_a_missing_folder_is_an_error_and_not_an_empty_one(services):
    binds = [
        volume
        for each in services.values()
        for volume in each.get("volumes", ())
        if isinstance(volume, dict) and volume["type"] == "bind"
    ]
    assert binds
    assert all(volume["bind"]["create_host_path"] is False for volume in binds)


# ------------------------------------------------------------------------------------------------ images


def test_images_have_exact_tags(services):
    stages = {words[2] for name, words in dockerfile() if name == "FROM" and len(words) == 3}
    built = {words[0] for name, words in dockerfile() if name == "FROM"}
    pulled = {each["image"] for each in services.values() if "build" not in each}
    for image in (built - stages) | pulled:
        _, _, tag = image.partition(":")
        assert re.search(r"\d+\.\d+", tag), f"{image} is not pinned"
        assert "latest" not in tag
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    for each in services.values():
        if "build" in each:
            assert each["build"]["target"] in stages
            assert each["image"].endswith(f":{version}")


def test_the_dockerfile_copies_what_is_there_and_not_ignored():
    patterns = [
        line for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line and line[0] != "#"
    ]

    def ignored(path: str) -> bool:
        answer = False
        for pattern in patterns:
            wanted = pattern.lstrip("!").removeprefix("**/")
            parts = path.split("/")
            hit = (
                any(fnmatchcase(part, wanted) for part in parts)
                if "**" in pattern
                else fnmatchcase(parts[0], wanted)
            )
            answer = (pattern[0] != "!") if hit else answer
        return answer

    sources = [
        source
        for name, words in dockerfile()
        if name == "COPY" and not words[0].startswith("--from")
        for source in words[:-1]
    ]
    assert {"plugins", "dags", "policies", "requirements.production.lock"} == set(sources)
    for source in sources:
        assert (ROOT / source).exists()
        assert not ignored(source)
    for other in (".env", ".git", "secrets", ".venv", "docker-compose.yml", "plugins/x/__pycache__/y.pyc"):
        assert ignored(other)
    assert not ignored("plugins/.airflowignore")


def test_the_image_runs_as_somebody_who_owns_the_places_that_are_written(services):
    users = [words[0] for name, words in dockerfile() if name == "USER"]
    assert len(users) == sum(name == "FROM" for name, _ in dockerfile()) - 1  # the packages are no image
    ours = {each["user"] for each in services.values() if "build" in each}
    assert set(users) == ours
    made = {word for name, words in dockerfile() if name == "RUN" for word in words if word.startswith("/")}
    for each in services.values():
        if "build" in each:
            written = {target for target, (source, ro) in mounts(each).items() if not ro and source[0] != "."}
            assert written <= made, "a new volume would belong to root"


def test_packages_are_installed_by_hash_without_a_compiler():
    runs = [" ".join(words) for name, words in dockerfile() if name == "RUN"]
    (install,) = [run for run in runs if "install" in run and "--requirement" in run]
    assert "--require-hashes" in install
    assert "--only-binary :all:" in install
    assert not [run for run in runs if "apt-get" in run or "apk" in run]


# --------------------------------------------------------------------------------------------- variables


def test_the_variables_of_dtm_sharing_are_those_that_the_settings_know(services):
    known = {
        value
        for name, value in vars(settings).items()
        if name.isupper() and str(value).startswith("DTM_SHARING_")
    }
    used = {
        name for each in services.values() for name in environment(each) if name.startswith("DTM_SHARING_")
    }
    assert used == known
    worker = {name: value for name, value in environment(services[WORKER]).items() if name in known}
    read = settings.Settings.read({name: substituted(value, {}) for name, value in worker.items()})
    assert set(read.given) == known - {settings.LEDGER_KEY}
    for place in (read.ledger, read.credentials):
        assert str(place.parent) in mounts(services[WORKER])
    assert str(read.policies) in mounts(services[WORKER])


def test_the_stores_of_the_worker_are_ones_that_can_be_opened(services, monkeypatch):
    for name, value in environment(services[WORKER]).items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    for name in (settings.PUBLIC_STORE, settings.RESTRICTED_STORE):
        store = open_store(environment(services[WORKER])[name])
        assert store.where("key").startswith("s3://dtm-")


def test_airflow_has_every_option_that_is_set(services):
    options = airflow_options()
    variables = {name for each in services.values() for name in environment(each)} | set(image_environment())
    ours = {name for name in variables if name.startswith("AIRFLOW__")}
    assert len(ours) > 15
    assert {name for name in ours if airflow_option(name)[:2] not in options} == set()
    # Airflow runs a command only for what it calls sensitive; for anything else _CMD is silently nothing.
    commands = [airflow_option(name)[:2] for name in ours if airflow_option(name)[2]]
    assert [option for option in commands if not options[option].get("sensitive")] == []


def test_services_find_each_other_by_name(services):
    hosts = {
        urlsplit(found).hostname
        for each in services.values()
        for text in strings(each)
        for found in re.findall(
            r"\w+(?:\+\w+)?://[^\s\"'?]+", substituted(text, {"DTM_ROUNDS": "/x"}).replace("airflow:%s@", "")
        )
        if not found.startswith("s3://")
    }
    assert hosts - {"127.0.0.1"} == {"api-server", "postgres", "object-store"}
    assert hosts - {"127.0.0.1"} <= set(services)


# ------------------------------------------------------------------------------ what the services execute


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """The folder of secrets, as the script makes it."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("etc") / "secrets"
    done = make_secrets(folder, ORIGIN)
    assert done.returncode == 0, done.stderr
    return folder


def make_secrets(folder: Path, origin: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", str(MAKE_SECRETS), str(folder), "--origin", origin]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_script_makes_exactly_the_secrets_that_are_mounted(made, compose):
    assert {path.name for path in made.iterdir()} == set(compose["secrets"])
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in made.iterdir()} == {0o444}


def test_the_script_never_replaces_a_secret_and_shows_none(made):
    before = {path.name: path.read_bytes() for path in made.iterdir()}
    again = make_secrets(made, ORIGIN)
    assert again.returncode == 1
    assert again.stderr.count("\n") == 1
    assert "already there" in again.stderr
    assert {path.name: path.read_bytes() for path in made.iterdir()} == before
    assert (made / "postgres_password").read_text() not in again.stdout


@pytest.mark.parametrize("origin", ["", "localhost", "dtm.example.org/x", "Dtm.Example.Org"])
def test_the_script_refuses_an_origin_that_is_no_domain_name(tmp_path, origin):
    done = make_secrets(tmp_path / "secrets", origin)
    assert done.returncode == 2
    assert list(tmp_path.iterdir()) == []


def test_a_failing_openssl_leaves_nothing_behind(tmp_path):
    (tmp_path / "bin").mkdir()
    fake = tmp_path / "bin" / "openssl"
    fake.write_text("#!/bin/sh\necho no entropy >&2\nexit 1\n")
    fake.chmod(0o755)
    command = [sys.executable, "-I", str(MAKE_SECRETS), str(tmp_path / "made"), "--origin", ORIGIN]
    path = {"PATH": f"{fake.parent}:/usr/bin:/bin"}
    done = subprocess.run(command, env=path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "make_secrets: openssl failed: no entropy\n")
    assert [each.name for each in tmp_path.iterdir()] == ["bin"]


def test_the_made_connections_are_those_that_the_tasks_open(made, services):
    connections = json.loads((made / "connections.json").read_text("utf-8"))
    wiring = (ROOT / "plugins/dtm_sharing/orchestration/wiring.py").read_text("utf-8")  # imports Airflow
    assert set(connections) == set(re.findall(r'_CONNECTION = "(\w+)"', wiring))
    keys = connections["dtm_sharing_keys"]
    assert len(base64.b64decode(keys["password"], validate=True)) == MASTER_BYTES
    assert Keys.derive(keys["password"], keys["host"]).checkpoint_verifier.startswith(f"{ORIGIN}+")
    mail = {name: value for name, value in connections["dtm_sharing_smtp"].items() if name != "conn_type"}
    smtp = SmtpSettings.from_connection(**mail)
    assert smtp.starttls
    assert smtp.host in services
    assert f"{smtp.login}:{smtp.password}\n" == (made / "mail_users").read_text("utf-8")
    assert str(smtp.ca_file) in {f"/run/secrets/{name}" for name in secret_names(services[WORKER])}


def test_the_made_certificate_is_one_that_a_verifying_client_accepts(made, services):
    mail = environment(services["mail"])
    files = [made / Path(mail[name]).name for name in ("MP_SMTP_TLS_CERT", "MP_SMTP_TLS_KEY")]
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(*files)
    client = ssl.create_default_context(cafile=str(made / "mail_ca.pem"))
    client.verify_flags |= ssl.VERIFY_X509_STRICT  # the default from Python 3.13 on
    handshake(client, server, "mail")
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(client, server, "mail.example.org")


def handshake(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> None:
    """A whole TLS handshake in memory."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [client.wrap_bio(down, up, server_hostname=name), server.wrap_bio(up, down, server_side=True)]
    waiting = list(ends)
    for _ in range(10):
        for end in list(waiting):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            waiting.remove(end)
    assert not waiting


def test_the_object_store_and_its_client_are_given_the_same_account(made):
    accounts = json.loads((made / "object_store_users.json").read_text("utf-8"))["accessAccounts"]
    (account,) = accounts.values()
    client = (made / "object_store_credentials").read_text("utf-8")
    assert f"aws_access_key_id = {account['access']}\n" in client
    assert f"aws_secret_access_key = {account['secret']}\n" in client
    assert account["role"] == "userplus"  # may make buckets of its own, and sees no other's
    assert account["secret"] != (made / "object_store_root").read_text("utf-8")


def test_commands_that_read_a_secret_print_what_airflow_needs(made, services):
    for each in services.values():
        for variable, value in environment(each).items():
            if variable.endswith("_CMD"):
                command = substituted(value, {}).replace("/run/secrets", str(made))
                done = subprocess.run(shlex.split(command), capture_output=True, text=True, check=True)
                assert done.stdout == done.stdout.strip() != ""
                if "SQL_ALCHEMY" in variable:
                    address = urlsplit(done.stdout)
                    assert address.password == (made / "postgres_password").read_text()
                    assert (address.hostname, address.username, address.path) == (
                        "postgres",
                        "airflow",
                        "/airflow",
                    )
                if "FERNET" in variable:
                    assert len(base64.urlsafe_b64decode(done.stdout)) == 32


def test_the_buckets_are_made_once(services, tmp_path, monkeypatch):
    name, flag, code = services["buckets"]["command"]
    assert (name, flag) == ("python", "-c")
    for folder in ("objects", "objects/somebody-elses"):
        (tmp_path / folder).mkdir()
    with s3.serve_rclone(tmp_path / "objects") as server:
        server.login(monkeypatch)
        own = {n: v for n, v in environment(services["buckets"]).items() if n.startswith("DTM_SHARING_")}
        variables = os.environ | own | {"AWS_ENDPOINT_URL_S3": server.endpoint}
        for _ in range(2):
            subprocess.run([sys.executable, "-c", code], env=variables, check=True, capture_output=True)
    found = {path.name for path in (tmp_path / "objects").iterdir()}
    assert found == {"dtm-public", "dtm-restricted", "somebody-elses"}


class Monitor(http.server.BaseHTTPRequestHandler):
    """What Airflow 3.3 answers on /api/v2/monitor/health while its scheduler has died."""

    def do_GET(self):
        answer = {
            "metadatabase": {"status": "healthy"},
            "scheduler": {"status": "unhealthy", "latest_scheduler_heartbeat": None},
            "triggerer": {"status": None, "latest_triggerer_heartbeat": None},
        }
        self.send_response(200 if self.path == "/api/v2/monitor/health" else 404)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *_):
        pass


def test_the_health_check_tells_a_healthy_part_from_any_other(services):
    checks = {
        name: each["healthcheck"]["test"][1:]
        for name, each in services.items()
        if "python" in each.get("healthcheck", {}).get("test", ())
    }
    parts = {name: command[-1] for name, command in checks.items()}
    assert parts == {
        "api-server": "metadatabase",
        "dag-processor": "dag_processor",
        "scheduler": "scheduler",
        "triggerer": "triggerer",
    }
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Monitor) as server:
        threading.Thread(target=server.serve_forever).start()
        here = f"127.0.0.1:{server.server_port}"
        answers = {}
        for name, (_, flag, code, part) in checks.items():
            command = [sys.executable, flag, code.replace("api-server:8080", here), part]
            answers[name] = subprocess.run(command, capture_output=True, check=False).returncode
        server.shutdown()
    assert answers == {"api-server": 0, "dag-processor": 1, "scheduler": 1, "triggerer": 1}


# ------------------------------------------------------------------------------------ docs/deployment.md


@pytest.fixture(scope="module")
def guide() -> str:
    return (ROOT / "docs" / "deployment.md").read_text("utf-8")


def commands(guide: str) -> list[list[str]]:
    """Every command of its shell blocks, as words."""
    blocks = re.findall(r"```sh\n(.*?)```", guide, re.DOTALL)
    lexer = [shlex.shlex(block, posix=True, punctuation_chars=">") for block in blocks]
    found: list[list[str]] = []
    for each in lexer:
        each.whitespace, each.whitespace_split, each.commenters = " \t\r", True, "#"
        words: list[str] = []
        for word in [*each, "\n"]:
            if set(word) == {"\n"}:
                found += [words] if words else []
                words = []
            else:
                words.append(word)
    return found


def test_the_guide_names_every_secret_and_every_variable(guide, compose):
    for name in (*compose["secrets"], *CHOICES, *NEEDED):
        assert f"`{name}`" in guide, name


def test_the_guide_calls_only_services_that_are_there(guide, services):
    called = [words for words in commands(guide) if words[:2] == ["docker", "compose"]]
    assert len(called) >= 4
    for words in called:
        for verb in {"exec", "run", "restart", "logs"} & set(words):
            rest = [word for word in words[words.index(verb) + 1 :] if not word.startswith("-")]
            assert rest[0] in services
        if "--profile" in words:
            assert words[words.index("--profile") + 1] in services["mail"]["profiles"]


def inside(guide: str, mark: str) -> str:
    """The Python code that the guide runs inside the worker, and that holds ``mark``."""
    (code,) = [
        words[words.index("-c") + 1]
        for words in commands(guide)
        if "-c" in words and mark in words[-1] + "".join(words)
    ]
    return code


def test_the_guides_public_key_is_the_one_that_verifies_the_ledger(guide, made):
    code = inside(guide, "checkpoint_verifier").replace("/run/secrets", str(made))
    done = run_inside(code)
    keys = json.loads((made / "connections.json").read_text("utf-8"))["dtm_sharing_keys"]
    assert done.stdout.decode().strip() == Keys.derive(keys["password"], keys["host"]).checkpoint_verifier


def test_the_guides_backup_holds_all_entries_of_a_ledger_in_use(guide, tmp_path):
    place, copy = tmp_path / "ledger" / "ledger.db", tmp_path / "copy.db"
    keys = Keys.derive(base64.b64encode(bytes(32)).decode(), ORIGIN)
    code = inside(guide, "backup").replace("/ledger/ledger.db", str(place))
    source = Ledger(place, signing_key=keys.checkpoint)
    source.record_all(ledgers.event(number) for number in range(3))  # still in the write-ahead log
    source.checkpoint(ledgers.NOW)
    copy.write_bytes(run_inside(code).stdout)
    restored = Ledger(copy, create=False)
    proved = restored.verify(keys.checkpoint_verifier)
    assert proved == source.verify(keys.checkpoint_verifier)
    assert proved.size == 3
    for each in (source, restored):
        each.close()


def run_inside(code: str) -> subprocess.CompletedProcess[bytes]:
    variables = os.environ | {"PYTHONPATH": str(ROOT / "plugins")}
    return subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, check=True)
