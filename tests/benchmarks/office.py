"""What all contenders share: a project folder with saved meetings, a mail sink of its own, a stopwatch.

The mail is the same for all: the template of `notify_contact_of_meeting`, rendered and composed by the same
code, with the meeting's .ics file. What differs is how the work gets done and what is remembered of it.
"""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil

from flows.wiring import Application, application

ROOT = Path(__file__).parents[2]
PROCESS = "notify_contact_of_meeting"


@dataclass(frozen=True)
class Sink:
    """An SMTP server in a process of its own; it keeps a line for each mail, not the mails."""

    port: int
    pid: int
    log: Path

    def accepted_at(self) -> list[float]:
        """Seconds since the epoch, in order of acceptance."""
        if not self.log.exists():
            return []
        whole, _, _ = self.log.read_text().rpartition("\n")
        return [json.loads(line)["at"] for line in whole.splitlines()]

    def wait_for(self, count: int, seconds: float = 300) -> list[float]:
        """Counts lines as they come and reads them at the end: who measures must not keep the measured from work."""
        deadline = time.monotonic() + seconds
        self.log.touch()
        found = 0
        with self.log.open("rb") as lines:
            while (found := found + lines.read().count(b"\n")) < count:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{found} of {count} mails arrived in {seconds:g} seconds")
                time.sleep(0.002)
        return self.accepted_at()


@contextmanager
def sink(folder: Path) -> Iterator[Sink]:
    command = [sys.executable, "-m", "procession.testing.inbox", "--maildir", folder, "--no-contents"]
    with subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        try:
            yield Sink(said["port"], said["pid"], folder / "accepted.jsonl")
        finally:
            process.terminate()


def project(folder: Path, smtp_port: int, database: str = "") -> Application:
    """A project with the sample data and only the main job."""
    (folder / "processes").mkdir(parents=True)
    shutil.copy(ROOT / "processes" / f"{PROCESS}.yaml", folder / "processes")
    shutil.copytree(ROOT / "templates", folder / "templates")
    (folder / "procession.toml").write_text(
        (f'database = "{database}"\n' if database else "")
        + 'mail_domain = "bench.example"\ndefault_sender = "CRM <crm@bench.example>"\n'
        f'[smtp]\nhost = "127.0.0.1"\nport = {smtp_port}\nsecurity = "none"\n[prefect]\nport = 0\n'
    )
    app = application(folder)
    app.upgrade()
    app.load_sample()
    return app


def save(app: Application, count: int) -> tuple[list[int], float]:
    """Save meetings in one transaction; their numbers, and when that was committed."""
    from crm.sample import save_meetings

    refs = save_meetings(app.store, count, datetime.now(UTC))
    return [ref.id for ref in refs], time.time()


def cpu_seconds(pids: list[int]) -> float:
    """User and system time of these processes and all below them."""
    processes = {
        process
        for pid in pids
        for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True))
    }
    return sum(sum(process.cpu_times()[:2]) for process in processes)
