"""What each effect does in a unit: one handler for each, for many instances at once.

`procession.perform` opens the unit and commits it. History is written for what happened, not for what was wished.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, assert_never

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
    SendMessage,
    UpdateRecord,
)
from procession.errors import PermanentError
from procession.mail import composed
from procession.messages import checked_data
from procession.ports import Actor, Envelope, Event, HistoryRow, MailState, Ports, QueuedMail, Unit
from procession.position import Turn
from procession.records import Record, Ref, fields_of, ref_of
from procession.run import Run
from procession.steps.kind import Outcome
from procession.takeover import take_over


@dataclass(frozen=True, slots=True)
class Work:
    """What one step of one instance decided."""

    run: Run
    turn: Turn
    outcome: Outcome

    @property
    def actor(self) -> Actor:
        plan, instance = self.run.plan, self.run.instance
        return Actor(
            "process", plan.title, process=plan.process, instance=instance.id, step=self.turn.step.path
        )


@dataclass(slots=True)
class Progress:
    """What has come of one work so far. `run` is its instance as the unit wrote it."""

    work: Work
    output: dict[str, Any]
    run: Run = field(init=False)
    history: list[HistoryRow] = field(default_factory=list)
    mail: Envelope | None = None

    def __post_init__(self) -> None:
        self.run = self.work.run

    @property
    def to_send(self) -> bool:
        """Whether the step waits for its mail to be handed over."""
        mail = self.mail
        return mail is not None and mail.not_before is None and mail.state in ("queued", "sending", "unknown")


def apply(unit: Unit, progress: Sequence[Progress], ports: Ports) -> None:
    """Effects in the order of each step, those of the same type for many instances at once.

    Raises:
        StoreError, PermanentError: what one of them wants cannot be; nothing of this unit may be committed.
    """
    for position in range(max((len(p.work.outcome.effects) for p in progress), default=0)):
        groups: dict[type[Effect], list[Progress]] = defaultdict(list)
        for p in progress:
            if position < len(p.work.outcome.effects):
                groups[type(p.work.outcome.effects[position])].append(p)
        for kind in [kind for kind in HANDLERS if kind in groups]:
            group = groups.pop(kind)
            HANDLERS[kind](unit, group, [p.work.outcome.effects[position] for p in group], ports)
        if groups:
            raise LookupError(f"no handler for {', '.join(kind.__name__ for kind in groups)}")


# --- records


def _create(unit: Unit, group: list[Progress], effects: Sequence[Any], ports: Ports) -> None:
    by_entity: dict[str, list[tuple[Progress, CreateRecord]]] = defaultdict(list)
    for p, effect in zip(group, effects, strict=True):
        by_entity[effect.entity].append((p, effect))
    for entity, pairs in by_entity.items():
        first = pairs[0][0].work
        rows, connected = [e.values for _, e in pairs], [e.connected_to for _, e in pairs]
        refs = unit.records.create(entity, rows, first.actor, connected)
        records = unit.records.fetch(refs, first.turn.step.reads)
        for (p, _), ref in zip(pairs, refs, strict=True):
            what = records[ref]
            p.output["record"] = what
            _remember(p, ports, ref, "created", f"Created {_noun(what, ref)} “{what}”")


def _update(unit: Unit, group: list[Progress], effects: Sequence[Any], ports: Ports) -> None:
    changed = unit.records.update([(e.ref, e.values) for e in effects], group[0].work.actor)
    refs = {effect.ref for effect, names in zip(effects, changed, strict=True) if names}
    records = unit.records.fetch(refs, frozenset()) if refs else {}
    for p, effect, names in zip(group, effects, changed, strict=True):
        if names:
            what, fields = records[effect.ref], ", ".join(name.replace("_", " ") for name in names)
            text = f"Changed {fields} of {_noun(what, effect.ref)} “{what}”"
            _remember(p, ports, effect.ref, "changed", text)


def _delete(unit: Unit, group: list[Progress], effects: Sequence[Any], ports: Ports) -> None:
    before = unit.records.fetch([e.ref for e in effects], frozenset())
    unit.records.delete([e.ref for e in effects], group[0].work.actor)
    for p, effect in zip(group, effects, strict=True):
        gone = before[effect.ref]
        p.output["record"] = gone
        _remember(p, ports, None, "deleted", f"Deleted {_noun(gone, effect.ref)} “{gone}”")


def _noun(record: Record, ref: Ref) -> str:
    """An activity is called by what it is: a call, a task, a meeting."""
    fields = fields_of(record)
    if ref.entity != "activity":
        return ref.entity
    return "meeting" if fields.get("is_meeting") else str(fields.get("type", ref.entity))


def _find(unit: Unit, group: list[Progress], effects: Sequence[Any], _ports: Ports) -> None:
    """What all of them found is followed together."""
    answers = [unit.records.find(e.entity, e.where, order=e.order, limit=e.limit + 1) for e in effects]
    taken = [answer[: effect.limit] for answer, effect in zip(answers, effects, strict=True)]
    whole: Mapping[Ref, Record] = {}
    if reads := group[0].work.turn.step.reads:
        whole = unit.records.fetch({ref_of(record) for found in taken for record in found}, reads)
    for p, answer, found in zip(group, answers, taken, strict=True):
        records = tuple(whole.get(ref_of(record), record) for record in found)
        first = records[0] if records else None
        p.output |= {
            "records": records, "first": first, "count": len(records), "more": len(answer) > len(records),
        }  # fmt: skip


def _log(_unit: Unit, group: list[Progress], effects: Sequence[Any], ports: Ports) -> None:
    for p, effect in zip(group, effects, strict=True):
        p.history.append(HistoryRow(effect.on, ports.clock.now(), p.work.actor, "note", effect.text))


def _remember(p: Progress, ports: Ports, about: Ref | None, kind: str, text: str) -> None:
    """One History row per effect: on the process's `history.on`, else on the record itself."""
    on = p.work.run.history_on or about
    if on is None:
        return
    activity = about.id if about and about.entity == "activity" else None
    p.history.append(HistoryRow(on, ports.clock.now(), p.work.actor, kind, text, activity))


