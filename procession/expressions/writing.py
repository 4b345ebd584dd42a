"""How a value reads as text: in mixed text, behind `~`, and with the filter `text`.

    nothing       (empty)               bool      yes / no
    record        its name              list      item, item
    moment        2026-03-06 10:00      duration  2 days 3 hours
    date          2026-03-06            number    12.5, without needless zeros

A moment is shown in the zone it was put into (`in_zone`), else in that of the process, and in a form that
every language reads alike; the filters `date`, `time` and `datetime` write it for people of one language.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from jinja2.runtime import Context, Undefined

from procession import times
from procession.expressions.budget import Mistake, charge, is_writable
from procession.expressions.kinds import said
from procession.records import Record, Ref
from procession.values import BusinessDays, own_zone


def as_text(value: Any, context: Context) -> str:
    """Raises:
    Mistake: a value that is no text, or too much of it.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, Undefined):
        return str(value)  # raises UndefinedError, which says what is missing
    write = next((write for type_, write in _WRITERS if isinstance(value, type_)), _unwritable)
    written = write(value, context)
    charge(context, len(written))
    return written


def zone_of(context: Context) -> ZoneInfo:
    """The zone of the process, UTC if it has none.

    Raises:
        Mistake: its name is no zone.
    """
    return zone_called(of_process(context, "timezone") or "UTC")


def zone_called(name: Any) -> ZoneInfo:
    try:
        return times.zone(str(name))
    except ValueError as error:
        raise Mistake(str(error)) from error


def local(context: Context, moment: datetime) -> datetime:
    """In its own zone if it was put into one, else in the zone of the process."""
    return moment if own_zone(moment) else moment.astimezone(zone_of(context))


def of_process(context: Context, name: str) -> Any:
    process = context.parent.get("process")
    return process.get(name) if isinstance(process, Mapping) else None


def _number(value: Any, _context: Context) -> str:
    if not is_writable(value):
        raise Mistake("the number is too large to be written")
    if value == int(value):
        return str(int(value))
    exact = value if isinstance(value, Decimal) else Decimal(f"{value:.15g}")  # 0.1 + 0.2 is 0.3 to people
    return f"{exact.normalize():f}"


def _moment(value: datetime, context: Context) -> str:
    if value.tzinfo is None:
        raise Mistake("a moment without a time zone cannot be written")
    return local(context, value).strftime("%Y-%m-%d %H:%M")


def _items(value: list[Any] | tuple[Any, ...], context: Context) -> str:
    charge(context, len(value))
    return ", ".join(as_text(item, context) for item in value)


def _unwritable(value: Any, _context: Context) -> str:
    raise Mistake(f"{said(value)} cannot be written as text")


_WRITERS: tuple[tuple[type | tuple[type, ...], Callable[[Any, Context], str]], ...] = (
    (type(None), lambda _value, _context: ""),
    (bool, lambda value, _context: "yes" if value else "no"),
    ((int, float, Decimal), _number),
    (datetime, _moment),
    (date, lambda value, _context: value.isoformat()),
    ((timedelta, BusinessDays), lambda value, _context: times.spoken(value)),
    ((Record, Ref), lambda value, _context: str(value)),
    ((list, tuple), _items),
)
