"""How much instances that wait for events cost: `python tests/benchmarks/waiting.py --count 100000`.

All of them wait for one signal, or for a change of one record. Saves of that record are timed with and without them; then the
signal wakes them all. On SQLite, in one process, without Prefect.
"""

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import typer
from office import ANNA, Office
from rich.console import Console
from rich.table import Table

from procession.engine import Engine
from procession.engines import beating
from procession.ports import Event, Start
from procession.values import to_json

PROCESS = """
process: p
inputs: {meeting: {type: record, of: activity}}
triggers: [{manual: {on: activity}}]
steps:
  - id: open
    wait_for: [{signal: office opens}, {record: activity, events: [modified], changed: [location]}]
"""
AT_ONCE = 500
SAVES = 200


def timed(do: Callable[[], object]) -> float:
    """Seconds."""
    begin = time.perf_counter()
    do()
    return time.perf_counter() - begin


def in_words(seconds: list[float]) -> str:
    ordered = sorted(seconds)
    middle, late = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.95)]
    return f"{middle * 1e3:.2f} / {late * 1e3:.2f} / {ordered[-1] * 1e3:.1f} ms"


def memory() -> str:
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB"


def save(office: Office, number: int) -> None:
    with office.ports.store.unit() as unit:
        unit.records.update([(office.known["meeting"], {"subject": f"Talk {number} {time.time()}"})], ANNA)
        unit.commit()


def lay_down(office: Office, engine: Engine, count: int) -> None:
    plan = office.deploy(PROCESS)
    inputs = to_json({"meeting": office.known["meeting"]})
    start = Start("p", plan.digest, "P", "", "parallel", inputs, {"id": "by_hand"})
    for _ in range(0, count, AT_ONCE):
        with office.ports.store.unit() as unit:
            unit.journal.start([start] * AT_ONCE, office.clock.now())
            unit.commit()
        work(engine)


def work(engine: Engine) -> None:
    while engine.tick():
        pass


def throw(office: Office, engine: Engine) -> list[float]:
    """How long each portion takes that the signal wakes."""
    with office.ports.store.unit() as unit:
        unit.journal.append([Event(0, office.clock.now(), "signal", name="office opens")])
        unit.commit()
    portions = []
    while engine._glance().pending:
        portions.append(timed(lambda: engine.planner.plan(engine._glance())))
    return portions


def main(count: int = typer.Option(100_000, help="Instances that wait.")) -> None:
    """Lay down instances that wait for an event, and wake them."""
    office = Office(Path(tempfile.mkdtemp(prefix="procession-waiting-")))
    office.given("ann", "contact", name="Ann", email="ann@acme.example")
    office.given("meeting", "activity", type="task", category="meeting", subject="Talk", contact="ann")
    table = Table("what", "p50 / p95 / most, or all of it", title=f"{count:,} wait for one event")
    table.add_row(
        "a save in an empty store", in_words([timed(lambda: save(office, 0)) for _ in range(SAVES)])
    )
    office.nothing_new()
    engine = office.engine()
    with beating(office.ports.engine):
        table.add_row("laid down", f"{timed(lambda: lay_down(office, engine, count)):.1f} s, {memory()}")
        table.add_row("an idle tick", in_words([timed(engine.tick) for _ in range(SAVES)]))
        table.add_row(
            "a save of their record", in_words([timed(lambda: save(office, 1)) for _ in range(SAVES)])
        )
        work(engine)
        portions = throw(office, engine)
        table.add_row(f"woken by one signal, {len(portions)} portions", in_words(portions))
        table.add_row("all ended", f"{timed(lambda: work(engine)):.1f} s, {memory()}")
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
