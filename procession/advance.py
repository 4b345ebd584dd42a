"""Takes claimed instances of one plan to the end of their segment, many at a time.

Each instance walks its plan (`procession.walk`). A turn that is in the journal already is not taken
again: its row answers. So a segment that died goes on after its last journalled step.

All instances whose turn is at the same step take it together: each decides (pure), then
`procession.perform` does the effects of all of them in one unit. One instance is the case N = 1.
"""

import hashlib
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, TypeVar

from procession.errors import (
    FINAL,
    ConfigurationError,
    ExpressionError,
    ProcessionError,
    UnknownOutcome,
    class_of,
    foreseen,
)
from procession.expressions import evaluate, fill
from procession.perform import Result, Work, journal_row, perform, tries_again
from procession.plan import Plan, Retry, Step, every_step
from procession.ports import End, Instance, Ports, StepRun
from procession.records import Record, Ref, ref_of
from procession.scope import first_names, history_ref, look_at, read_inputs
from procession.steps.kind import Context, Outcome, Stop
from procession.values import from_json, writable
from procession.walk import StepFailed, Stopped, Taken, Turn, Walk, walk

T = TypeVar("T")
Around = Callable[[Step, int, Callable[[], T]], T]
"""Wraps the work of one step for so many instances; the Prefect edge makes a task run of it. The work
returns the errors of those for whom it failed."""


def direct(_step: Step, _count: int, do: Callable[[], T]) -> T:
    return do()


@dataclass(slots=True)
class Run:
    """One instance in this segment. `turn` is its next step, `end` what became of it; one of them is None.

    `unsaved` are journal rows of steps without effects: they are written with the next effects, or at the end.
    """

    instance: Instance
    names: dict[str, Any]
    walk: Walk
    rows: dict[tuple[str, str], StepRun]
    history_on: Ref | None = None
    deleted: dict[Ref, Record] = field(default_factory=dict)
    turn: Turn | None = None
    end: End | None = None
    unsaved: list[StepRun] = field(default_factory=list)

    def step_run(self) -> StepRun | None:
        return self.rows.get((self.turn.step.path, self.turn.round)) if self.turn else None


def advance(
    plan: Plan, instances: Sequence[Instance], ports: Ports, around: Around[Any] = direct
) -> list[End]:
    """Advance instances that `Journal.claim` gave to `ports.owner`; returns what became of each.

    Raises:
        ConfigurationError, TemporaryError: the store does not answer; the instances are given back when it does
            (`Ports.holding`).
    """
    with ports.holding(instances):
        try:
            return _segment(plan, instances, ports, around)
        except FINAL as error:
            if len(instances) == 1:
                return [_give_up(plan, instances[0], error, ports)]
    # What the others have done is in the journal: each half goes on from there, and soon the one is alone.
    half = len(instances) // 2
    return advance(plan, instances[:half], ports, around) + advance(plan, instances[half:], ports, around)


def _segment(plan: Plan, instances: Sequence[Instance], ports: Ports, around: Around[Any]) -> list[End]:
    """Raises:
    FINAL: what nobody foresaw, or what cannot be written, of one of the instances.
    """
    with foreseen(f"the opening of {plan.process!r}", at=plan.at):
        runs = _open(plan, instances, ports)
    order = {step.path: number for number, step in enumerate(every_step(plan))}
    while turns := [run for run in runs if run.turn]:
        step = min((run.turn.step for run in turns if run.turn), key=lambda step: order[step.path])
        group = [run for run in turns if run.turn and run.turn.step is step]
        around(step, len(group), lambda step=step, group=group: _taken(plan, step, group, ports))  # type: ignore[misc]  # bound now, called at once
    with foreseen(f"the end of {plan.process!r}", at=plan.at):
        return _close(runs, ports)


def _give_up(plan: Plan, instance: Instance, error: ProcessionError, ports: Ports) -> End:
    """Whatever it is, it is this instance's alone: a person must look."""
    end = End(instance.id, "incident", error=_told(error, plan.at, getattr(error, "path", "")))
    with ports.store.unit() as unit:
        now = ports.clock.now()
        unit.journal.fence({instance.id: instance.claim}, ports.owner, now + ports.lease)
        unit.journal.end([end], ports.owner, now)
        unit.commit()
    return end


# --- opening and closing a segment


def _open(plan: Plan, instances: Sequence[Instance], ports: Ports) -> list[Run]:
    with ports.store.unit(write=False) as unit:
        rows = unit.journal.steps([instance.id for instance in instances])
    runs = [_open_one(plan, instance, rows.get(instance.id, []), ports) for instance in instances]
    _look(plan, runs, ports)
    return runs


def _open_one(plan: Plan, instance: Instance, rows: Sequence[StepRun], ports: Ports) -> Run:
    """Walk to the first turn that the journal does not answer."""
    names = first_names(plan, instance, ports.clock)
    run = Run(instance, names, walk(plan, names), {(row.path, row.round): row for row in rows})
    _proceed(run, lambda: next(run.walk))
    return run


