"""Takes claimed instances of one plan to the end of their segment, many at a time.

Where an instance is, is data (`procession.run`, `procession.position`). All instances whose turn is at the same step
take it together: each decides (pure), then `procession.perform` does the effects of all of them in one unit, and writes
where they are then. So a segment that died goes on where the last unit left it. One instance is the case N = 1.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from procession import run as r
from procession.apply import Work
from procession.decide import decide
from procession.errors import (
    FINAL,
    ConfigurationError,
    ExpressionError,
    NotAsked,
    ProcessionError,
    UnknownOutcome,
    class_of,
    foreseen,
)
from procession.names import first_names, history_ref, read_inputs, with_records
from procession.perform import Result, perform, worth_another_try, write
from procession.plan import Plan, Step
from procession.ports import End, Instance, Ports
from procession.position import Turn
from procession.remaining import reopened, still_running, with_arrivals
from procession.run import Run
from procession.values import writable

T = TypeVar("T")
Wrap = Callable[[Step, int, Callable[[], T]], T]
"""Wraps the work of one step for so many instances; the Prefect edge makes a task run of it. The work returns the
errors of those for whom it failed."""

Runs = dict[int, Run]
"""The instances of this segment, by number."""


def direct(_step: Step, _count: int, do: Callable[[], T]) -> T:
    return do()


def advance(
    plan: Plan, instances: Sequence[Instance], ports: Ports, wrap: Wrap[Any] = direct, *, again: bool = False
) -> list[End]:
    """Advance instances that `Journal.claim` gave to this engine; returns what became of each. `again`: they have begun
    under this very claim.

    Raises:
        ConfigurationError, TemporaryError: the store does not answer; the instances are given back when it does
            (`ThisEngine.holding`).
    """
    with ports.engine.holding(instances):
        try:
            return _segment(plan, instances, ports, wrap, again=again)
        except FINAL as error:
            if len(instances) == 1:
                return [_give_up(plan, instances[0], error, ports)]
        # What the others have done is written: each half goes on from there, and soon the one is alone.
        left, ends = still_running(instances, ports)
        halves = left[: len(left) // 2], left[len(left) // 2 :]
        return ends + [end for some in halves if some for end in advance(plan, some, ports, wrap, again=True)]


def _segment(
    plan: Plan, instances: Sequence[Instance], ports: Ports, wrap: Wrap[Any], *, again: bool
) -> list[End]:
    """Raises:
    FINAL: what nobody foresaw, or what cannot be written, of one of the instances.
    """
    with foreseen(f"the opening of {plan.process!r}", at=plan.at):
        runs = _open(plan, instances, ports, again=again)
    while turns := {number: turn for number, run in runs.items() if (turn := run.turn)}:
        ports.engine.check()
        path = min((turn.step.path for turn in turns.values()), key=lambda path: plan.located[path].order)
        group = {number: turn for number, turn in turns.items() if turn.step.path == path}
        step = plan.located[path].step
        wrap(step, len(group), lambda step=step, group=group: _taken(step, group, runs, ports))  # type: ignore[misc]  # bound now, called at once
    with foreseen(f"the end of {plan.process!r}", at=plan.at):
        return _close(runs, ports)


def _give_up(plan: Plan, instance: Instance, error: ProcessionError, ports: Ports) -> End:
    """Whatever it is, it is this instance's alone: a person must look."""
    end = End(instance.id, "incident", error=_told(error, plan.at, getattr(error, "path", "")))
    with ports.store.unit() as unit:
        mine = unit.journal.fence({instance.id: instance.fencing_token})
        unit.journal.end([end] if mine else [], ports.clock.now())
        unit.commit()
    return end if mine else _gone(instance.id)


# --- opening and closing a segment


def _open(plan: Plan, instances: Sequence[Instance], ports: Ports, *, again: bool) -> Runs:
    begun = [one for one in instances if again or one.fencing_token > 1 or one.is_of_0_1]
    kept = reopened(plan, begun, ports) if begun else {}
    runs = {
        i.id: r.opened(plan, i, first_names(plan, i, ports.clock), *kept.get(i.id, ())) for i in instances
    }
    _look(runs, runs, ports)
    return with_arrivals(runs, ports) if plan.is_live and begun else runs


