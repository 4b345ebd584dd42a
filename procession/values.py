"""Values as JSON and back: what the journal keeps of inputs and outputs.

Dates, moments, durations, decimals, records and refs are written as tagged objects
(`{"$datetime": "2026-03-06T09:00:00+00:00"}`), everything else is itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from typing_extensions import override

from procession.records import Record, Ref, fields_of, ref_of


@dataclass(frozen=True, slots=True, order=True)
class BusinessDays:
    """A duration that only a calendar can measure; `procession.times.add` does."""

    days: int

    @override
    def __str__(self) -> str:
        return f"{self.days} business {'day' if abs(self.days) == 1 else 'days'}"


TAGS: tuple[tuple[type, str, Callable[[Any], Any], Callable[[Any], Any]], ...] = (
    (datetime, "$datetime", datetime.isoformat, datetime.fromisoformat),  # before date, its base
    (date, "$date", date.isoformat, date.fromisoformat),
    (timedelta, "$duration", timedelta.total_seconds, lambda seconds: timedelta(seconds=seconds)),
    (BusinessDays, "$business_days", lambda duration: duration.days, BusinessDays),
    (Decimal, "$decimal", str, Decimal),
    (Ref, "$ref", str, Ref.parse),
)


def to_json(value: Any) -> Any:
    """Raises:
    TypeError: a value that no expression can yield.
    """
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    for kind, tag, write, _ in TAGS:
        if isinstance(value, kind):
            return {tag: write(value)}
    if isinstance(value, Record):
        fields = {name: to_json(each) for name, each in fields_of(value).items() if name != "id"}
        return {"$record": str(ref_of(value)), "fields": fields}
    if isinstance(value, Mapping):
        return {str(name): to_json(each) for name, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [to_json(each) for each in value]
    raise TypeError(f"{type(value).__name__} cannot be kept in the journal")


def from_json(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(from_json(each) for each in value)
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        for _, tag, _, read in TAGS:
            if tag in value:
                return read(value[tag])
    if value.keys() == {"$record", "fields"}:
        return Record(Ref.parse(value["$record"]), {k: from_json(v) for k, v in value["fields"].items()})
    return {name: from_json(each) for name, each in value.items()}


def writable(text: str) -> str:
    """Without what a database refuses in a text: an error that tells of such a value must not become one."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