def _look(plan: Plan, runs: Sequence[Run], ports: Ports) -> None:
    """Read the records of the instances as they are now."""
    deleted = {ref: record for run in runs for ref, record in run.deleted.items()}
    with ports.store.unit(write=False) as unit:
        inputs = read_inputs(plan, [run.instance for run in runs], deleted, unit)
    for run in runs:
        given = inputs[run.instance.id]
        if run.turn is None:
            continue
        if given is None:
            run.turn, run.end = (
                None,
                End(run.instance.id, "cancelled", result="a record it was about is gone"),
            )
            continue
        try:
            look_at(plan, given, run.names)
            run.history_on = history_ref(plan, run.names)
        except ExpressionError as error:
            run.turn, run.end = None, End(run.instance.id, "incident", error=_told(error, plan.at, ""))


def _close(runs: Sequence[Run], ports: Ports) -> list[End]:
    claims = {run.instance.id: run.instance.claim for run in runs}
    with ports.store.unit() as unit:
        now = ports.clock.now()
        mine = unit.journal.fence(claims, ports.owner, now + ports.lease)
        unit.journal.record([row for run in runs if run.instance.id in mine for row in run.unsaved])
        unit.journal.end([run.end for run in runs if run.end and run.instance.id in mine], ports.owner, now)
        unit.commit()
    return [run.end if run.instance.id in mine else _gone(run) for run in runs if run.end]


def _gone(run: Run) -> End:
    return End(run.instance.id, "cancelled", result="stopped before its next step")


# --- one step of many instances


def _taken(plan: Plan, step: Step, group: Sequence[Run], ports: Ports) -> list[ProcessionError]:
    with foreseen(f"step {step.path!r}", at=step.at, path=step.path):
        return _take(plan, step, group, ports)


def _take(plan: Plan, step: Step, group: Sequence[Run], ports: Ports) -> list[ProcessionError]:
    """Returns the errors of those for whom it failed; what follows from them is settled already."""
    errors: list[ProcessionError] = []
    works: dict[int, Work] = {}
    by_id = {run.instance.id: run for run in group}
    for run in group:
        try:
            with foreseen(f"step {step.path!r}", at=step.at, path=step.path):
                outcome = _decide(plan, step, run, ports)
        except ProcessionError as error:
            errors.append(error)
            _failed(run, error, ports)
            continue
        if outcome is None:
            _skip(run, step, ports)
        elif outcome.effects:
            works[run.instance.id] = _work(plan, run, step, outcome)
        else:
            _done(run, _work(plan, run, step, outcome), outcome.output, ports)
    for result in perform(list(works.values()), ports) if works else ():
        errors += [result.error] if result.error else []
        _settle(by_id[result.work.instance.id], result, ports)
    if works and step.kind.changes_records:
        _look(plan, [by_id[instance] for instance in works], ports)
    return errors


def _decide(plan: Plan, step: Step, run: Run, ports: Ports) -> Outcome | None:
    """None if the step's `if` keeps it from being taken.

    Raises:
        PermanentError: an expression, a template or the step itself failed on these values.
    """
    if step.guard is not None and not evaluate(step.guard, run.names):
        return None
    fields = {name: fill(value, run.names) for name, value in step.fields.items()}
    return step.kind.decide(fields, _context(plan, step, run, ports))


def _context(plan: Plan, step: Step, run: Run, ports: Ports) -> Context:
    round_ = run.turn.round if run.turn else ""
    return Context(
        names=run.names, now=ports.clock.now(), process=plan.process, title=plan.title,
        message_id=message_id(run.instance.id, step.path, round_, ports.mail_domain),
        mail_domain=ports.mail_domain, default_sender=ports.default_sender, history_on=run.history_on,
        renderer=ports.renderer(plan.digest, plan.files), schema=ports.store.schema, functions=ports.functions, at=step.at,
        trigger_ref=_trigger_ref(run.instance),
    )  # fmt: skip


def message_id(instance: int, path: str, round_: str, domain: str) -> str:
    """The Message-ID of a mail is a function of what sends it (RFC 5322, 3.6.4; language.md, section 6)."""
    digest = hashlib.sha256(f"{instance}\n{path}\n{round_}".encode()).hexdigest()
    return f"<{digest[:32]}@{domain}>"


def _trigger_ref(instance: Instance) -> Ref | None:
    record = instance.trigger.get("record")
    return Ref.parse(record) if isinstance(record, str) else None


def _work(plan: Plan, run: Run, step: Step, outcome: Outcome) -> Work:
    round_ = run.turn.round if run.turn else ""
    return Work(
        run.instance, plan.title, step, round_, outcome, run.history_on, tuple(run.unsaved), _attempts(run)
    )


def _attempts(run: Run) -> int:
    """Which try of its step this is; one that died while it was sending is the same try again."""
    before = run.step_run()
    return max(1, before.attempts + (before.state == "retrying")) if before else 1


# --- what came of it


