"""How the command line speaks: tables and words for people, one JSON document for programs.

Standard output carries what was asked for; words about the work (progress, hints, errors) go to standard
error. Colour only where somebody looks at it (rich honours NO_COLOR), and never as the only carrier of
meaning.
"""

import json
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Any

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from procession.values import to_json

WIDEST = 120
UNBROKEN = ("when", "start", "started", "since", "state")
"""Columns whose cells are never wrapped, besides the first and the right-aligned ones."""
STATES = {
    "completed": "green", "sent": "green", "done": "green", "well": "green",
    "failed": "red", "incident": "red", "unknown": "red", "unwell": "red",
    "cancelled": "yellow", "withdrawn": "yellow", "stopped": "yellow", "draft": "yellow", "retrying": "yellow", "not set up": "yellow",
    "running": "cyan", "ready": "cyan", "waiting": "cyan", "held": "cyan", "queued": "cyan", "sending": "cyan",
    "skipped": "dim",
}  # fmt: skip
NARROW = {"by": 20}
"""Columns that are wrapped before the others are."""


def out() -> Console:
    """Standard output, as it is now."""
    return _console(stderr=False)


def words() -> Console:
    """Standard error: words about the work."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    console = Console(stderr=stderr, highlight=False, emoji=False, markup=False)
    console.width = min(console.width, WIDEST)
    return console


def say(text: str | Text = "", style: str = "") -> None:
    """A line on standard output; long ones are left to the terminal to wrap, so that they can be copied."""
    out().print(_harmless(text), style=style or None, soft_wrap=True)


def note(text: str, style: str = "") -> None:
    """A line on standard error."""
    words().print(_harmless(text), style=style or None, soft_wrap=True)


_MOVES = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What a terminal obeys instead of showing it: control characters, and changes of the direction of writing."""


def _harmless(text: str | Text) -> str | Text:
    """A text of a record or of a mail server may say anything, and moves nothing on the terminal."""
    if isinstance(text, str):
        return _MOVES.sub("\ufffd", text)
    text.plain = _MOVES.sub("\ufffd", text.plain)
    return text


def emit(document: Any) -> None:
    """The one JSON document of `--json`. Moments, durations and records are written as people write them."""
    sys.stdout.write(json.dumps(plain(document), ensure_ascii=False, indent=2) + "\n")
    sys.stdout.flush()


def plain(value: Any) -> Any:
    """As JSON for other programs: moments in ISO 8601, records as `contact:17`, durations in seconds."""
    match value:
        case datetime():
            return value.isoformat()
        case dict():
            return {str(key): plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
    written = to_json(value)
    if isinstance(written, dict) and len(written) <= 2:  # noqa: PLR2004  {"$record": …, "fields": …}
        return next(iter(written.values()))
    return written


def table(columns: Sequence[str], rows: Iterable[Sequence[str | Text]], *, title: str = "") -> None:
    """A table that fits the width: cells wrap, except in columns of `UNBROKEN`. One named `>…` is right-aligned."""
    drawn = Table(
        box=box.SIMPLE_HEAD, title=title or None, title_justify="left", pad_edge=False, show_edge=False
    )
    for number, column in enumerate(columns):
        right = column.startswith(">")
        drawn.add_column(
            column.removeprefix(">"), justify="right" if right else "left", no_wrap=number == 0 or right or column in UNBROKEN,
            overflow="fold", max_width=NARROW.get(column),
        )  # fmt: skip
    for row in rows:
        drawn.add_row(*map(_harmless, row))
    out().print(drawn)


def facts(pairs: Iterable[tuple[str, str | Text]]) -> None:
    """Names and what they are, one below the other; what is empty is left out."""
    drawn = Table.grid(padding=(0, 3))
    drawn.add_column(style="dim", no_wrap=True)
    drawn.add_column(overflow="fold")
    for name, value in pairs:
        if value:
            drawn.add_row(name, _harmless(value))
    out().print(drawn)


def brief(text: str, longest: int) -> str:
    """In one line of at most so many characters."""
    line = " ".join(text.split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def section(title: str) -> None:
    """A line across with a title in it."""
    say()
    out().rule(_harmless(Text(title)), align="left", style="dim")


def state(word: str) -> Text:
    """A state in its colour."""
    return Text(word, style=STATES.get(word, ""))


def moment(at: datetime | None) -> str:
    """In the zone of this machine, to the second."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S") if at else ""


def short_time(at: datetime | None) -> str:
    """In the zone of this machine, to the minute."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M") if at else ""


def zoned_time(at: datetime | None, zone: tzinfo | None = None) -> str:
    """In this zone, or that of this machine, to the minute, with that zone."""
    return at.astimezone(zone).strftime("%Y-%m-%d %H:%M %Z") if at else ""


def lasting(duration: timedelta) -> str:
    """`0.12 s`, `3 min`, `2 h`: the largest unit that says something."""
    seconds = duration.total_seconds()
    if seconds < 60:  # noqa: PLR2004
        return f"{seconds:.2f} s"
    return f"{seconds / 60:.0f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"  # noqa: PLR2004


def progress() -> Progress:
    """A bar on standard error; nothing where nobody watches."""
    console = words()
    return Progress(
        TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn(), TimeElapsedColumn(),
        console=console, transient=True, disable=not console.is_terminal,
    )  # fmt: skip
