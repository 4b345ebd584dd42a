"""How quick the engine is, side by side with what one would write instead: `python tests/benchmarks`.

Every contender runs in a process of its own, several times in turn, with a mail sink of its own; the medians
are shown. Nothing here is a test: on another machine the figures differ, their ratios less.
"""

import json
import os
import platform
import statistics
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

HERE = Path(__file__).parent
TITLES = {
    "engine": "Procession, Prefect server running",
    "loop": "plain loop, a connection for each mail",
    "loop-kept": "plain loop, one connection for all",
    "flow-tuned": "Prefect flow by hand, tuned",
    "flow-installed": "Prefect flow by hand, as installed",
}


def measure(name: str, count: int) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, HERE / "contender.py", name, str(count)],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def median(runs: list[dict[str, float]]) -> dict[str, float]:
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


def main(
    count: int = typer.Option(1000, help="Meetings saved at once."),
    rounds: int = typer.Option(3, help="How often each contender runs."),
    as_json: bool = typer.Option(False, "--json", help="One JSON document."),
) -> None:
    counts = {"engine": count, "loop": count, "loop-kept": count, "flow-tuned": 60, "flow-installed": 15}
    todo = [(name, counts[name]) for _ in range(rounds) for name in counts]
    todo += [("latency", 60), ("compiled", 60)]
    runs = defaultdict(list)
    console = Console(stderr=True)
    for name, size in track(todo, "measuring", console=console):
        runs[name].append(measure(name, size))
    found = {name: median(some) for name, some in runs.items()}
    if as_json:
        print(json.dumps({"machine": machine(), "count": count, "rounds": rounds, **found}, indent=2))
        return
    show(found, count, rounds)


def machine() -> str:
    return f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}, Python {platform.python_version()}"


def show(found: dict[str, dict[str, float]], count: int, rounds: int) -> None:
    table = Table(
        title=f"{count} meetings saved at once → mail accepted, History written (median of {rounds})"
    )
    for heading in ("", "meetings/s", "times the loop", "CPU ms each, all processes"):
        table.add_column(heading, justify="left" if not heading else "right")
    for name, title in TITLES.items():
        row = found[name]
        ratio = row["per_second"] / found["loop"]["per_second"]
        table.add_row(title, f"{row['per_second']:.1f}", f"{ratio:.2f}", f"{row['cpu_ms']:.1f}")
    console = Console()
    console.print(table)
    idle, compiled = found["latency"], found["compiled"]
    console.print(f"Idle engine, save → accepted: p50 {idle['p50_ms']:.0f} ms, p95 {idle['p95_ms']:.0f} ms")
    console.print(
        f"Compiled flow / the same flow by hand: {compiled['ratio']:.2f} (median of {compiled['pairs']:.0f} pairs)"
    )
    console.print(f"Measured on {machine()}.")


if __name__ == "__main__":
    typer.run(main)