def _look(numbers: Sequence[int] | Runs, runs: Runs, ports: Ports) -> None:
    """Read the records of these instances as they are now."""
    looking = [runs[number] for number in numbers if not runs[number].end]
    if not looking:
        return
    plan = looking[0].plan
    deleted = {run.instance.id: run.deleted for run in looking}
    with ports.store.unit(write=False) as unit:
        as_of = unit.journal.units() if plan.is_live else 0
        inputs = read_inputs(plan, [run.instance for run in looking], deleted, unit)
    for run in looking:
        runs[run.instance.id] = _seeing(replace(run, as_of=as_of), inputs[run.instance.id])


def _seeing(run: Run, given: Mapping[str, Any] | None) -> Run:
    if given is None:
        gone = "a record it was about is gone"
        return replace(run, end=End(run.instance.id, "cancelled", result=gone))
    try:
        names = with_records(run.plan, given, run.names)
        return replace(run, names=names, history_on=history_ref(run.plan, names))
    except ExpressionError as error:
        return replace(run, end=End(run.instance.id, "incident", error=_told(error, run.plan.at, "")))


def _close(runs: Runs, ports: Ports) -> list[End]:
    """Those that ended with their last step are written already."""
    left = {number: run for number, run in runs.items() if not run.is_written}
    if left:
        with ports.store.unit() as unit:
            mine = unit.journal.fence({number: run.instance.fencing_token for number, run in left.items()})
            write(unit, [run for number, run in left.items() if number in mine], ports)
            unit.commit()
        for number in left.keys() - mine:
            runs[number] = replace(runs[number], end=_gone(number))
    return [run.end for run in runs.values() if run.end]


def _gone(instance: int) -> End:
    return End(instance, "cancelled", result="stopped before its next step")


# --- one step of many instances


def _taken(step: Step, group: Mapping[int, Turn], runs: Runs, ports: Ports) -> list[ProcessionError]:
    with foreseen(f"step {step.path!r}", at=step.at, path=step.path):
        return _take(step, group, runs, ports)


def _take(step: Step, group: Mapping[int, Turn], runs: Runs, ports: Ports) -> list[ProcessionError]:
    """Returns the errors of those for whom it failed; what follows from them is settled already."""
    errors: list[ProcessionError] = []
    works: list[Work] = []
    for number, turn in group.items():
        run, now = runs[number], ports.clock.now()
        try:
            with foreseen(f"step {step.path!r}", at=step.at, path=step.path):
                outcome = decide(run, turn, ports)
        except ProcessionError as error:
            errors.append(error)
            runs[number] = _failed(run, turn, error, ports)
            continue
        if outcome is None:
            runs[number] = r.skipped(run, turn, now)
        elif outcome.effects:
            works.append(Work(run, turn, outcome))
        else:
            runs[number] = r.done(run, turn, outcome, outcome.output, now)
    for result in perform(works, ports) if works else ():
        errors += [result.error] if result.error else []
        runs[result.work.run.instance.id] = _after(result, ports)
    if works and step.kind.changes_records:
        _look([work.run.instance.id for work in works], runs, ports)
    return errors


def _after(result: Result, ports: Ports) -> Run:
    if result.error:
        return _failed(result.work.run, result.work.turn, result.error, ports)
    if result.run is None:
        number = result.work.run.instance.id
        return replace(result.work.run, end=_gone(number), is_written=True)
    return result.run


# --- what failed


def _failed(run: Run, turn: Turn, error: ProcessionError, ports: Ports) -> Run:
    """Retry later, or let the definition handle it, or leave it to a person."""
    step, now = turn.step, ports.clock.now()
    told, tries = _told(error, step.at, step.path), turn.attempts + (not isinstance(error, NotAsked))
    if isinstance(error, (UnknownOutcome, ConfigurationError)):
        return r.held(run, turn, told)
    if worth_another_try(step, error, tries):
        return r.tries_again(run, turn, told, now, now + step.retry.pause(tries), tries=tries)
    return r.failed(run, turn, told, now)


def _told(error: ProcessionError, at: object, path: str) -> dict[str, Any]:
    """An error as the journal and `error.*` tell it."""
    place = getattr(error, "at", None) or at
    return {
        "message": writable(error.message), "class": class_of(error), "hint": error.hint, "place": str(place),
        "step": path,
    }  # fmt: skip