# --- mail


def _queue(unit: Unit, group: list[Progress], effects: Sequence[Any], ports: Ports) -> None:
    now, engine = ports.clock.now(), ports.engine
    mails = [_queued(p, mail, ports) for p, mail in zip(group, effects, strict=True)]
    envelopes = unit.outbox.queue(mails, now, engine=engine.id, hands=ports.mail_out.connections)
    for p, mail, envelope in zip(group, effects, envelopes, strict=True):
        p.mail = envelope
        if envelope.state == "sending" and not envelope.fresh and envelope.not_before is None:
            p.mail = _found_claimed(unit, envelope, ports)
        record = Record(Ref("activity", envelope.activity), {"type": "email", "subject": mail.subject})
        p.output |= {"message_id": envelope.message_id, "state": envelope.state, "record": record}
        if envelope.state != "held" and (envelope.fresh or envelope.released):
            names = ", ".join(to.name or to.address for to in mail.to)
            test = f", redirected to {ports.redirect_all_to}" if ports.redirect_all_to else ""
            text = f"E-mail “{mail.subject}” to {names}{test}"
            _remember(p, ports, Ref("activity", envelope.activity), "email", text)


def _found_claimed(unit: Unit, envelope: Envelope, ports: Ports) -> Envelope:
    """The mail of a step that is taken again. If this engine claimed it and did not see the commit, it never handed it
    over; if another did, that one lost the instance that we have now."""
    if envelope.claimed_by == ports.engine.id and envelope.id not in ports.engine.in_hand:
        return envelope
    return replace(envelope, state=take_over(unit, envelope, ports.clock.now()), claimed_by=0)


