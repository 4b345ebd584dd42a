"""One instance in the hands of an engine: where it is, and what its steps see there. Frozen; each move makes a new one.

    opened    from what the store keeps of it
    names_at  what the expressions of a turn see
    done      after a step was done, passed over, or has to wait
    failed    after it failed: tried again later, caught, or held

The position is the truth. Journal rows (`evidence`) are written along with it and never read in order to go on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from procession import position as p
from procession.absent import Absent, Outputs
from procession.plan import Plan
from procession.ports import Arrival, Checkpoint, End, Instance, StepRun, Wait
from procession.records import Record, Ref, ref_of
from procession.steps.kind import Outcome, Pause
from procession.values import from_json, to_json

LARGEST_EVIDENCE = 10_000


@dataclass(frozen=True, slots=True)
class Kept:
    """A value that later steps read, and its JSON."""

    value: Any
    json: Any


@dataclass(frozen=True, slots=True)
class Run:
    """`names` are those that hold everywhere: inputs, trigger, process. `kept` are values by name: `outputs.ID`, and
    `items.N` of the loop whose scope is N. `deleted` are records that it deleted itself, as they were. `stored` is what
    the store has: None while it is at its beginning. `end` is set once its segment is over, `is_written` once the store
    knows that. `as_of` is how far the planner was when its records were read; `left` are steps (path,
    round) that may have a mail which they did not send. `waits` are those of its tokens, by scope; `kept_waits` those that the store has.
    `arrived` is what came for them, by scope; `consumed` are the events that it took of it. What happened
    since `unseen` may still come."""

    plan: Plan
    instance: Instance
    position: p.Position
    names: Mapping[str, Any]
    kept: Mapping[str, Kept] = field(default_factory=dict)
    deleted: Mapping[Ref, Record] = field(default_factory=dict)
    history_on: Ref | None = None
    evidence: tuple[StepRun, ...] = ()
    stored: Checkpoint | None = None
    as_of: int = 0
    left: tuple[tuple[str, str], ...] = ()
    waits: Mapping[int, Wait] = field(default_factory=dict)
    kept_waits: Mapping[int, Wait] = field(default_factory=dict)
    arrived: Mapping[int, tuple[Arrival, ...]] = field(default_factory=dict)
    consumed: tuple[int, ...] = ()
    unseen: datetime | None = None
    end: End | None = None
    is_written: bool = False

    @property
    def turn(self) -> p.Turn | None:
        """The step whose turn it is; of several at the same time the first in the document."""
        if self.end:
            return None
        return next(iter(p.turns(self.plan, self.position)), None)

    def waited(self, turn: p.Turn) -> Wait | None:
        """What it waited for at this very step, if it did."""
        wait = self.waits.get(turn.scope)
        return wait if wait and (wait.path, wait.round) == (turn.step.path, turn.round) else None


def opened(
    plan: Plan,
    instance: Instance,
    names: Mapping[str, Any],
    stored: Checkpoint | None = None,
    waits: Sequence[Wait] = (),
) -> Run:
    """Whoever opens it goes on with it: what was woken, or held by an error, is ready."""
    by_scope = {wait.scope: wait for wait in waits}
    if stored is None:
        return Run(plan, instance, p.begin(plan), names, kept_waits=by_scope)
    small: Mapping[str, Any] = stored.position.get("kept", {})
    kept = {name: Kept(from_json(json), json) for name, json in {**small, **stored.kept}.items()}
    records = from_json(stored.position.get("deleted", []))
    where = _woken(p.resume(p.from_json(stored.position)), waits)
    if not p.turns(plan, where):  # a person resumed it: it decides anew what it waits for
        by_scope = {scope: replace(wait, woken_at=wait.since) for scope, wait in by_scope.items()}
        where = _woken(where, tuple(by_scope.values()))
    deleted = {ref_of(record): record for record in records}
    return Run(
        plan, instance, where, names, kept, deleted, stored=stored, waits=by_scope, kept_waits=by_scope
    )


def _woken(where: p.Position, waits: Sequence[Wait]) -> p.Position:
    """(Version 0.1, and this one before it knew waits, kept no more than that a step is to be tried again.)"""
    for wait in waits:
        if wait.woken_at:
            where = p.wake(where, wait.scope) if wait.scope else p.woken(where)
    return where if waits else p.woken(where)


def names_at(run: Run, turn: p.Turn) -> dict[str, Any]:
    """What the expressions of a turn see."""
    frame = p.frame(run.plan, run.position, turn.scope)
    items = {name: run.kept[_items(scope)].value[number] for name, (scope, number) in frame.items.items()}
    outputs = Outputs(
        (name.removeprefix("outputs."), kept.value)
        for name, kept in run.kept.items()
        if name.startswith("outputs.")
    )
    error = Absent() if frame.error is None else frame.error
    return {**run.names, "outputs": outputs, "vars": Absent(frame.vars), "error": error, **items}


def open_steps(
    plan: Plan, instance: Instance, stored: Checkpoint | None, waits: Sequence[Wait] = ()
) -> list[StepRun]:
    """The steps at which an instance stands and does not go on by itself, told as if they were journal rows; `at` is
    since when it waits."""
    if stored is None:
        return []
    where = p.from_json(stored.position)
    since = {wait.scope: wait.since for wait in waits}
    return [
        StepRun(
            instance.id, token.path, where.scopes[token.scope].round, plan.located[token.path].step.kind.word,
            token.state, since.get(token.scope, since.get(0, instance.started_at)),
            attempts=max(token.attempts, 1), error=token.error or instance.error,
        )
        for token in where.tokens.values()
        if token.state != "ready" and token.path in plan.located
    ]  # fmt: skip


# --- moves


def done(run: Run, turn: p.Turn, outcome: Outcome, output: Mapping[str, Any], at: datetime) -> Run:
    """After a step did what it decided; `output` is what later steps read of it."""
    if outcome.pause and output.get("state", "held") == "held":  # else a person sent or cancelled the mail
        return _waits(run, turn, outcome.pause, at)
    if outcome.consumes:
        run = replace(run, consumed=(*run.consumed, outcome.consumes))
    json = to_json(output)
    row = StepRun(
        run.instance.id, turn.step.path, turn.round, turn.step.kind.word, "done", at,
        attempts=turn.attempts + 1, branch=" ".join(outcome.branches),
        output=_evident(turn, outcome, json),
    )  # fmt: skip
    moved = _moved(_leaving(run, turn) if not outcome.effects else run, turn, _way(outcome), row)
    kept = dict(moved.kept)
    if turn.step.id in run.plan.kept:
        kept[f"outputs.{turn.step.id}"] = Kept(output, json)
    if outcome.items and moved.position.over is None:
        kept[_items(moved.position.last_id)] = Kept(outcome.items, to_json(outcome.items))
    deleted = moved.deleted
    if turn.step.kind.word == "delete" and isinstance(record := output.get("record"), Record):
        deleted = {**deleted, ref_of(record): record}
    return replace(moved, kept=kept, deleted=deleted)


def skipped(run: Run, turn: p.Turn, at: datetime) -> Run:
    """Its `if` kept the step from being taken."""
    row = StepRun(run.instance.id, turn.step.path, turn.round, turn.step.kind.word, "skipped", at)
    return _moved(_leaving(run, turn), turn, p.Done(), row)


def _waits(run: Run, turn: p.Turn, pause: Pause, at: datetime) -> Run:
    """It also hears of it when a record that it is about is deleted."""
    about = {(value, "") for value in from_json(run.instance.inputs).values() if isinstance(value, Ref)}
    reads = tuple(sorted(pause.reads | about)) if pause.kind in ("timer", "event") else ()
    before = run.waited(turn)
    due = min((moment for moment in (pause.due, pause.expires) if moment), default=None)
    judged = tuple(arrival.event.id for arrival in run.arrived.get(turn.scope, ())) if before else ()
    wait = Wait(
        run.instance.id, turn.scope, turn.step.path, turn.round, pause.kind, before.since if before else at,
        due, pause.expires, reads, pause.sought, as_of=run.as_of, judged=judged,
    )  # fmt: skip
    return _rests(replace(run, position=p.proceed(run.plan, run.position, turn, p.Wait())), wait)


def tries_again(
    run: Run, turn: p.Turn, error: Mapping[str, Any], at: datetime, due: datetime, *, tries: int
) -> Run:
    """The step is tried again at `due`; so many tries have failed."""
    before = run.waited(turn)
    wait = Wait(
        run.instance.id, turn.scope, turn.step.path, turn.round, "retry", at, due,
        expires=before.expires if before else None, hastened=before is not None and before.hastened,
    )  # fmt: skip
    where = p.proceed(run.plan, run.position, turn, p.TryAgain(error, tries))
    return _rests(replace(run, position=where), wait, error)


def _rests(run: Run, wait: Wait, error: Mapping[str, Any] | None = None) -> Run:
    """The segment ends once no step has its turn."""
    run = replace(run, waits={**run.waits, wait.scope: wait})
    if run.turn:
        return run
    moments = [one.due for one in run.waits.values() if one.due and not one.woken_at]
    return replace(run, end=End(run.instance.id, "waiting", error=error, until=min(moments, default=None)))


def failed(run: Run, turn: p.Turn, error: Mapping[str, Any], at: datetime) -> Run:
    """The step failed for good. What the definition catches it goes on with; else it waits for a person."""
    where = p.proceed(run.plan, run.position, turn, p.Failed(error))
    if where.incidents:
        return replace(run, position=where, end=End(run.instance.id, "incident", error=error))
    is_foreseen = error.get("class") == "timeout" and bool(turn.step.on_timeout)
    row = StepRun(
        run.instance.id, turn.step.path, turn.round, turn.step.kind.word, "done" if is_foreseen else "failed", at,
        attempts=turn.attempts + 1, branch="on_timeout" if is_foreseen else "", error=None if is_foreseen else error,
    )  # fmt: skip
    return _ended(replace(_leaving(run, turn), position=where, evidence=(*run.evidence, row)))


def _leaving(run: Run, turn: p.Turn) -> Run:
    """A step that was taken before may have a mail that it does not send now."""
    was_taken = turn.attempts > 0 or turn.has_waited or run.instance.fencing_token > 1
    if turn.step.kind.asks != "outside" or not was_taken:
        return run
    return replace(run, left=(*run.left, (turn.step.path, turn.round)))


def held(run: Run, turn: p.Turn, error: Mapping[str, Any]) -> Run:
    """Only a person can know what to do: nothing in the definition catches it."""
    where = p.proceed(run.plan, run.position, turn, p.Held(error))
    return replace(run, position=where, end=End(run.instance.id, "incident", error=error))


def _way(outcome: Outcome) -> p.Outcome:
    if outcome.stop:
        return p.End(outcome.stop)
    if outcome.items is not None:
        return p.Loop(len(outcome.items))
    if outcome.branches:
        return p.Enter(outcome.branches)
    if outcome.leaves:
        return p.Leave()
    return p.Done(outcome.set_vars, outcome.passes_over)


def _moved(run: Run, turn: p.Turn, way: p.Outcome, row: StepRun) -> Run:
    where = p.proceed(run.plan, run.position, turn, way)
    evidence = (*run.evidence, row) if _is_told(turn) else run.evidence
    return _ended(replace(run, position=where, evidence=evidence))


def _ended(run: Run) -> Run:
    """Items of loops that are over, or that an error left, are not needed any more."""
    over = run.position.over
    if over is None:
        kept = {name: each for name, each in run.kept.items() if _is_open(name, run.position)}
        return run if len(kept) == len(run.kept) else replace(run, kept=kept)
    number = run.instance.id
    if over.stop and over.stop.error:
        end = End(number, "failed", error={"message": over.stop.error, "class": "stopped"})
    elif over.stop:
        end = End(number, "stopped", result=over.stop.result)
    else:
        end = End(number, "failed" if over.error else "completed", error=over.error)
    return replace(run, end=end)


def _is_told(turn: p.Turn) -> bool:
    """In loops, only what somebody may ask about leaves a row: 200 items are not 600 rows that say nothing."""
    return not turn.round or not turn.step.kind.quiet


def _evident(turn: p.Turn, outcome: Outcome, json: Any) -> dict[str, Any]:
    """What a step gave: in loops only of those with effects, and of the others only what a person can look through."""
    kept = {"out": json} if json else {}
    if outcome.set_vars:
        kept["vars"] = to_json(outcome.set_vars)
    is_small = not turn.round and len(str(kept)) <= LARGEST_EVIDENCE
    return kept if (outcome.effects and not turn.step.kind.quiet) or is_small else {}


def _items(scope: int) -> str:
    return f"items.{scope}"


def _is_open(name: str, where: p.Position) -> bool:
    kind, _, number = name.partition(".")
    return kind != "items" or int(number) in where.scopes
