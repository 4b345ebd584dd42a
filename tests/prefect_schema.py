"""The tables that Prefect's own migrations make, as SQL; `python tests/prefect_schema.py` writes them anew
(after another version of Prefect was locked) where `flows.server` looks for them."""

import os
import sqlite3
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path


def migrated() -> str:
    """Takes ten seconds: Prefect has two hundred migrations."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "prefect.sqlite"
        environment = {
            **os.environ, "PREFECT_HOME": folder, "DO_NOT_TRACK": "1", "PYTHONHASHSEED": "0",
            "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{file}",
        }  # fmt: skip
        command = [sys.executable, "-m", "prefect", "server", "database", "upgrade", "--yes"]
        subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
        database = sqlite3.connect(file)
        text = "\n".join(database.iterdump())
        database.close()
        return text + "\n"


if __name__ == "__main__":
    target = Path(__file__).parents[1] / "flows" / f"prefect_{version('prefect')}.sql"
    target.write_text(migrated(), encoding="utf-8")
    print(target)
