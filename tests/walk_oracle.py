"""The way of one instance through its plan: which step is next, given what came of the last one.

Pure: a generator that yields a `Turn` and is sent what was `Taken`, or has `StepFailed` thrown in where a
step failed for good. It ends by itself, or with `StepFailed` if nothing caught the error, or with
`Stopped`. Whether a turn was just taken or is answered from the journal makes no difference to it.
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any

from procession.plan import Plan, Step
from procession.steps.kind import Stop


@dataclass(frozen=True, slots=True)
class Turn:
    """A step whose turn it is. `round` names the passes of the loops around it (``, `2`, `2.0`)."""

    step: Step
    round: str


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of a turn: slots of child steps to enter in order, items to go through, an end."""

    branches: tuple[str, ...] = ()
    items: tuple[Any, ...] = ()
    stop: Stop | None = None


class StepFailed(Exception):  # what happened, not what it is
    """A step failed for good. `error` is what `error.*` means in `on_error` and `errors`."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        super().__init__(error)
        self.error = error


class Stopped(Exception):  # a way out of nested steps
    """A `stop` step ended the instance; `after` is the error that an `errors` section took care of."""

    def __init__(self, stop: Stop) -> None:
        super().__init__(stop)
        self.stop = stop


Walk = Generator[Turn, Taken, Mapping[str, Any] | None]
"""Returns the error that the `errors` of the process took care of, or None."""


def walk(plan: Plan, names: dict[str, Any]) -> Walk:
    """Walk the plan. The loop variable and `error` are put into `names` as the way leads there.

    Raises:
        StepFailed: an error that neither `on_error` nor `errors` caught.
        Stopped: a `stop` step was reached.
    """
    try:
        yield from _through(plan.steps, "", names)
    except StepFailed as failure:
        if not plan.errors:
            raise
        names["error"] = failure.error
        yield from _through(plan.errors, "", names)
        return failure.error
    return None


def _through(steps: tuple[Step, ...], round_: str, names: dict[str, Any]) -> Generator[Turn, Taken, None]:
    for step in steps:
        try:
            taken = yield Turn(step, round_)
        except StepFailed as failure:
            if not step.on_error:
                raise
            names["error"] = failure.error
            yield from _through(step.on_error, round_, names)
            continue
        if taken.stop:
            raise Stopped(taken.stop)
        for slot in taken.branches:
            yield from _through(step.slots.get(slot, ()), round_, names)
        for number, item in enumerate(taken.items):
            names[step.each] = item
            yield from _through(step.slots["steps"], f"{round_}.{number}".lstrip("."), names)