def _settle(run: Run, result: Result, ports: Ports) -> None:
    if result.error:
        _failed(run, result.error, ports)
    elif result.output is None:
        run.turn, run.end = None, _gone(run)
    else:
        run.unsaved.clear()
        _remember(run, result.work.outcome, result.work.step, result.output)
        _go_on(run, result.work.outcome)


def _done(run: Run, work: Work, output: Mapping[str, Any], ports: Ports) -> None:
    run.unsaved.append(journal_row(work, ports, output))
    _remember(run, work.outcome, work.step, output)
    _go_on(run, work.outcome)


def _skip(run: Run, step: Step, ports: Ports) -> None:
    round_ = run.turn.round if run.turn else ""
    run.unsaved.append(
        StepRun(run.instance.id, step.path, round_, step.kind.word, "skipped", ports.clock.now())
    )
    _go_on(run, Outcome())


def _remember(run: Run, outcome: Outcome, step: Step, output: Mapping[str, Any]) -> None:
    run.names["outputs"][step.id] = output
    if step.kind.word == "delete" and isinstance(record := output.get("record"), Record):
        run.deleted[ref_of(record)] = record
    run.names["vars"] |= outcome.set_vars


def _go_on(run: Run, outcome: Outcome) -> None:
    taken = Taken(outcome.branches, outcome.items or (), outcome.stop)
    _proceed(run, lambda: run.walk.send(taken))


def _failed(run: Run, error: ProcessionError, ports: Ports) -> None:
    """Retry later, or let the definition handle it, or leave it to a person."""
    if run.turn is None:
        return
    step, attempts = run.turn.step, _attempts(run)
    told = _told(error, step.at, step.path)
    if isinstance(error, (UnknownOutcome, ConfigurationError)):
        run.turn, run.end = None, End(run.instance.id, "incident", error=told)
        return
    row = StepRun(run.instance.id, step.path, run.turn.round, step.kind.word, "retrying", ports.clock.now(),
                  attempts=attempts, error=told)  # fmt: skip
    run.unsaved.append(row)
    if tries_again(step, error, attempts):
        due = ports.clock.now() + pause(step.retry, attempts)
        run.turn, run.end = None, End(run.instance.id, "ready", error=told, due=due)
        return
    _throw(run, told)


def _throw(run: Run, told: Mapping[str, Any]) -> None:
    """If something in the definition catches it, the step has failed and that is journalled; if nothing
    does, its row stays open (with its tries forgotten), so that a resumed incident takes it again."""
    row = run.unsaved.pop()
    _proceed(run, lambda: run.walk.throw(StepFailed(told)))
    caught = run.end is None or run.end.state != "incident"
    run.unsaved.insert(0, replace(row, state="failed") if caught else replace(row, attempts=0))


def _proceed(run: Run, move: Callable[[], Turn]) -> None:
    """Move on to the next turn that the journal does not answer, or to the end."""
    run.turn = None
    try:
        run.turn = move()
        while (row := run.step_run()) and row.state in ("done", "skipped", "failed"):
            run.turn = _replay(run, row)
    except StopIteration as over:
        state = "failed" if over.value else "completed"
        run.turn, run.end = None, End(run.instance.id, state, error=over.value)  # type: ignore[arg-type]  # a narrowed literal
    except Stopped as stopped:
        run.turn, run.end = None, _stopped(run, stopped.stop)
    except StepFailed as failure:
        run.turn, run.end = None, End(run.instance.id, "incident", error=failure.error)


def _replay(run: Run, row: StepRun) -> Turn:
    """Answer a turn from its journal row."""
    if row.state == "failed":
        return run.walk.throw(StepFailed(row.error or {}))
    kept = from_json(row.output)
    stop = kept.get("stop")
    outcome = Outcome(
        branches=tuple(row.branch.split()), items=kept.get("items"), set_vars=kept.get("vars", {}),
        stop=Stop(stop["result"], stop["error"]) if stop else None,
    )  # fmt: skip
    if run.turn and row.state == "done":
        _remember(run, outcome, run.turn.step, kept.get("out", {}))
    return run.walk.send(Taken(outcome.branches, outcome.items or (), outcome.stop))


def _stopped(run: Run, stop: Stop) -> End:
    if stop.error:
        return End(run.instance.id, "failed", error={"message": stop.error, "class": "stopped"})
    return End(run.instance.id, "stopped", result=stop.result)


def _told(error: ProcessionError, at: object, path: str) -> dict[str, Any]:
    """An error as the journal and `error.*` tell it."""
    place = getattr(error, "at", None) or at
    return {
        "message": writable(error.message), "class": class_of(error), "hint": error.hint, "place": str(place),
        "step": path,
    }  # fmt: skip


def pause(retry: Retry, attempts: int) -> timedelta:
    """How long to wait after so many tries: exponential, capped, with jitter."""
    growth = retry.backoff ** min(attempts - 1, 30)
    wait = min(retry.interval.total_seconds() * growth, retry.max_interval.total_seconds())
    return timedelta(seconds=wait * (1 + random.uniform(-retry.jitter, retry.jitter)))  # noqa: S311  # not a secret
