"""What a worker does with some instances, noted for people: which steps it takes, when, and what became of them.

The worker notes it while it works, which costs next to nothing; `flows.telling` shows it in Prefect, beside the work
or afterwards. A picture is what one flow run shows: one segment, or several that are told at the same time.
"""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from prefect.client.schemas.objects import State
from prefect.states import Running

from flows import words
from flows.starting import go_on
from flows.task_runs import TaskRun
from procession.advance import Wrap
from procession.errors import ProcessionError
from procession.plan import Plan, Step
from procession.ports import Clock, End, Instance

MOST_TASKS = 100
"""So many steps of a segment are a task run each; of those that follow (loops), all of one path share one."""


@dataclass(slots=True)
class StepTaken:
    """A step of `count` instances; without `ended` it goes on."""

    step: Step
    count: int
    began: datetime
    ended: datetime | None = None
    errors: Sequence[ProcessionError] = ()


@dataclass(slots=True, eq=False)
class Segment:
    """`broken_off` says why its instances go on in another one though they could have gone on in this."""

    plan: Plan
    instances: Sequence[Instance]
    began: datetime
    steps: list[StepTaken] = field(default_factory=list)
    ends: Sequence[End] = ()
    broken_off: str = ""
    ended: datetime | None = None


def noting(segment: Segment, clock: Clock, stopping: threading.Event) -> Wrap[Any]:
    """Notes each step that is taken, until the engine is to stop."""

    def wrap(step: Step, count: int, do: Callable[[], Any]) -> Any:
        go_on(stopping)
        taken = StepTaken(step, count, clock.now())
        segment.steps.append(taken)
        try:
            taken.errors = do()
        except ProcessionError as error:
            taken.errors = [error] * count
            raise
        finally:
            taken.ended = clock.now()
        return taken.errors

    return wrap


@dataclass(slots=True, eq=False)
class Picture:
    """What one flow run shows. `run` is known once Prefect has it; `told` is how much of the steps Prefect was told."""

    segments: Sequence[Segment]
    run: UUID | None = None
    told: int = 0

    @property
    def plan(self) -> Plan:
        return self.segments[0].plan

    @property
    def instances(self) -> list[Instance]:
        return [instance for segment in self.segments for instance in segment.instances]

    @property
    def ends(self) -> list[End]:
        return [end for segment in self.segments for end in segment.ends]

    @property
    def began(self) -> datetime:
        return min(segment.began for segment in self.segments)

    @property
    def ended(self) -> datetime | None:
        ended = [segment.ended for segment in self.segments if segment.ended]
        return max(ended) if len(ended) == len(self.segments) else None

    @property
    def progress(self) -> int:
        """How much there is to tell of its steps."""
        return sum(1 + (taken.ended is not None) for segment in self.segments for taken in segment.steps)

    def state(self, now: datetime) -> State[Any]:
        """The final one, told now."""
        why = self.segments[0].broken_off
        state = words.interrupted(why) if why else words.ends_state(self.ends)
        return words.when(state, self.began, self.ended or now, now)

    def tasks(self) -> list[TaskRun]:
        """Steps of several segments are told together, path by path."""
        steps = list(self.segments[0].steps) if len(self.segments) == 1 else []
        rest = [taken for segment in self.segments for taken in segment.steps]
        alone, rest = steps[:MOST_TASKS], rest[len(steps[:MOST_TASKS]) :]
        return [_task(str(number), [taken]) for number, taken in enumerate(alone)] + [
            _task("rest" if alone else "0", some) for some in _by_path(rest)
        ]


def pictured(segments: Iterable[Segment], of_their_own: int) -> list[Picture]:
    """Those that are over, as flow runs: up to so many segments of a process each, more of them together. What was
    broken off, and what is of an instance that is in the same picture already, has one of its own."""
    groups: dict[tuple[str, str], list[Segment]] = defaultdict(list)
    for segment in segments:
        groups[segment.plan.process, segment.plan.digest].append(segment)
    return [picture for group in groups.values() for picture in _together(group, of_their_own)]


def _together(group: Sequence[Segment], of_their_own: int) -> list[Picture]:
    if len(group) <= of_their_own:
        return [Picture([segment]) for segment in group]
    shared: list[Segment] = []
    alone: list[Picture] = []
    seen: set[int] = set()
    for segment in group:
        ids = {instance.id for instance in segment.instances}
        if segment.broken_off or ids & seen:
            alone.append(Picture([segment]))
        else:
            seen |= ids
            shared.append(segment)
    return ([Picture(shared)] if shared else []) + alone


def _by_path(steps: Sequence[StepTaken]) -> list[list[StepTaken]]:
    found: dict[str, list[StepTaken]] = defaultdict(list)
    for taken in steps:
        found[taken.step.path].append(taken)
    return list(found.values())


def _task(number: str, some: Sequence[StepTaken]) -> TaskRun:
    step, count = some[0].step, sum(taken.count for taken in some)
    began, ends = min(taken.began for taken in some), [taken.ended for taken in some if taken.ended]
    ended = max(ends) if len(ends) == len(some) else None
    errors = [error for taken in some for error in taken.errors]
    state: State[Any] = words.step_state(step, count, errors) if ended else Running()
    return TaskRun(step.path, number, words.task_name(step, count), state, began, ended)
