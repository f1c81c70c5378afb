"""A real Airflow on SQLite in a folder of its own, on free ports: started, asked over REST, stopped."""

from __future__ import annotations

import base64
import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from dtm_sharing.errors import StoreFailed

ROOT = Path(__file__).resolve().parents[3]
START_SECONDS = 300
STOP_SECONDS = 8  # some of its processes wait for each other; what is left then is ended
PASSWORDS = "simple_auth_manager_passwords.json.generated"
FINISHED = {"success", "failed"}


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody uses now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def environment(home: Path, settings: Mapping[str, str]) -> dict[str, str]:
    """The environment of Airflow's processes: nothing of the caller's own Airflow, no analytics."""
    api, worker_log, trigger_log = free_ports(3)
    own = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AIRFLOW", "DTM_SHARING", "PYTHON", "AWS_"))
    }
    fernet = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    return own | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{own.get('PATH', '')}",
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{api}",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(api),
        "AIRFLOW__API__SECRET_KEY": secrets.token_hex(16),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{api}/execution/",
        "AIRFLOW__CORE__FERNET_KEY": fernet,
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": "2",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(trigger_log),
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(worker_log),
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
        "DO_NOT_TRACK": "1",
        "GX_ANALYTICS_ENABLED": "false",
        "SCARF_ANALYTICS": "false",
        **settings,
    }


@dataclass(frozen=True, slots=True)
class Run:
    """A DAG run as Airflow tells of it."""

    dag: str
    id: str
    state: str
    partition: str | None

    @property
    def finished(self) -> bool:
        return self.state in FINISHED


class Server:
    """``airflow standalone`` in a process group of its own, and a REST client for it."""

    def __init__(self, home: Path, settings: Mapping[str, str]) -> None:
        self.home = home
        self.log = home / "standalone.log"
        self._environment = environment(home, settings)
        self.address = self._environment["AIRFLOW__API__BASE_URL"]
        self._process: subprocess.Popen[bytes] | None = None
        self._client = httpx.Client(base_url=self.address, timeout=30)

    def start(self) -> None:
        self.home.mkdir(parents=True)
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "airflow", "standalone"],
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_until_ready(self, dags: Iterable[str], tell: Callable[[str], None]) -> None:
        """Wait for the scheduler, the DAG processor and these DAGs; ``tell`` gets each new state in words.

        Raises:
            StoreFailed: Airflow ended, took too long, or could not load a DAG file.
        """
        wanted, told = set(dags), ""
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            missing = self._missing(wanted)
            if missing is None:
                return
            if missing != told:
                tell(missing)
                told = missing
            time.sleep(0.5)
        raise StoreFailed(f"Airflow was not ready after {START_SECONDS} s ({told}); its log is {self.log}")

    def _missing(self, wanted: set[str]) -> str | None:
        if self._process is None or self._process.poll() is not None:
            raise StoreFailed(f"Airflow ended while starting; the reason is in {self.log}")
        try:
            health = self._client.get("/api/v2/monitor/health").json()
        except (httpx.TransportError, ValueError):
            return "Airflow makes its database and starts"
        parts = {"scheduler": "the scheduler", "dag_processor": "the DAG processor"}
        for part, name in parts.items():
            if (health.get(part) or {}).get("status") != "healthy":
                return f"Airflow answers; waiting for {name}"
        if "Authorization" not in self._client.headers:
            self._sign_in()
        if errors := self.get("/api/v2/importErrors")["import_errors"]:
            last = errors[0]["stack_trace"].strip().splitlines()[-1]
            raise StoreFailed(f"Airflow could not load {Path(errors[0]['filename']).name}: {last}")
        loaded = {dag["dag_id"] for dag in self.get("/api/v2/dags", limit=1000)["dags"]}
        absent = sorted(wanted - loaded)
        return f"Airflow reads the DAG files; {len(absent)} are still to come" if absent else None

    @property
    def password(self) -> str:
        return str(json.loads((self.home / PASSWORDS).read_bytes())["admin"])

    def _sign_in(self) -> None:
        answer = self._client.post("/auth/token", json={"username": "admin", "password": self.password})
        answer.raise_for_status()
        self._client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def get(self, path: str, **query: Any) -> Any:
        """Ask the REST API.

        Raises:
            StoreFailed: Airflow did not answer with success.
        """
        return self._ask("GET", path, params=query)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Tell the REST API. Raises as ``get``."""
        return self._ask("POST", path, json=body)

    def _ask(self, method: str, path: str, **content: Any) -> Any:
        try:
            answer = self._client.request(method, path, **content)
            answer.raise_for_status()
            return answer.json()
        except httpx.HTTPError as problem:
            raise StoreFailed(f"Airflow did not answer {path}: {type(problem).__name__}") from problem

    def trigger(self, dag: str, conf: Mapping[str, str]) -> None:
        self.post(f"/api/v2/dags/{dag}/dagRuns", {"logical_date": None, "conf": dict(conf)})

    def runs(self) -> list[Run]:
        found = self.get("/api/v2/dags/~/dagRuns", limit=100)["dag_runs"]
        return [
            Run(run["dag_id"], run["dag_run_id"], run["state"], run.get("partition_key")) for run in found
        ]

    def failed_tasks(self, run: Run) -> dict[str, str]:
        """The failed tasks of a run, each with the last error sentence in its log."""
        path = f"/api/v2/dags/{run.dag}/dagRuns/{run.id}/taskInstances"
        failed = [each for each in self.get(path)["task_instances"] if each["state"] == "failed"]
        return {each["task_id"]: self._last_error(path, each) for each in failed}

    def _last_error(self, path: str, instance: Mapping[str, Any]) -> str:
        tries = f"{path}/{instance['task_id']}/logs/{instance['try_number']}"
        lines = self.get(tries, full_content=True)["content"]
        ours = [
            line["event"]
            for line in lines
            if isinstance(line, dict) and line.get("level") == "error" and line.get("logger") == "dtm_sharing"
        ]
        return str(ours[-1]) if ours else f"see the log of this task under {self.home / 'logs'}"

    def stop(self) -> None:
        """End Airflow and every process of its session, politely first."""
        self._client.close()
        if self._process is None:
            return
        members = [each for each in psutil.process_iter() if _session(each.pid) == self._process.pid]
        for end in (psutil.Process.terminate, psutil.Process.kill):
            for member in members:
                with suppress(psutil.NoSuchProcess):
                    end(member)
            _, members = psutil.wait_procs(members, timeout=STOP_SECONDS)
        self._process.wait(timeout=STOP_SECONDS)


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except (ProcessLookupError, PermissionError):
        return None
