"""One piece of work in a process of its own: arguments as JSON on stdin, its figures as JSON on
stdout's last line.
"""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parent.parent


class WorkError(Exception):
    """A piece of work that ended with an error, in one line."""


def run(work: str, *, python: str = sys.executable, **arguments: Any) -> dict[str, Any]:
    """Runs benchmarks.work.<work>. Raises: WorkError."""
    done = subprocess.run(
        [python, "-m", "benchmarks.child", work],
        input=json.dumps(arguments),
        capture_output=True,
        text=True,
        cwd=_ROOT,
        env=os.environ | {"PYTHONWARNINGS": "ignore"},
    )
    if done.returncode != 0:
        lines = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()
        raise WorkError(f"{work}: {lines[-1]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


if __name__ == "__main__":
    module = importlib.import_module(f"benchmarks.work.{sys.argv[1]}")
    print(json.dumps(module.run(**json.loads(sys.stdin.read()))))
