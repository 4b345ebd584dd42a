"""Triggers: what starts a process."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import BaseModel

from procession.model import fields
from procession.model.draft import Filled, TriggerDraft, YamlPath
from procession.model.problems import Problems, check_shape, described, keys_of
from procession.model.shapes import (
    Every,
    ManualTrigger,
    MessageTrigger,
    RecordTrigger,
    ScheduleTrigger,
    SignalTrigger,
)

KINDS: tuple[tuple[str, type[BaseModel]], ...] = (
    ("record", RecordTrigger),
    ("schedule", ScheduleTrigger),
    ("manual", ManualTrigger),
    ("message", MessageTrigger),
    ("signal", SignalTrigger),
)
_WORDS = tuple(word for word, _ in KINDS)


def read_triggers(given: list[Any], problems: Problems) -> tuple[TriggerDraft, ...]:
    """The triggers whose shape is right."""
    taken = {raw["id"] for raw in given if isinstance(raw, dict) and isinstance(raw.get("id"), str)}
    read: list[TriggerDraft] = []
    for number, raw in enumerate(given):
        trigger = _trigger(raw, ("triggers", number), taken, problems)
        if trigger:
            taken.add(trigger.id)
            read.append(trigger)
    return tuple(read)


def _trigger(raw: Any, where: YamlPath, taken: set[str], problems: Problems) -> TriggerDraft | None:
    if not isinstance(raw, dict):
        what = f"{raw!r} alone" if isinstance(raw, str) else described(raw)
        hint = f"Write '- {raw}: …'." if raw in _WORDS else "Write `record: activity`, for example."
        problems.add(f"{what} is no trigger", where, hint)
        return None
    found = [(word, shape) for word, shape in KINDS if word in raw]
    if len(found) != 1:
        _unclear([word for word, _ in found], raw, where, problems)
        return None
    ((word, shape),) = found
    given = {**raw, "manual": raw["manual"] or {}} if word == "manual" else raw
    read = check_shape(shape, given, "a trigger", lambda path: (*where, *path), problems)
    id_ = raw.get("id") or next(f"{word}_{n}" for n in range(1, 10_000) if f"{word}_{n}" not in taken)
    condition = fields.condition(raw["if"], (*where, "if"), problems) if "if" in raw else None
    inputs = _inputs(raw.get("inputs"), where, problems)
    draft = TriggerDraft(str(id_), where, word, condition=condition, inputs=inputs)
    return _draft(read, draft) if read else None


def _unclear(found: list[str], raw: Mapping[str, Any], where: YamlPath, problems: Problems) -> None:
    if found:
        problems.add(
            f"a trigger is of one kind, but {found[1]!r} stands beside {found[0]!r}", (*where, found[1]),
            "Begin a trigger of its own with '- '.", key=True,
        )  # fmt: skip
        return
    known = tuple(dict.fromkeys((*_WORDS, *(key for _, shape in KINDS for key in keys_of(shape)))))
    unknown = [key for key in raw if key not in known]
    for key in unknown:
        problems.unknown(key, "a trigger", where, known)
    if not unknown:
        problems.add(
            "this trigger does not say what starts the process",
            where,
            "Give it 'record', 'schedule', 'manual', 'message' or 'signal'.",
        )


def _inputs(given: Any, where: YamlPath, problems: Problems) -> dict[str, Filled]:
    if not isinstance(given, dict):
        return {}
    return {name: fields.value(raw, (*where, "inputs", name), problems) for name, raw in given.items()}


def _draft(read: BaseModel, trigger: TriggerDraft) -> TriggerDraft:
    match read:
        case RecordTrigger():
            return replace(
                trigger,
                entity=read.record,
                events=tuple(read.events),
                changed=tuple(read.changed),
                debounce=read.debounce or "",
            )
        case ScheduleTrigger(schedule=Every() as every):
            return replace(trigger, events=("schedule",), every=every.every, timezone=read.timezone)
        case ScheduleTrigger():
            return replace(trigger, events=("schedule",), cron=str(read.schedule), timezone=read.timezone)
        case ManualTrigger():
            return replace(trigger, events=("manual",), entity=read.manual.on, title=read.title)
        case MessageTrigger():
            return replace(trigger, events=("message",), entity=read.about, name=read.message)
        case SignalTrigger():
            return replace(trigger, events=("signal",), entity=read.about, name=read.signal)
    return trigger