def _queued(p: Progress, mail: SendMail, ports: Ports, part: int = 0) -> QueuedMail:
    mime = composed(mail, mail.not_before or ports.clock.now(), ports.redirect_all_to)
    state: MailState = "draft" if mail.draft else "held" if p.work.outcome.pause else "queued"
    turn = p.work.turn
    return QueuedMail(
        mail, mime, p.work.actor, state, p.work.run.instance.id, turn.step.path, turn.round, part, ports.redirect_all_to,
        p.work.run.instance.bulk,
    )  # fmt: skip


def _notify(unit: Unit, group: list[Progress], effects: Sequence[Any], ports: Ports) -> None:
    """They are handed over by the outbox: no step waits for them."""
    now = ports.clock.now()
    colleagues = _colleagues(unit, [effect.to for effect in effects])
    queued = []
    for p, effect in zip(group, effects, strict=True):
        for part, to in enumerate(colleagues[effect.to]):
            mail = SendMail(
                message_id=effect.message_id.replace("@", f".{part}@"), sender=ports.default_sender,
                to=(to,), subject=effect.subject, text=effect.text, not_before=now,
            )  # fmt: skip
            queued.append(_queued(p, mail, ports, part))
    unit.outbox.queue(queued, now)


def _colleagues(unit: Unit, wanted: Sequence[Ref | str]) -> Mapping[Ref | str, list[Recipient]]:
    """The user, or everybody of that name or team, for each that is wanted.

    Raises:
        PermanentError: nobody is meant.
    """
    refs = {to for to in wanted if isinstance(to, Ref)}
    names = tuple(dict.fromkeys(to for to in wanted if isinstance(to, str)))
    users: dict[Ref | str, list[Record]] = {}
    if refs:
        users |= {ref: [user] for ref, user in unit.records.fetch(refs, frozenset()).items()}
    for column in ("team", "name"):  # a name wins over a team of that name
        found: dict[str, list[Record]] = defaultdict(list)
        for user in unit.records.find("user", {column: names}, limit=MOST_COLLEAGUES) if names else ():
            found[getattr(user, column)].append(user)
        users.update(found)
    recipients = {
        to: [Recipient(u.email, u.name, Ref("user", u.id)) for u in users.get(to, ()) if u.email]
        for to in wanted
    }
    for to, some in recipients.items():
        if not some:
            raise PermanentError(
                f"nobody to notify: no user or team is called {str(to)!r}",
                hint="Name a user, or a team that users belong to.",
            )
    return recipients


MOST_COLLEAGUES = 10_000


def _tell(unit: Unit, group: list[Progress], effects: Sequence[Any], ports: Ports) -> None:
    now = ports.clock.now()
    unit.journal.append(
        [
            Event(
                0,
                now,
                effect.type,
                effect.about,
                origin=p.work.run.plan.process,
                payload=checked_data(effect.name, effect.data),
                name=effect.name,
            )
            for p, effect in zip(group, effects, strict=True)
        ]
    )


def _called_before(_unit: Unit, _group: list[Progress], _effects: Sequence[Any], _ports: Ports) -> None:
    """Functions were called before the unit was opened (`procession.perform`)."""


Handler = Callable[[Unit, list[Progress], Sequence[Any], Ports], None]
HANDLERS: Mapping[type[Effect], Handler] = {
    CallFunction: _called_before,
    CreateRecord: _create,
    UpdateRecord: _update,
    DeleteRecord: _delete,
    FindRecords: _find,
    LogHistory: _log,
    SendMail: _queue,
    Notify: _notify,
    SendMessage: _tell,
}
"""In the order in which different effects at the same place of their steps are done."""


def _is_complete(effect: Effect) -> None:
    """Never called: mypy refuses an effect that is not named here; a test compares with `HANDLERS`."""
    match effect:
        case CallFunction() | CreateRecord() | UpdateRecord() | DeleteRecord() | FindRecords():
            return
        case LogHistory() | SendMail() | Notify() | SendMessage():
            return
        case _:
            assert_never(effect)
