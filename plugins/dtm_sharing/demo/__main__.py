"""``make demo`` and ``make up``: one round through a real Airflow, and what came of it."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from dtm_sharing.demo.runner import run
from dtm_sharing.demo.server import ROOT
from dtm_sharing.errors import SharingError


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m dtm_sharing.demo", description=__doc__)
    parser.add_argument("--round-file", type=Path, help="a site assessment of Nepal's shape (made up)")
    parser.add_argument("--folder", type=Path, default=ROOT / ".demo", help="default: %(default)s")
    parser.add_argument("--stay", action="store_true", help="leave Airflow running until Ctrl-C")
    options = parser.parse_args(arguments)
    try:
        return run(options.folder.resolve(), options.round_file, stay=options.stay)
    except SharingError as problem:
        print(f"demo: {problem}", file=sys.stderr)
        return problem.exit_code
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    began = time.monotonic()
    code = main(sys.argv[1:])
    print(f"demo: {'done' if code == 0 else 'failed'} after {time.monotonic() - began:.0f} s")
    sys.exit(code)
