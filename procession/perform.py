"""Effects → receipts, through the ports: sixth and seventh stage of the line.

`procession.advance` hands over the work of one step for many instances. One unit holds all of it: the
effects on the store, the journal rows, the History. Mail is queued in that unit and handed to the server
after its commit (`procession.deliver`); the unit that settles a mail closes its step.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from procession.deliver import Settled, deliver, take_over
from procession.effects import (
    CallFunction,
    CreateRecord,
    DeleteRecord,
    Effect,
    FindRecords,
    LogHistory,
    Notify,
    Recipient,
    SendMail,
    UpdateRecord,
)
from procession.errors import (
    FINAL,
    PermanentError,
    ProcessionError,
    TemporaryError,
    TransportDeferred,
    UnknownOutcome,
    class_of,
    foreseen,
)
from procession.mail import compose
from procession.plan import Step
from procession.ports import Actor, Envelope, HistoryRow, Instance, Ports, QueuedMail, StepRun, Unit
from procession.records import Record, Ref, fields_of, ref_of
from procession.steps.kind import Outcome
from procession.values import to_json

EVERYBODY = 1_000_000
"""More than any team has."""


@dataclass(frozen=True, slots=True)
class Work:
    """What one step of one instance decided. `before` are journal rows of earlier steps that had no
    effects of their own and are written along."""

    instance: Instance
    process_title: str
    step: Step
    round: str
    outcome: Outcome
    history_on: Ref | None = None
    before: tuple[StepRun, ...] = ()
    attempts: int = 1

    @property
    def actor(self) -> Actor:
        i = self.instance
        return Actor("process", self.process_title, process=i.process, instance=i.id, step=self.step.path)


@dataclass(frozen=True, slots=True)
class Result:
    """`output` is what later steps read; None if the lease was lost or the instance asked to stop, or on `error`."""

    work: Work
    output: Mapping[str, Any] | None = None
    error: ProcessionError | None = None


@dataclass(slots=True)
class _Progress:
    """What has come of one work so far, while its unit is open."""

    work: Work
    output: dict[str, Any]
    history: list[HistoryRow] = field(default_factory=list)
    mail: Envelope | None = None


def tries_again(step: Step, error: ProcessionError, attempts: int) -> bool:
    """Whether the definition lets a step try again that failed `attempts` times, the last time so."""
    return class_of(error) in step.retry.on and attempts < step.retry.max_attempts


def perform(works: Sequence[Work], ports: Ports) -> list[Result]:
    """Do the work of one step for many instances, each with every guarantee by itself.

    Errors of single instances are in their results, which come in any order.

    Raises:
        ConfigurationError: the store cannot be reached.
    """
    results, ready = [], []
    for work in works:
        try:
            ready.append(_with_calls_made(work, ports))
        except (PermanentError, TemporaryError) as error:
            results.append(Result(work, error=error))
    return results + _perform(ready, ports)


def _perform(works: Sequence[Work], ports: Ports) -> list[Result]:
    try:
        with foreseen("what the step decided"):
            progress = _commit(works, ports)
    except FINAL as error:
        if len(works) == 1:
            return [Result(works[0], error=error)]
        half = len(works) // 2  # whose error it is shows soon, and the others still go together
        return _perform(works[:half], ports) + _perform(works[half:], ports)
    settled = _send([p for p in progress.values() if p.mail], ports)
    return [_result(work, progress.get(work.instance.id), settled) for work in works]


def _with_calls_made(work: Work, ports: Ports) -> Work:
    """Functions are called before the unit is opened: they may be slow, and it locks what it touches.

    Raises:
        PermanentError, TemporaryError: as the function did; anything else it raised is permanent.
    """
    outcome = work.outcome
    for effect in outcome.effects:
        if isinstance(effect, CallFunction):
            try:
                value = ports.functions[effect.function](**effect.args)
                to_json(value)
            except ProcessionError:
                raise
            except Exception as error:
                raise PermanentError(f"function {effect.function!r} failed: {error}") from error
            outcome = replace(outcome, output={**outcome.output, "value": value})
    return replace(work, outcome=outcome)


def journal_row(work: Work, ports: Ports, output: Mapping[str, Any]) -> StepRun:
    """The row of a finished step. What it decided for its children is kept beside its output."""
    outcome = work.outcome
    kept = {"out": to_json(output)}
    if outcome.items is not None:
        kept["items"] = to_json(outcome.items)
    if outcome.set_vars:
        kept["vars"] = to_json(outcome.set_vars)
    if outcome.stop:
        kept["stop"] = {"result": outcome.stop.result, "error": outcome.stop.error}
    return StepRun(
        work.instance.id, work.step.path, work.round, work.step.kind.word, "done", ports.clock.now(),
        attempts=work.attempts, branch=" ".join(outcome.branches), output=kept,
    )  # fmt: skip


def _commit(works: Sequence[Work], ports: Ports) -> dict[int, _Progress]:
    """One unit: fence, effects, journal, History. Returns the progress of those that were still ours."""
    with ports.store.unit() as unit:
        claims = {work.instance.id: work.instance.claim for work in works}
        alive = unit.journal.fence(claims, ports.owner, ports.clock.now() + ports.lease)
        progress = {
            work.instance.id: _Progress(work, dict(work.outcome.output))
            for work in works
            if work.instance.id in alive
        }
        _apply(unit, list(progress.values()), ports)
        unit.history.append([row for p in progress.values() for row in p.history])
        unit.journal.record(
            [row for p in progress.values() for row in (*p.work.before, _first_row(p, ports))]
        )
        unit.commit()
    return progress


def _first_row(progress: _Progress, ports: Ports) -> StepRun:
    row = journal_row(progress.work, ports, progress.output)
    return replace(row, state="sending") if _to_send(progress) else row


def _to_send(progress: _Progress) -> bool:
    mail = progress.mail
    return mail is not None and mail.not_before is None and mail.state in ("queued", "sending", "unknown")


def _apply(unit: Unit, progress: list[_Progress], ports: Ports) -> None:
    """Effects in the order of each step, those of the same type for many instances at once."""
    longest = max((len(p.work.outcome.effects) for p in progress), default=0)
    for position in range(longest):
        by_type: dict[type[Effect], list[_Progress]] = defaultdict(list)
        for p in progress:
            if position < len(p.work.outcome.effects):
                by_type[type(p.work.outcome.effects[position])].append(p)
        for kind, handler in HANDLERS:
            if group := by_type.get(kind):
                effects = [p.work.outcome.effects[position] for p in group]
                handler(unit, group, effects, ports)


def _create(unit: Unit, group: list[_Progress], effects: Sequence[Any], ports: Ports) -> None:
    by_entity: dict[str, list[tuple[_Progress, CreateRecord]]] = defaultdict(list)
    for p, effect in zip(group, effects, strict=True):
        by_entity[effect.entity].append((p, effect))
    for entity, pairs in by_entity.items():
        actor = pairs[0][0].work.actor
        rows, connected = [e.values for _, e in pairs], [e.connected_to for _, e in pairs]
        refs = unit.records.create(entity, rows, actor, connected)
        records = unit.records.fetch(refs, pairs[0][0].work.step.reads)
        for (p, _), ref in zip(pairs, refs, strict=True):
            what = records[ref]
            p.output["record"] = what
            _remember(p, ports, ref, "created", f"Created {_noun(what, ref)} “{what}”")


def _noun(record: Record, ref: Ref) -> str:
    """An activity is called by what it is: a call, a task, a meeting."""
    fields = fields_of(record)
    if ref.entity != "activity":
        return ref.entity
    return "meeting" if fields.get("is_meeting") else str(fields.get("type", ref.entity))


def _update(unit: Unit, group: list[_Progress], effects: Sequence[Any], ports: Ports) -> None:
    changed = unit.records.update([(e.ref, e.values) for e in effects], group[0].work.actor)
    records = unit.records.fetch(
        {e.ref for e, names in zip(effects, changed, strict=True) if names}, frozenset()
    )
    for p, effect, names in zip(group, effects, changed, strict=True):
        if names:
            what, fields = records[effect.ref], ", ".join(name.replace("_", " ") for name in names)
            text = f"Changed {fields} of {_noun(what, effect.ref)} “{what}”"
            _remember(p, ports, effect.ref, "changed", text)


def _delete(unit: Unit, group: list[_Progress], effects: Sequence[Any], ports: Ports) -> None:
    before = unit.records.fetch([e.ref for e in effects], frozenset())
    unit.records.delete([e.ref for e in effects], group[0].work.actor)
    for p, effect in zip(group, effects, strict=True):
        gone = before[effect.ref]
        p.output["record"] = gone
        _remember(p, ports, None, "deleted", f"Deleted {_noun(gone, effect.ref)} “{gone}”")


def _find(unit: Unit, group: list[_Progress], effects: Sequence[Any], _ports: Ports) -> None:
    for p, effect in zip(group, effects, strict=True):
        found = unit.records.find(effect.entity, effect.where, order=effect.order, limit=effect.limit + 1)
        more, found = len(found) > effect.limit, found[: effect.limit]
        if p.work.step.reads:
            refs = [ref_of(record) for record in found]
            followed = unit.records.fetch(refs, p.work.step.reads)
            found = [followed[ref] for ref in refs]
        first = found[0] if found else None
        p.output |= {"records": tuple(found), "first": first, "count": len(found), "more": more}


def _log(_unit: Unit, group: list[_Progress], effects: Sequence[Any], ports: Ports) -> None:
    for p, effect in zip(group, effects, strict=True):
        p.history.append(HistoryRow(effect.on, ports.clock.now(), p.work.actor, "note", effect.text))


def _queue(unit: Unit, group: list[_Progress], effects: Sequence[Any], ports: Ports) -> None:
    now = ports.clock.now()
    mails = [_queued(p, mail, ports) for p, mail in zip(group, effects, strict=True)]
    for p, mail, envelope in zip(group, effects, unit.outbox.queue(mails, now), strict=True):
        p.mail = envelope
        if envelope.state == "sending" and envelope.not_before is None:
            # Whoever has it in hand lost the lease that we have now.
            p.mail = replace(envelope, state=take_over(unit, envelope, now))
        record = Record(Ref("activity", envelope.activity), {"type": "email", "subject": mail.subject})
        p.output |= {"message_id": mail.message_id, "state": envelope.state, "record": record}
        if envelope.fresh:
            names = ", ".join(to.name or to.address for to in mail.to)
            _remember(
                p, ports, Ref("activity", envelope.activity), "email", f"E-mail “{mail.subject}” to {names}"
            )


def _queued(p: _Progress, mail: SendMail, ports: Ports) -> QueuedMail:
    mime = compose(mail, ports.clock.now())
    state = "draft" if mail.draft else "queued"
    work = p.work
    return QueuedMail(mail, mime, work.actor, state, work.instance.id, work.step.path, work.round)  # type: ignore[arg-type]  # a narrowed literal


def _notify(unit: Unit, group: list[_Progress], effects: Sequence[Any], ports: Ports) -> None:
    now = ports.clock.now()
    people: dict[Ref | str, list[Recipient]] = {}
    mails = []
    for p, effect in zip(group, effects, strict=True):
        if effect.to not in people:
            people[effect.to] = _colleagues(unit, effect.to)
        for number, to in enumerate(people[effect.to]):
            mail = SendMail(
                message_id=effect.message_id.replace("@", f".{number}@"), sender=ports.default_sender,
                to=(to,), subject=effect.subject, text=effect.text, not_before=now,
            )  # fmt: skip
            mails.append(_queued(p, mail, ports))
    unit.outbox.queue(mails, now)


def _colleagues(unit: Unit, to: Ref | str) -> list[Recipient]:
    """The user, or everybody of that name or team.

    Raises:
        PermanentError: nobody is meant.
    """
    if isinstance(to, Ref):
        users = list(unit.records.fetch([to], frozenset()).values())
    else:
        by_name = unit.records.find("user", {"name": to}, limit=EVERYBODY)
        users = by_name or unit.records.find("user", {"team": to}, limit=EVERYBODY)
    found = [Recipient(u.email, u.name, Ref("user", u.id)) for u in users if u.email]
    if not found:
        raise PermanentError(
            f"nobody to notify: no user or team is called {str(to)!r}",
            hint="Name a user, or a team that users belong to.",
        )
    return found


Handler = Callable[[Unit, list[_Progress], Sequence[Any], Ports], None]
HANDLERS: tuple[tuple[type[Effect], Handler], ...] = (
    (CreateRecord, _create),
    (UpdateRecord, _update),
    (DeleteRecord, _delete),
    (FindRecords, _find),
    (LogHistory, _log),
    (SendMail, _queue),
    (Notify, _notify),
)


def _remember(p: _Progress, ports: Ports, about: Ref | None, kind: str, text: str) -> None:
    """One History row per effect: on the process's `history.on`, else on the record itself."""
    on = p.work.history_on or about
    if on is None:
        return
    activity = about.id if about and about.entity == "activity" else None
    p.history.append(HistoryRow(on, ports.clock.now(), p.work.actor, kind, text, activity))


