"""One instance in the hands of an engine: where it is, and what its steps see there. Frozen; each move makes a new one.

    opened    from what the store keeps of it
    names_at  what the expressions of a turn see
    done      after a step was done, passed over, or has to wait
    failed    after it failed: tried again later, caught, or held
    written   what the next unit writes of it: evidence, checkpoint or end

The position is the truth. Journal rows (`evidence`) are written along with it and never read in order to go on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from procession import position as p
from procession.absent import Absent, Outputs
from procession.errors import PermanentError
from procession.plan import Plan
from procession.ports import LIVE, Checkpoint, End, Instance, StepRun, Wait
from procession.records import Record, Ref, ref_of
from procession.steps.kind import Outcome, Pause
from procession.values import from_json, to_json

LARGE = 1_000
"""Characters of JSON from which a value has a row of its own, so that it is not rewritten with each step."""
LARGEST_POSITION = 64_000
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
    knows that. `as_of` is how far the planner was when its records were read. `waits` are those of its tokens, by scope; `kept_waits` those that the store has."""

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
    waits: Mapping[int, Wait] = field(default_factory=dict)
    kept_waits: Mapping[int, Wait] = field(default_factory=dict)
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
    json = to_json(output)
    row = StepRun(
        run.instance.id, turn.step.path, turn.round, turn.step.kind.word, "done", at,
        attempts=turn.attempts + 1, branch=" ".join(outcome.branches),
        output=_evident(turn, outcome, json),
    )  # fmt: skip
    moved = _moved(run, turn, _way(outcome), row)
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
    return _moved(run, turn, p.Done(), row)


def _waits(run: Run, turn: p.Turn, pause: Pause, at: datetime) -> Run:
    """It also hears of it when a record that it is about is deleted."""
    about = {(value, "") for value in from_json(run.instance.inputs).values() if isinstance(value, Ref)}
    reads = tuple(sorted(pause.reads | about)) if pause.kind == "timer" else ()
    before = run.waited(turn)
    since = before.since if before else at
    wait = Wait(
        run.instance.id,
        turn.scope,
        turn.step.path,
        turn.round,
        pause.kind,
        since,
        pause.due,
        reads,
        as_of=run.as_of,
    )
    return _rests(replace(run, position=p.proceed(run.plan, run.position, turn, p.Wait())), wait)


def tries_again(
    run: Run, turn: p.Turn, error: Mapping[str, Any], at: datetime, due: datetime, *, tries: int
) -> Run:
    """The step is tried again at `due`; so many tries have failed."""
    wait = Wait(run.instance.id, turn.scope, turn.step.path, turn.round, "retry", at, due)
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
    row = StepRun(
        run.instance.id, turn.step.path, turn.round, turn.step.kind.word, "failed", at,
        attempts=turn.attempts + 1, error=error,
    )  # fmt: skip
    return _ended(replace(run, position=where, evidence=(*run.evidence, row)))


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


# --- what is written of it


@dataclass(frozen=True, slots=True)
class Written:
    """What one unit writes of some runs; afterwards `runs` have nothing that is not written. `left` are steps, each (instance,
    path, round), that waited and have no more use for a mail of theirs."""

    evidence: tuple[StepRun, ...]
    checkpoints: tuple[Checkpoint, ...]
    waits: tuple[Wait, ...]
    dropped: tuple[tuple[int, int], ...]
    left: tuple[tuple[int, str, str], ...]
    ends: tuple[End, ...]
    forgotten: tuple[int, ...]
    runs: tuple[Run, ...]


def written(runs: Sequence[Run]) -> Written:
    """Raises:
    PermanentError: too much of an instance is open at the same time, so that every step would rewrite it.
    """
    evidence = tuple(row for run in runs for row in run.evidence)
    over = [run for run in runs if _is_over(run)]
    moved = {
        run.instance.id: _checkpoint(run) for run in runs if not _is_over(run) and not _is_beginning(run)
    }
    checkpoints = tuple(one for run in runs if (one := moved.get(run.instance.id)) and _is_news(run, one))
    news = {one.instance: one for one in checkpoints}
    waits = {run.instance.id: _still_waits(run) for run in runs}
    after = tuple(
        replace(
            run, evidence=(), stored=_stored(run, news.get(run.instance.id)), is_written=run.end is not None,
            waits=waits[run.instance.id], kept_waits=waits[run.instance.id],
        )
        for run in runs
    )  # fmt: skip
    return Written(
        evidence, checkpoints,
        waits=tuple(
            wait for run in runs for wait in waits[run.instance.id].values() if run.kept_waits.get(wait.scope) != wait
        ),
        dropped=tuple(
            (run.instance.id, scope) for run in runs for scope in run.kept_waits if scope not in waits[run.instance.id]
        ),
        left=tuple(
            (run.instance.id, wait.path, wait.round)
            for run in runs for scope, wait in run.kept_waits.items()
            if wait.kind != "timer" and not _is_at(run, scope, wait)
        ),
        ends=tuple(run.end for run in runs if run.end),
        forgotten=tuple(run.instance.id for run in over if run.stored or run.kept_waits),
        runs=after,
    )  # fmt: skip


def _still_waits(run: Run) -> dict[int, Wait]:
    """Those whose token still waits for them."""
    if _is_over(run):
        return {}
    tokens = run.position.tokens
    return {
        scope: wait
        for scope, wait in run.waits.items()
        if _is_at(run, scope, wait) and scope in tokens and tokens[scope].state in ("waiting", "retrying")
    }


def _is_at(run: Run, scope: int, wait: Wait) -> bool:
    """Whether it still stands at the step at which it waited. (A wait of scope 0, from before they were kept, knows none.)"""
    token = run.position.tokens.get(scope)
    if token is None or _is_over(run):
        return not wait.scope and not _is_over(run)
    return (token.path, run.position.scopes[scope].round) == (wait.path, wait.round)


def _is_over(run: Run) -> bool:
    return run.position.over is not None or (run.end is not None and run.end.state not in LIVE)


def _checkpoint(run: Run) -> Checkpoint:
    small, large = {}, {}
    before = run.stored.kept if run.stored else {}
    for name, kept in run.kept.items():
        if name in before or _is_large(kept.json):
            large[name] = kept.json
        else:
            small[name] = kept.json
    dropped = dict.fromkeys(name for name in before if name not in run.kept)
    where = p.to_json(run.position)
    if small:
        where["kept"] = small
    if run.deleted:
        where["deleted"] = [to_json(record) for record in run.deleted.values()]
    if (size := len(str(where))) > LARGEST_POSITION:
        raise PermanentError(
            f"too much is open in this instance at the same time: its position takes {size:,} characters",
            hint="Let it open less at once, or let `set` keep less.",
        )
    changed = {name: json for name, json in large.items() if name not in before or before[name] != json}
    return Checkpoint(run.instance.id, where, {**changed, **dropped})


def _is_beginning(run: Run) -> bool:
    """A beginning is not written: whoever has no position is there."""
    return run.stored is None and not run.kept and run.position == p.begin(run.plan)


def _is_news(run: Run, checkpoint: Checkpoint) -> bool:
    before = run.stored
    return before is None or bool(checkpoint.kept) or checkpoint.position != before.position


def _stored(run: Run, checkpoint: Checkpoint | None) -> Checkpoint | None:
    if checkpoint is None:
        return run.stored
    kept = {**(run.stored.kept if run.stored else {}), **checkpoint.kept}
    kept = {name: json for name, json in kept.items() if json is not None}
    return Checkpoint(checkpoint.instance, checkpoint.position, kept)


def _is_large(json: Any) -> bool:
    return len(str(json)) > LARGE
