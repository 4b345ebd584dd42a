"""Effects, done through the ports: sixth and seventh stage of the line.

`procession.advance` hands over the work of one step for many instances. One unit holds all of it: the effects on the
store (`procession.apply`), the History, the evidence, and where each instance is then. Mail is queued in that unit and
handed to the server after its commit (`procession.deliver`); the unit that settles a mail closes its step, and ends the
instance if that was its last one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from procession.apply import Progress, Work, apply
from procession.deliver import Settled, deliver
from procession.effects import CallFunction, FindRecords
from procession.errors import (
    FINAL,
    NotAsked,
    PermanentError,
    ProcessionError,
    TemporaryError,
    TransportDeferred,
    UnknownOutcome,
    class_of,
    foreseen,
)
from procession.plan import Step
from procession.ports import Ports, Unit
from procession.run import Run, done
from procession.values import as_stored
from procession.written import written


@dataclass(frozen=True, slots=True)
class Result:
    """`run` is the instance after its step; None if somebody else has the instance now or it was asked to stop, or on
    `error`."""

    work: Work
    run: Run | None = None
    error: ProcessionError | None = None


def worth_another_try(step: Step, error: ProcessionError, attempts: int) -> bool:
    """Whether a step tries again that failed `attempts` times, the last time so; if nobody was asked, in any case."""
    is_wanted = class_of(error) in step.retry.on and attempts < step.retry.max_attempts
    return is_wanted or isinstance(error, NotAsked)


def perform(works: Sequence[Work], ports: Ports) -> list[Result]:
    """Do the work of one step for many instances, each with every guarantee by itself.

    Errors of single instances are in their results, which come in any order.

    Raises:
        ConfigurationError, TemporaryError: the store cannot be reached.
    """
    results, ready = [], []
    for work in works:
        try:
            ready.append(_with_calls_made(work, ports))
        except (PermanentError, TemporaryError) as error:
            results.append(Result(work, error=error))
    return results + _halving(ready, ports)


def _halving(works: Sequence[Work], ports: Ports) -> list[Result]:
    """All together; if one of them cannot be, whose error it is shows soon, and the others still go together."""
    if not works:
        return []
    only_reads = all(isinstance(effect, FindRecords) for work in works for effect in work.outcome.effects)
    try:
        with foreseen("what the step decided"):
            if only_reads:
                return _read(works, ports)
            progress = _commit(works, ports)
    except FINAL as error:
        if len(works) == 1:
            return [Result(works[0], error=error)]
        half = len(works) // 2
        return _halving(works[:half], ports) + _halving(works[half:], ports)
    return _send(works, progress, ports)


def _with_calls_made(work: Work, ports: Ports) -> Work:
    """Functions are called before the unit is opened: they may be slow, and it locks what it touches.

    Raises:
        PermanentError, TemporaryError: as the function did; anything else it raised is permanent.
    """
    outcome = work.outcome
    for effect in outcome.effects:
        if isinstance(effect, CallFunction):
            try:
                value = as_stored(ports.functions[effect.function](**effect.args))
            except ProcessionError:
                raise
            except Exception as error:
                raise PermanentError(f"function {effect.function!r} failed: {error}") from error
            outcome = replace(outcome, output={**outcome.output, "value": value})
    return replace(work, outcome=outcome)


def _read(works: Sequence[Work], ports: Ports) -> list[Result]:
    """What only looks records up takes no lock and writes nothing: it can be done again."""
    progress = [Progress(work, dict(work.outcome.output)) for work in works]
    with ports.store.unit(write=False) as unit:
        apply(unit, progress, ports)
    return [Result(p.work, _after(p, ports)) for p in progress]


def _commit(works: Sequence[Work], ports: Ports) -> dict[int, Progress]:
    """One unit: fence, effects, History, and where the instances are. Returns, by instance, those that were still ours.

    A step that sends a mail is where it was until the mail is settled."""
    with ports.store.unit() as unit:
        mine = unit.journal.fence({w.run.instance.id: w.run.instance.fencing_token for w in works})
        progress = {
            work.run.instance.id: Progress(work, dict(work.outcome.output))
            for work in works
            if work.run.instance.id in mine
        }
        apply(unit, list(progress.values()), ports)
        unit.history.append([row for p in progress.values() for row in p.history])
        runs = [p.work.run if p.to_send else _after(p, ports) for p in progress.values()]
        for p, run in zip(progress.values(), write(unit, runs, ports), strict=True):
            p.run = run
        unit.commit()
    return progress


def _after(p: Progress, ports: Ports) -> Run:
    return done(p.work.run, p.work.turn, p.work.outcome, p.output, ports.clock.now())


def write(unit: Unit, runs: Sequence[Run], ports: Ports) -> Sequence[Run]:
    """Write what is new of them: evidence, position or end. Their instances are fenced in this unit."""
    news = written(runs)
    unit.journal.record(news.evidence)
    unit.journal.save_positions(news.checkpoints)
    unit.journal.save_waits(news.waits)
    unit.journal.drop_waits(news.dropped)
    unit.journal.consume(news.consumed)
    unit.outbox.withdraw(news.left)
    unit.journal.end(news.ends, ports.clock.now())
    unit.journal.forget_positions(news.forgotten)
    return news.runs


@dataclass(slots=True)
class _MailSteps:
    """The steps whose mails are on their way, by the number of the mail; and, by instance, what came of each."""

    waiting: Mapping[int, Progress]
    ports: Ports
    settled: dict[int, Settled] = field(default_factory=dict)
    runs: dict[int, Run] = field(default_factory=dict)

    def close(self, unit: Unit, settled: Sequence[Settled]) -> None:
        """In the unit that settles mails: the step of one that was sent is done, and its instance is further."""
        runs = []
        for one in settled:
            p = self.waiting[one.envelope.id]
            self.settled[p.work.run.instance.id] = one
            if one.state == "sent":
                runs.append(self._done(one))
            elif isinstance(one.error, TemporaryError) and not worth_another_try(
                p.work.turn.step, one.error, p.work.turn.attempts + 1
            ):
                unit.outbox.settle(
                    one.envelope.id, "failed", self.ports.clock.now(), detail=one.error.message
                )
        self.runs |= {run.instance.id: run for run in write(unit, runs, self.ports)}

    def stop(self, unit: Unit, settled: Sequence[Settled]) -> None:
        """A mail that was sent was sent, though its instance was cancelled meanwhile: the evidence says so."""
        sent = [self._done(one) for one in settled if one.state == "sent"]
        unit.journal.record([row for run in sent for row in run.evidence])

    def _done(self, one: Settled) -> Run:
        p = self.waiting[one.envelope.id]
        return done(p.run, p.work.turn, p.work.outcome, _sent(p, one), self.ports.clock.now())


def _sent(p: Progress, one: Settled) -> dict[str, Any]:
    refused = {"refused": dict(one.delivery.refused)} if one.delivery.refused else {}
    return {**p.output, "state": "sent", **refused}


def _send(works: Sequence[Work], progress: Mapping[int, Progress], ports: Ports) -> list[Result]:
    """Hand over what was queued."""
    steps = _MailSteps({p.mail.id: p for p in progress.values() if p.mail and p.to_send}, ports)
    tokens = {p.work.run.instance.id: p.work.run.instance.fencing_token for p in steps.waiting.values()}
    mails = [p.mail for p in steps.waiting.values() if p.mail and p.mail.state != "unknown"]
    if mails:
        deliver(mails, ports, steps, tokens)
    return [_result(work, progress.get(work.run.instance.id), steps) for work in works]


def _result(work: Work, progress: Progress | None, steps: _MailSteps) -> Result:
    if progress is None:
        return Result(work)
    one = steps.settled.get(work.run.instance.id)
    work = replace(work, run=progress.run)
    if one and one.error:
        return Result(work, error=one.error)
    if one or not progress.to_send:
        return Result(work, steps.runs.get(work.run.instance.id, progress.run))
    if progress.mail and progress.mail.state == "unknown":
        return Result(work, error=UnknownOutcome(HELD, hint=HELD_HINT))
    return Result(work, error=TransportDeferred("somebody else is sending this mail just now"))


HELD = "it is not known whether the mail server took this mail"
HELD_HINT = "See `procession incidents`: mark it as sent, or send it again."
