"""Load DAG files in a fresh process with our plugins folder, on an Airflow home of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def loaded(dags: Path, home: Path, **settings: str) -> dict[str, Any]:
    """What the process of ``support/parse.py`` told."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "DTM_"))},
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "DTM_SHARING_POLICIES": str(ROOT / "policies"),
        **settings,
    }
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "support" / "parse.py"), str(dags)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))
