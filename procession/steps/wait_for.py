"""`wait_for`: until a record is saved, a message or signal comes, or a moment is reached; whichever is first.

The planner finds waits by their keys (`procession.correlation`) and wakes them; whether what came is meant, `match` decides here, on
the records as they are then. An event that came is taken once by an instance: the next wait gets the next one.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from procession import correlation
from procession.errors import ExpressionError
from procession.expressions import Expression, evaluate, fill, touching
from procession.ports import ANY_KEY, Arrival, Sought
from procession.records import ANY, DATETIME, INT, TEXT, Record, Ref, Schema, Type, record_of, ref_of
from procession.steps.fields import MomentValue, Word
from procession.steps.kind import (
    Condition,
    Context,
    InTurnMark,
    LiteralMark,
    Outcome,
    Pause,
    Shape,
    StepKind,
    Steps,
)
from procession.steps.touched import of_records
from procession.steps.wait import until
from procession.times import parse_duration

log = logging.getLogger(__name__)

SOURCES = ("record", "message", "signal", "until")
_GOES_WITH = (
    (("events", "changed"), ("record",)),
    (("about",), ("message", "signal")),
    (("match", "of", "since"), ("record", "message", "signal")),
)


class Source(Shape):
    record: Word = Field("", title="Record", description="The kind of record, such as `activity`.")
    events: list[Literal["added", "modified", "deleted"]] = Field(
        default_factory=list,
        title="Events",
        description="With `record`: any of `[added, modified, deleted]`.",
    )
    changed: list[str] = Field(
        default_factory=list,
        title="Changed",
        description="With `modified`: at least one of these fields changed.",
    )
    message: Word = Field("", title="Message", description="The name of a message, such as `order paid`.")
    signal: Word = Field(
        "", title="Signal", description="The name of a signal; it reaches all who wait for it."
    )
    about: Word = Field("", title="About", description="The kind of record that the message is about.")
    until: Annotated[MomentValue, InTurnMark()] = Field(None, title="Until", description="A moment.")
    match: Condition = Field(
        "",
        title="Match",
        description="A condition on `record` and `event`; one `==` with something of the process finds them.",
    )
    of: Annotated[Literal["any"] | None, LiteralMark()] = Field(
        None,
        title="Of",
        description="`any`: whatever record it is about. Else it is one that the process is about.",
    )
    since: Word = Field(
        "instance",
        title="Since",
        description="What came before counts: since the `instance` began, `1h`; or only what comes while it `wait`s.",
    )
    then: Steps = Field(default_factory=list, title="Then", description="The steps when this is what came.")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        named = [word for word in SOURCES if getattr(self, word) not in ("", None)]
        if len(named) > 1:
            raise ValueError(
                f"{named[0]!r} and {named[1]!r} are two things to wait for. Make a list of two: whichever comes first"
            )
        if not named:
            raise ValueError(
                "it does not say what to wait for. Give it 'record', 'message', 'signal' or 'until'"
            )
        if named == ["record"] and not self.events:
            raise ValueError("'record' needs 'events'. Any of [added, modified, deleted]")
        for words, goes_with in _GOES_WITH:
            for word in words:
                if word in self.model_fields_set and named[0] not in goes_with:
                    raise ValueError(f"{word!r} says nothing with {named[0]!r}. Remove it")
        if self.since not in ("instance", "wait"):
            parse_duration(self.since)
        return self


def _several(value: object) -> object:
    return [value] if isinstance(value, dict) else value


class WaitFor(Shape):
    wait_for: Annotated[list[Source], BeforeValidator(_several)] = Field(
        min_length=1, title="Wait for", description="One source, or a list of them: the first that comes."
    )


def decide(fields: Mapping[str, Any], context: Context) -> Outcome:
    """Raises:
    ExpressionError: what a `match` compares with failed on the values of this instance.
    PermanentError: an `until` is no moment.
    """
    sources: Sequence[Mapping[str, Any]] = fields["wait_for"]
    for arrival in context.arrived:
        for number, source in enumerate(sources, start=1):
            if _is_meant(source, arrival, context):
                return _taken(number, source, arrival, context)
    with touching() as touched:
        sought = _once(each for one in sources for each in _sought(one, context))
    reads, moments = of_records(touched, context.schema), []
    for number, source in enumerate(sources, start=1):
        due, read = _until(source, context)
        if due and context.is_over(due):
            return _taken(number, source, None, context)
        reads |= read
        moments += [due] if due else []
    return Outcome(pause=Pause("event", min(moments, default=None), reads, sought))


def _until(source: Mapping[str, Any], context: Context) -> tuple[datetime | None, frozenset[tuple[Ref, str]]]:
    """The moment, and what it was computed from. An empty field among that makes it empty."""
    if "until" not in source:
        return None, frozenset()
    with touching() as touched:
        try:
            value = fill(source["until"], context.names)
        except ExpressionError:
            if None not in touched.values():
                raise
            value = None
    return until(value, context), of_records(touched, context.schema)


# --- what is sought


def _once(sought: Iterable[Sought]) -> tuple[Sought, ...]:
    """What several sources are for under the same key comes once, as far back as any of them looks."""
    found: dict[tuple[str, str], Sought] = {}
    for one in sought:
        before = found.get((one.kind, one.key), one)
        moments = [moment for moment in (before.since, one.since) if moment]
        began = before.since_began or one.since_began
        found[one.kind, one.key] = replace(one, since=min(moments, default=None), since_began=began)
    return tuple(found.values())


def _sought(source: Mapping[str, Any], context: Context) -> list[Sought]:
    if "until" in source:
        return []
    since, began = _since(source.get("since", "instance"), context)
    return [
        Sought(kind, key, since, since_began=began)
        for kind in _kinds(source)
        for key in _keys(source, context)
    ]


def _since(said: str, context: Context) -> tuple[datetime | None, bool]:
    if said in ("instance", "wait"):
        return None, said == "instance"
    return context.now - parse_duration(said), False


def _kinds(source: Mapping[str, Any]) -> list[str]:
    if "record" in source:
        fields = {"modified": [f".{name}" for name in source.get("changed", ())]}
        return [
            f"{source['record']}.{event}{field}"
            for event in source["events"]
            for field in fields.get(event) or [""]
        ]
    return [f"{word} {source[word]}" for word in ("message", "signal") if word in source]


def _keys(source: Mapping[str, Any], context: Context) -> list[str]:
    match, entity = source.get("match"), source.get("record") or source.get("about") or ""
    if source.get("of") == "any":
        return [ANY_KEY]
    if match and (
        equality := correlation.usable(match, entity, context.schema, has_data="record" not in source)
    ):
        key = correlation.key_of(equality, entity, context.schema, context.names, match)
        return [key] if key else []
    if "signal" in source:
        return [ANY_KEY]
    return [correlation.about(ref) for ref in _own(entity, context)] or [ANY_KEY]


def _own(entity: str, context: Context) -> list[Ref]:
    """The records that the process is about, of that kind if one is said."""
    refs = (ref_of(value) for value in context.names["inputs"].values() if isinstance(value, Record))
    return [ref for ref in dict.fromkeys(refs) if entity in ("", ref.entity)]


# --- what came


def _is_meant(source: Mapping[str, Any], arrival: Arrival, context: Context) -> bool:
    event, record = arrival.event, arrival.record
    if "until" in source or correlation.kinds_of(event).isdisjoint(_kinds(source)):
        return False
    if "record" in source and (record is None or event.origin == context.process):
        return False
    if source.get("about") and (event.ref is None or event.ref.entity != source["about"]):
        return False
    if correlation.keys_of(event, record, context.schema).isdisjoint(_keys(source, context)):
        return False
    match = source.get("match")
    return match is None or _holds(match, arrival, context)


def _holds(match: Expression, arrival: Arrival, context: Context) -> bool:
    """What came is not of this instance's making: if it does not fit the condition, it is passed over, and said so in the log."""
    brought = {"record": arrival.record, "event": correlation.names_of(arrival.event)}
    try:
        return bool(evaluate(match, {**context.names, **brought}))
    except ExpressionError as error:
        log.warning(
            "%s: event %d is not what is waited for: %s", context.process, arrival.event.id, error.message
        )
        return False