def _send(progress: list[_Progress], ports: Ports) -> dict[int, Settled]:
    """Hand over what was queued; the unit that settles a mail closes its step. Returns `{instance: settled}`."""
    settled: dict[int, Settled] = {}
    by_mail = {p.mail.id: p for p in progress if p.mail and _to_send(p)}

    def close_steps(unit: Unit, some: Sequence[Settled]) -> None:
        rows = []
        for one in some:
            p = by_mail[one.envelope.id]
            settled[p.work.instance.id] = one
            if one.state == "sent":
                p.output |= {"state": "sent"}
                if one.delivery.refused:
                    p.output["refused"] = dict(one.delivery.refused)
                rows.append(journal_row(p.work, ports, p.output))
            elif isinstance(one.error, TemporaryError) and not tries_again(
                p.work.step, one.error, p.work.attempts
            ):
                unit.outbox.settle(one.envelope.id, "failed", ports.clock.now(), detail=one.error.message)
        unit.journal.record(rows)

    claims = {p.work.instance.id: p.work.instance.claim for p in by_mail.values()}
    mails = [p.mail for p in by_mail.values() if p.mail and p.mail.state == "queued"]
    deliver(mails, ports, close_steps, claims)
    return settled


def _result(work: Work, progress: _Progress | None, settled: Mapping[int, Settled]) -> Result:
    if progress is None:
        return Result(work)
    one = settled.get(work.instance.id)
    if one and one.error:
        return Result(work, error=one.error)
    if progress.mail and progress.mail.state in ("unknown", "sending") and one is None:
        return Result(work, error=UnknownOutcome(HELD, hint=HELD_HINT))
    if one is None and _to_send(progress):
        return Result(work, error=TransportDeferred("somebody else is sending this mail just now"))
    return Result(work, progress.output)


HELD = "it is not known whether the mail server took this mail"
HELD_HINT = "See `procession incidents`: mark it as sent, or send it again."
