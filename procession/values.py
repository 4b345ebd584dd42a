"""Values as JSON and back: what the journal keeps of inputs and outputs.

Dates, moments, durations, decimals, records and refs are written as one-key objects
(`{"$datetime": "2026-03-06T09:00:00+00:00"}`), everything else is itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from procession.records import Record, Ref, fields_of, ref_of


@dataclass(frozen=True, slots=True, order=True)
class BusinessDays:
    """A duration that only a calendar can measure; `procession.times.add` does."""

    days: int

    def __str__(self) -> str:
        return f"{self.days} business {'day' if abs(self.days) == 1 else 'days'}"


def to_json(value: Any) -> Any:  # noqa: C901 (one case per type)
    """Raises:
    TypeError: a value that no expression can yield.
    """
    match value:
        case None | bool() | int() | float() | str():
            return value
        case datetime():
            return {"$datetime": value.isoformat()}
        case date():
            return {"$date": value.isoformat()}
        case timedelta():
            return {"$duration": value.total_seconds()}
        case BusinessDays():
            return {"$business_days": value.days}
        case Decimal():
            return {"$decimal": str(value)}
        case Ref():
            return {"$ref": str(value)}
        case Record():
            fields = {k: to_json(v) for k, v in fields_of(value).items() if k != "id"}
            return {"$record": str(ref_of(value)), "fields": fields}
        case Mapping():
            return {str(k): to_json(v) for k, v in value.items()}
        case list() | tuple() | set() | frozenset():
            return [to_json(v) for v in value]
    raise TypeError(f"{type(value).__name__} cannot be kept in the journal")


def from_json(value: Any) -> Any:
    match value:
        case {"$datetime": str(text)}:
            return datetime.fromisoformat(text)
        case {"$date": str(text)}:
            return date.fromisoformat(text)
        case {"$duration": seconds}:
            return timedelta(seconds=seconds)
        case {"$business_days": int(days)}:
            return BusinessDays(days)
        case {"$decimal": str(text)}:
            return Decimal(text)
        case {"$ref": str(text)}:
            return Ref.parse(text)
        case {"$record": str(text), "fields": dict(fields)}:
            return Record(Ref.parse(text), {k: from_json(v) for k, v in fields.items()})
        case dict():
            return {k: from_json(v) for k, v in value.items()}
        case list():
            return tuple(from_json(v) for v in value)
    return value