def _taken(number: int, source: Mapping[str, Any], arrival: Arrival | None, context: Context) -> Outcome:
    output: dict[str, Any] = {
        "source": number,
        "came_at": context.now,
        "type": "until",
        "record": None,
        "data": {},
    }
    if arrival:
        data = correlation.names_of(arrival.event)["data"]
        output |= {
            "type": arrival.event.type,
            "came_at": arrival.event.at,
            "record": arrival.record,
            "data": data,
        }
    branches = (f"wait_for/{number}",) if source.get("then") else ()
    return Outcome(output=output, branches=branches, consumes=arrival.event.id if arrival else 0)


def outputs(shape: WaitFor, schema: Schema) -> Mapping[str, Type]:
    known = {"source": INT, "came_at": DATETIME, "type": TEXT, "data": ANY}
    entities = {one.record or one.about for one in shape.wait_for if one.until is None}
    entity = entities.pop() if len(entities) == 1 else ""
    return {**known, "record": record_of(entity) if entity in schema.entities else ANY}


WAIT_FOR = StepKind(
    "wait_for", "waiting", "Wait for an event", WaitFor, decide, outputs,
    asks="nothing", needs_id=True, live="wait_for", whole="wait_for",
    example="{record: activity, events: [added], match: record.contact == contact}",
)  # fmt: skip
