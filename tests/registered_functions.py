"""Functions that a child process imports and calls, as it does those of an application."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from procession.errors import TemporaryError


class Busy(TemporaryError):
    """An application's own."""


def about(**args: Any) -> dict[str, Any]:
    return {"args": args, "process": os.getpid(), "secret": os.environ.get("SECRET_OF_A_FUNCTION", "")}


def sleep_for_ever() -> None:
    threading.Event().wait()


def leave(marks: str) -> None:
    """Says that it was called, and ends the process that calls it."""
    with Path(marks).open("a") as file:
        file.write("called\n")
    os._exit(3)


def crash() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def take_memory() -> int:
    taken = []
    while True:
        taken.append(bytearray(b"x" * 10_000_000))


def leave_others_behind(marks: str) -> None:
    """Ends its process; one that it forked lives on, and has the same files open."""
    child = os.fork()
    if not child:
        threading.Event().wait()
    Path(marks).write_text(str(child))
    os._exit(3)


def close_all_files() -> None:
    os.closerange(0, 256)
    threading.Event().wait()


def say() -> str:
    sys.stdout.write("a word of a function")
    return "said"


def fail() -> None:
    raise ValueError("no luck today")


def be_busy() -> None:
    raise Busy("come again", hint="Tomorrow.")


def give_what_nobody_can_keep() -> object:
    return object()


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "about": about,
    "sleep_for_ever": sleep_for_ever,
    "leave": leave,
    "crash": crash,
    "take_memory": take_memory,
    "leave_others_behind": leave_others_behind,
    "close_all_files": close_all_files,
    "say": say,
    "fail": fail,
    "be_busy": be_busy,
    "give_what_nobody_can_keep": give_what_nobody_can_keep,
    "nameless": lambda: "as good as any",
}
