"""Filled values on their way into the store: records become refs, written dates become dates."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from procession import times
from procession.errors import PermanentError
from procession.records import Record, Ref, ref_of
from procession.steps.kind import Context
from procession.values import BusinessDays


def record(value: Any, word: str) -> Record:
    """Raises:
    PermanentError: the value is no record; `word` names the field that needs one.
    """
    if isinstance(value, Record):
        return value
    what = "nothing" if value is None else f"{type(value).__name__} {str(value)[:40]!r}"
    raise PermanentError(f"'{word}' needs a record, and there is {what}", hint="Check that it is not empty.")


def refs(*values: Any) -> tuple[Ref, ...]:
    """The records among these values and in lists of them, each once; what is empty is left out.

    Raises:
        PermanentError: something else is among them.
    """
    found: dict[Ref, None] = {}
    for value in values:
        if isinstance(value, Ref):
            found[value] = None
        elif isinstance(value, list | tuple):
            found |= dict.fromkeys(refs(*value))
        elif value is not None:
            found[ref_of(record(value, "connected_to"))] = None
    return tuple(found)


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
        if isinstance(value, str) and not value[:4].isdigit():
            return moment(times.parse_any_duration(value), word, context)
        return None if value is None else times.parse_moment(value, zone_of(context))
    except (ValueError, OverflowError) as error:
        raise PermanentError(f"'{word}': {error}") from error


def zone_of(context: Context) -> Any:
    return times.zone(context.names.get("process", {}).get("timezone") or "UTC")


def calendar_of(context: Context) -> times.Calendar:
    return times.Calendar(context.names.get("process", {}).get("country") or "")


def _for_field(entity: str, name: str, value: Any, context: Context) -> Any:
    if isinstance(value, Record):
        return ref_of(value)
    if isinstance(value, list | tuple):
        return tuple(_for_field(entity, name, item, context) for item in value)
    known = context.schema.field(entity, name)
    if known and known.type.name == "datetime":
        return moment(value, name, context)
    if known and known.type.name == "date" and value is not None:
        return _day(value, name, context)
    return value


def _day(value: Any, name: str, context: Context) -> date:
    if isinstance(value, datetime):
        return value.astimezone(zone_of(context)).date()
    try:
        return times.parse_day(value)
    except ValueError as error:
        raise PermanentError(f"'{name}': {error}") from error


def text_or_empty(value: Any) -> str:
    return "" if value is None else str(value)


def every(values: Any) -> Iterable[Any]:
    """One value or a list of them, as a list."""
    return values if isinstance(values, list | tuple) else (values,)
