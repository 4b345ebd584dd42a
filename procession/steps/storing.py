"""Filled values on their way into the store: records become refs, written dates become dates."""

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from procession import times
from procession.errors import PermanentError
from procession.expressions import write
from procession.expressions.kinds import said
from procession.records import Record, Ref, ref_of
from procession.steps.kind import Context
from procession.values import BusinessDays, own_zone

GUARD = "Guard the step with an 'if'."

_DATE = re.compile(r"\d{4}-\d\d")


def record(value: Any, word: str) -> Record:
    """Raises:
    PermanentError: the value is no record; `word` names the field that needs one.
    """
    if isinstance(value, Record):
        return value
    raise PermanentError(f"'{word}' needs a record, not {said(value)}", hint=GUARD if value is None else "")


def refs(*values: Any) -> tuple[Ref, ...]:
    """The records among these values and in lists of them, each once; what is empty is left out.

    Raises:
        PermanentError: something else is among them.
    """
    found = (
        value if isinstance(value, Ref) else ref_of(record(value, "connected_to"))
        for value in every(values)
        if value is not None
    )  # fmt: skip
    return tuple(dict.fromkeys(found))


def for_store(entity: str, values: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Field values as the store takes them.

    Raises:
        PermanentError: a text where the field holds a date or a moment, and it is none.
    """
    return {name: _for_field(entity, name, value, context) for name, value in values.items()}


def moment(value: Any, word: str, context: Context) -> datetime | None:
    """A moment, or one that far from now: `1 business day` is that in the zone of the process.

    Raises:
        PermanentError: it is neither; `word` names the field.
    """
    try:
        if isinstance(value, timedelta | BusinessDays):
            return times.add(context.now, value, zone_of(context), calendar_of(context))
        if isinstance(value, str) and not _DATE.match(value):
            return moment(_duration(value), word, context)
        return None if value is None else times.parse_moment(value, zone_of(context))
    except (ValueError, OverflowError) as error:
        raise PermanentError(f"'{word}': {error}") from error


def _duration(text: str) -> times.Duration:
    if not text.strip().startswith(("P", "-", *"0123456789")):
        raise ValueError(
            f"{text!r} is neither a moment (2026-03-06T10:00+01:00) nor a duration (1 business day)"
        )
    return times.parse_any_duration(text)


def is_duration(value: Any) -> bool:
    """Whether a text says how long, and not when."""
    if not isinstance(value, str):
        return False
    try:
        _duration(value)
    except ValueError:
        return False
    return not _DATE.match(value)


def zone_of(context: Context) -> ZoneInfo:
    return times.zone(context.names.get("process", {}).get("timezone") or "UTC")


def calendar_of(context: Context) -> times.Calendar:
    return times.Calendar(context.names.get("process", {}).get("country") or "")


def _for_field(entity: str, name: str, value: Any, context: Context) -> Any:
    if value is None:
        return None
    if isinstance(value, list | tuple):
        return tuple(_for_field(entity, name, item, context) for item in value)
    known = context.schema.field(entity, name)
    match known.type.name if known else "any":
        case "text":
            return written(value, context)
        case "datetime":
            return moment(value, name, context)
        case "date":
            return _day(value, name, context)
    return ref_of(value) if isinstance(value, Record) else value


def _day(value: Any, name: str, context: Context) -> date:
    if isinstance(value, datetime):
        return value.astimezone(own_zone(value) or zone_of(context)).date()
    try:
        return times.parse_day(value)
    except ValueError as error:
        raise PermanentError(f"'{name}': {error}") from error


def written(value: Any, context: Context) -> str:
    """A value as mixed text shows it; what is empty is an empty text.

    Raises:
        PermanentError: a group of values.
    """
    try:
        return write(value, context.names)
    except ValueError as error:
        raise PermanentError(str(error)) from error


def every(values: Any) -> Iterator[Any]:
    """One value, or those of a list and of the lists in it."""
    if isinstance(values, list | tuple):
        for value in values:
            yield from every(value)
    else:
        yield values
