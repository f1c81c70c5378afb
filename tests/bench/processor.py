"""A process that parses DAG files as Airflow's DAG processor does: the files' code, then serialization.

    processor.py whole FILE    parse one file and exit: a process from its start
    processor.py forked        stand in for the manager: fork for each line {"file": …, "forget": …} of stdin

The real manager has imported Airflow, our plugin and our cluster policy before it forks; so has this one.
``forget`` is a folder whose files are removed first: the kept index of pathways.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import time
from pathlib import Path

import structlog
from airflow import plugins_manager
from airflow.dag_processing import manager  # noqa: F401 - what the real one holds when it forks
from airflow.dag_processing.processor import DagFileParseRequest, _parse_file

HEAVY = ("boto3", "great_expectations", "numpy", "pandas", "pyarrow", "xlsxwriter")


def parse(path: Path) -> dict[str, object]:
    """Parse and serialize one file. Tells how many DAGs came of it, and which heavy libraries it loaded."""
    request = DagFileParseRequest(
        file=str(path), bundle_path=path.parent, bundle_name="bench", callback_requests=[]
    )
    with contextlib.redirect_stdout(sys.stderr):
        result = _parse_file(request, structlog.get_logger())
    return {
        "dags": len(result.serialized_dags),
        "tasks": sum(len(dag.data["dag"]["tasks"]) for dag in result.serialized_dags),
        "errors": result.import_errors or {},
        "heavy": [name for name in HEAVY if name in sys.modules],
    }


def forked(path: Path) -> dict[str, object]:
    """Parse in a process forked from this one. Its cost is what the system charged to it, fork included."""
    inlet, outlet = os.pipe()
    began = time.perf_counter()
    child = os.fork()
    if not child:
        os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "client"  # as in the real one
        with os.fdopen(outlet, "w") as told:
            json.dump(parse(path), told)
        os._exit(0)
    os.close(outlet)
    with os.fdopen(inlet) as told:
        said = told.read()
    _, status, usage = os.wait4(child, 0)
    return {
        "exit": os.waitstatus_to_exitcode(status),
        "wall": time.perf_counter() - began,
        "usage": {name: getattr(usage, name) for name in ("ru_utime", "ru_stime", "ru_maxrss")},
        "told": json.loads(said or "{}"),
    }


def main() -> None:
    if sys.argv[1] == "whole":
        print(json.dumps(parse(Path(sys.argv[2]))), flush=True)
        os._exit(0)  # as a parsing process ends: without tidying up
    plugins_manager._get_plugins()
    for line in sys.stdin:
        wanted = json.loads(line)
        if wanted["forget"]:
            shutil.rmtree(wanted["forget"], ignore_errors=True)
        print(json.dumps(forked(Path(wanted["file"]))), flush=True)


if __name__ == "__main__":
    main()
