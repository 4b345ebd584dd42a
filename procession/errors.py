"""Everything that can go wrong, in one tree.

    ProcessionError
    ├── ProcessError              the author's: a definition cannot be used as written; has a place
    │   ├── SyntaxProblem           the file is not readable YAML, or not text
    │   ├── ShapeProblem            a key or a value is not what the language knows
    │   └── ReferenceProblem        a name leads nowhere, or to something of the wrong type
    ├── ProcessErrors             all problems of one reading, sorted by place
    ├── ConfigurationError        the operator's: a setting, a file or a server; never retried, never swallowed
    ├── InputError                the caller's: a bad argument, an unknown record, an unreadable row
    ├── TemporaryError            worth another try
    │   └── TransportDeferred       connection refused or dropped before acceptance, SMTP 4xx, throttling
    │       ├── Unanswered            ... of these, what is no answer: not reached, silent, cut
    │       └── NotAsked              the server did not answer the ones before, so it was not asked
    ├── PermanentError            no use trying again
    │   ├── ExpressionError         an expression failed on the values it met; has a place
    │   ├── TransportRefused        SMTP 5xx, no valid recipient
    │   ├── StoreError              the store refused a change
    │   └── Unforeseen              a mistake of this program: it is told of as any error, and takes nothing else along
    ├── UnknownOutcome            a mail was handed over and the answer was not read
    └── TimedOut                  what a step waited for did not come in time

Every exception takes one positional message, the rest by keyword with defaults, so that it survives
pickling and Prefect's result store.
"""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from typing_extensions import override


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in a file. `line` and `column` count from 1; `excerpt` is that line's text."""

    file: str
    line: int
    column: int
    excerpt: str = ""

    @override
    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class ProcessionError(Exception):
    """Any error of this package. `hint` says what to do about it, in one sentence."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    @property
    def message(self) -> str:
        return str(self.args[0])


class ProcessError(ProcessionError):
    """A process definition cannot be used as written. `path` names the place in the author's words."""

    def __init__(self, message: str, *, at: Place | None = None, path: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.at, self.path = at, path

    @override
    def __str__(self) -> str:
        """`file:line:column: path: what. hint`, then the line and a caret."""
        head = ": ".join(part for part in (str(self.at or ""), self.path, self.message) if part)
        text = f"{head}. {self.hint}".rstrip() if self.hint else f"{head}."
        if self.at is None or not self.at.excerpt:
            return text
        return f"{text}\n    {self.at.excerpt}\n    {' ' * (self.at.column - 1)}^"


class SyntaxProblem(ProcessError):
    """The file is not readable YAML 1.2, or not UTF-8 text."""


class ShapeProblem(ProcessError):
    """A key or a value is not what the language knows at this place."""


class ReferenceProblem(ProcessError):
    """A name leads nowhere, or to something of the wrong type. `missing` is a name that is not there at all."""

    def __init__(
        self, message: str, *, at: Place | None = None, path: str = "", hint: str = "", missing: str = ""
    ) -> None:
        super().__init__(message, at=at, path=path, hint=hint)
        self.missing = missing


class ProcessErrors(ProcessionError):
    """All problems found in one reading, sorted by file, line and column."""

    def __init__(self, message: str, *, problems: tuple[ProcessError, ...] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(sorted(problems, key=_by_place))

    @override
    def __str__(self) -> str:
        return "\n".join([*map(str, self.problems), self.message])


def _by_place(problem: ProcessError) -> tuple[str, int, int]:
    at = problem.at
    return (at.file, at.line, at.column) if at else ("", 0, 0)


class ConfigurationError(ProcessionError):
    """A setting, file or server the operator answers for is missing or wrong."""


class InputError(ProcessionError):
    """The caller asked for something that is not there or not well-formed."""


class TemporaryError(ProcessionError):
    """Worth another try."""


class TransportDeferred(TemporaryError):
    """A server was not reached, or said "later". Nothing was accepted."""


class Unanswered(TransportDeferred):
    """A server was not reached, or was lost before it answered. Nothing was accepted."""


class NotAsked(TransportDeferred):
    """A server did not answer those before, so this one was put off without a try."""


class NotTried(TransportDeferred):
    """It was broken off since the engine is to stop, before a server had it: it does not count as a try."""


class PermanentError(ProcessionError):
    """No use trying again."""


class ExpressionError(PermanentError):
    """An expression failed on the values it met. `at` is its place in the definition."""

    def __init__(self, message: str, *, at: Place | None = None, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.at = at


class TransportRefused(PermanentError):
    """A server refused the message or every recipient for good (SMTP 5xx)."""


class StoreError(PermanentError):
    """The store refused a change (a constraint, a missing record, a read-only field)."""


FINAL = (PermanentError, InputError)
"""Errors of one thing among many that no other try mends: it is told of, and the others go on."""


class Unforeseen(PermanentError):
    """Something was raised that is none of ours: a mistake of this program."""

    def __init__(self, message: str, *, at: Place | None = None, path: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.at, self.path = at, path


@contextmanager
def foreseen(what: str, *, at: Place | None = None, path: str = "") -> Iterator[None]:
    """The one place that catches everything: what is raised in here and is none of ours becomes `Unforeseen`.

    Args:
        what: what was being done, as the beginning of a sentence.
        at: where in the definition, `path` in the author's words.
    """
    try:
        yield
    except ProcessionError:
        raise
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        raise Unforeseen(
            f"{what} failed in a way nobody foresaw: {type(error).__name__}: {error}"
            f" ({Path(last.filename).name}:{last.lineno})",
            at=at,
            path=path,
            hint="This is a mistake of the program rather than of the process; please report it.",
        ) from error


class UnknownOutcome(ProcessionError):
    """A mail was handed over and the answer was not read: only a person can know."""


class TimedOut(ProcessionError):
    """A step waited in vain for as long as its `timeout` says."""


ErrorClass = Literal["temporary", "permanent", "unknown", "timeout"]


def class_of(error: ProcessionError) -> ErrorClass:
    """How `retry.on` and the journal name an error."""
    if isinstance(error, TemporaryError):
        return "temporary"
    if isinstance(error, TimedOut):
        return "timeout"
    return "unknown" if isinstance(error, UnknownOutcome) else "permanent"
