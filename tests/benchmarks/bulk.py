"""One urgent meeting among many that are imported: how long it waits for its mail. `python tests/benchmarks/bulk.py`

An engine serves, with its Prefect server. `procession crm import` brings the meetings in, in a process of its own; every now and
then somebody saves one, while the rows are written and while the engine works on them. What is measured is the time from the
commit of that save to the acceptance of its mail.
"""

import json
import logging
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import office
import psutil
import typer
from office import Sink

from crm.sample import Meeting, save_meeting
from flows.wiring import Application
from procession.ports import Actor
from procession.records import Ref

SOMEBODY = "somebody@urgent.example"
CONTACTS = ("ann.becker@acme.example", "luc.dupont@lumiere.example", "ken.sato@sakura.example")


@dataclass
class Urgent:
    """Somebody who saves a meeting, and waits for its mail."""

    app: Application
    mails: Sink
    contact: Ref
    about: Ref
    seen: int = 0
    others: int = 0
    _read: int = 0
    spans: dict[str, list[float]] = field(default_factory=dict)
    waits: dict[str, list[float]] = field(default_factory=dict)
    """From the wish to save until it was saved."""

    def save(self, phase: str, patience: float = 120) -> None:
        meeting = Meeting("Urgent", datetime.now(UTC) + timedelta(days=2), self.contact, self.about)
        before, began = self.look(), time.time()
        save_meeting(self.app.store, meeting, Actor("user", "anna"))
        saved = time.time()
        self.waits.setdefault(phase, []).append(saved - began)
        while self.look() == before:
            if time.time() - saved > patience:
                raise SystemExit(f"an urgent mail was not sent within {patience:g} seconds ({phase})")
            time.sleep(0.002)
        self.spans.setdefault(phase, []).append(time.time() - saved)

    def look(self) -> int:
        """How many of the urgent mails were accepted; `others` counts those of the import."""
        self.mails.log.touch()
        with self.mails.log.open("rb") as lines:
            lines.seek(self._read)
            text = lines.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._read += len(whole)
        urgent = whole.count(SOMEBODY.encode())
        self.seen += urgent
        self.others += whole.count(b"\n") - urgent
        return self.seen


def file_of(folder: Path, count: int) -> Path:
    start = datetime.now(UTC).replace(second=0, microsecond=0, tzinfo=None) + timedelta(days=3)
    path = folder / "meetings.csv"
    with path.open("w") as file:
        file.write("Type,Subject,Status,Start,End,Timezone,Contact,Opportunity\n")
        for number in range(count):
            at = start + timedelta(minutes=15 * (number % 96))
            file.write(
                f"meeting,Imported {number},planned,{at},{at + timedelta(hours=1)},Europe/Berlin,"
                f"{CONTACTS[number % 3]},opportunity:{1 + number % 3}\n"
            )
    return path


@contextmanager
def importing(project: Path, file: Path) -> Iterator["subprocess.Popen[str]"]:
    program = Path(sys.executable).with_name("procession")
    command = [str(program), "--project", str(project), "crm", "import", str(file), "--entity", "activity"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def measure(app: Application, mails: Sink, file: Path, seconds: float) -> dict[str, object]:
    with app.store.unit() as unit:
        row = {"name": "Somebody", "email": SOMEBODY, "language": "en", "timezone": "Europe/Berlin"}
        (contact,) = unit.records.create("contact", [row], Actor("user", "anna"))
        unit.commit()
    urgent = Urgent(app, mails, contact, Ref("opportunity", 1))
    with app.serve(publish=True):
        for number in range(25):
            urgent.save("warming up" if number < 5 else "alone")
            time.sleep(0.2)
        began = time.time()
        with importing(app.project, file) as process:
            while process.poll() is None:
                urgent.save("while it is imported")
                time.sleep(1)
            assert process.stdout
            said = process.stdout.read()
        took = time.time() - began
        if process.returncode:
            raise SystemExit(said)
        until = time.time() + seconds
        while time.time() < until:
            urgent.save("while it is worked on")
            time.sleep(1)
        urgent.look()
        mailed = urgent.others
        memory = psutil.Process().memory_info().rss
    return {
        "import_seconds": round(took, 1),
        "mails_of_the_import_meanwhile": mailed,
        "rss_mb": round(memory / 1e6),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3),
        **{f"to save, {phase}": told(spans) for phase, spans in urgent.waits.items()},
        **{f"from save to mail, {phase}": told(spans) for phase, spans in urgent.spans.items()},
    }


def told(spans: Sequence[float]) -> str:
    ordered = sorted(spans)
    p95 = ordered[int(len(ordered) * 0.95)]
    return (
        f"{len(spans)} saves: p50 {1000 * statistics.median(spans):.0f}, p95 {1000 * p95:.0f}, "
        f"at most {1000 * ordered[-1]:.0f} ms"
    )


def main(
    count: int = typer.Option(100_000, help="Meetings that are imported."),
    seconds: float = typer.Option(60, help="How long it is measured after the import."),
    database: str = typer.Option("", help="postgresql://… of an empty database; otherwise SQLite."),
) -> None:
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with office.sink(folder / "mail") as mails:
            app = office.project(folder / "project", mails.port, database)
            file = file_of(folder, count)
            print(json.dumps(measure(app, mails, file, seconds), indent=2))
    print(f"{count} meetings, {os.cpu_count()} cores, {datetime.now(UTC).date()}")


if __name__ == "__main__":
    typer.run(main)
