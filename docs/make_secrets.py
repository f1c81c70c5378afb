#!/usr/bin/env python3
"""Make the secret files that docker-compose.yml mounts, once: nothing that is there is replaced.

    python3 docs/make_secrets.py /etc/dtm-sharing/secrets --origin dtm.example.org

Needs Python 3.9 or later and openssl, nothing else. The folder gets mode 0700, which keeps other accounts of
the host out; the files get 0444, because those who read them in the containers are not the account that
owns them here.
"""

from __future__ import annotations

import argparse
import base64
import json
import re
import secrets
import subprocess
import sys
import tempfile
from pathlib import Path

MAIL_HOST, MAIL_PORT, MAIL_LOGIN = "mail", 1025, "dtm-sharing"
STORE_ACCOUNT = "dtm-sharing"


def connections(origin: str, mail_password: str) -> dict[str, dict[str, object]]:
    """The Airflow connections: the master secret, and the mail catcher of the profile ``try``."""
    return {
        "dtm_sharing_keys": {
            "conn_type": "generic",
            "host": origin,
            "password": base64.b64encode(secrets.token_bytes(32)).decode(),
        },
        "dtm_sharing_smtp": {
            "conn_type": "smtp",
            "host": MAIL_HOST,
            "port": MAIL_PORT,
            "login": MAIL_LOGIN,
            "password": mail_password,
            "extra": {
                "from_email": f"dtm@{origin}",
                "disable_ssl": True,
                "ca_file": "/run/secrets/mail_ca.pem",
            },
        },
    }


def store_files(secret: str) -> dict[str, str]:
    """The account of the S3 server, as the server reads it and as its client does."""
    account = {"access": STORE_ACCOUNT, "secret": secret, "role": "userplus"}
    return {
        "object_store_root": secrets.token_urlsafe(32),
        "object_store_users.json": json.dumps({"accessAccounts": {STORE_ACCOUNT: account}}, indent=2),
        "object_store_credentials": (
            f"[default]\naws_access_key_id = {STORE_ACCOUNT}\naws_secret_access_key = {secret}\n"
        ),
    }


def contents(origin: str) -> dict[str, str]:
    """Every file but the certificate, by name. Passwords are URL-safe: one stands in a database URL."""
    mail_password = secrets.token_urlsafe(24)
    return {
        "postgres_password": secrets.token_urlsafe(32),
        "airflow_fernet_key": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "airflow_api_secret_key": secrets.token_hex(32),
        "airflow_jwt_secret": secrets.token_hex(64),
        "airflow_users.json": json.dumps({"admin": secrets.token_urlsafe(24)}),
        "connections.json": json.dumps(connections(origin, mail_password), indent=2),
        "mail_users": f"{MAIL_LOGIN}:{mail_password}\n",
        **store_files(secrets.token_urlsafe(32)),
    }


def make_certificate(folder: Path) -> None:
    """``mail_ca.pem`` and ``mail_key.pem``: for the mail catcher, which is its own authority."""
    command = ["openssl", "req", "-x509", "-newkey", "rsa:3072", "-nodes", "-days", "825"]
    command += ["-subj", f"/CN={MAIL_HOST}", "-addext", f"subjectAltName=DNS:{MAIL_HOST}"]
    command += ["-keyout", str(folder / "mail_key.pem"), "-out", str(folder / "mail_ca.pem")]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - nothing of it comes from outside


def make(folder: Path, origin: str) -> None:
    """Make the folder and all files in it, or nothing at all.

    Raises:
        FileExistsError: the folder is there. Its master secret may be the only key to a ledger.
        OSError, subprocess.CalledProcessError: it could not be written, or openssl failed.
    """
    if folder.exists():
        raise FileExistsError(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as scratch:
        part = Path(scratch, folder.name)
        part.mkdir(mode=0o700)
        make_certificate(part)
        for name, content in contents(origin).items():
            (part / name).write_text(content, encoding="utf-8")
        for path in part.iterdir():
            path.chmod(0o444)
        part.rename(folder)


def main() -> int:
    parser = argparse.ArgumentParser(description="Make the secret files that docker-compose.yml mounts.")
    parser.add_argument("folder", type=Path, help="a new folder, outside the project")
    parser.add_argument("--origin", required=True, help="the ledger's name for ever, e.g. dtm.example.org")
    options = parser.parse_args()
    if not re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", options.origin):
        parser.error(f"--origin is a domain name such as dtm.example.org, not {options.origin!r}")
    try:
        make(options.folder, options.origin)
    except FileExistsError:
        return fail(f"{options.folder} is already there and was left as it is; name a new folder")
    except subprocess.CalledProcessError as problem:
        return fail(f"openssl failed: {problem.stderr.decode(errors='replace').strip()}")
    except OSError as problem:
        return fail(f"{problem.filename or options.folder}: {problem.strerror}")
    print(f"made in {options.folder}:", *sorted(path.name for path in options.folder.iterdir()), sep="\n  ")
    return 0


def fail(sentence: str) -> int:
    print(f"make_secrets: {sentence}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
