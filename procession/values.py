"""Values as JSON and back: what the journal keeps of inputs and outputs, and what expressions see again later.

`from_json(to_json(value))` reads in every expression as `value` does; only lists become tuples, and sets do.

    itself      nothing, yes/no, whole and finite numbers, texts, lists, groups of values
    $datetime   2026-03-06T18:30:00-05:00[America/New_York]: with the zone it was put into, if it was (RFC 9557)
    $date       2026-03-06
    $duration   seconds; [days, seconds, microseconds] if they are no whole ones
    $business_days, $decimal, $ref
    $record     a record's address, beside its `fields`
    $number     inf, -inf, nan, which JSON has not
    $text       a text with a NUL or half of a surrogate pair, which databases refuse: as Python writes it in ASCII
    $map        [[key, value], …]: a group one of whose keys is no plain text, or begins like these tags
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from decimal import Decimal
from math import isfinite
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from typing_extensions import override

from procession.records import Record, Ref, fields_of, ref_of


@dataclass(frozen=True, slots=True, order=True)
class BusinessDays:
    """A duration that only a calendar can measure; `procession.times.add` does."""

    days: int

    @override
    def __str__(self) -> str:
        return f"{self.days} business {'day' if abs(self.days) == 1 else 'days'}"


def own_zone(moment: datetime) -> ZoneInfo | None:
    """The zone that a moment was put into. One with a mere offset from UTC was put into none: it is shown in
    the zone of whoever looks at it."""
    zone = moment.tzinfo
    return zone if isinstance(zone, ZoneInfo) and zone.key else None


def to_json(value: Any) -> Any:
    """Raises:
    TypeError: a value that no expression can yield.
    """
    kind = type(value)
    if kind is str:
        return value if _is_storable(value) else {"$text": _escaped(value)}
    if value is None or kind is bool or kind is int:
        return value
    write = _WRITERS.get(kind)
    return write(value) if write else _of_subclass(value)


def from_json(value: Any) -> Any:
    kind = type(value)
    if kind is list:
        return tuple([from_json(each) for each in value])
    if kind is not dict:
        return value
    if len(value) == 1:
        ((tag, written),) = value.items()
        read = _READERS.get(tag)
        if read:
            return read(written)
    elif len(value) == 2 and "$record" in value and "fields" in value:  # noqa: PLR2004  (these two)
        return Record(Ref.parse(value["$record"]), {k: from_json(v) for k, v in value["fields"].items()})
    return {name: from_json(each) for name, each in value.items()}


def as_stored(value: Any) -> Any:
    """The value as it is read after a restart. What comes from outside (a function of the application) goes
    through this before a step sees it, so that a restart makes no difference.

    Raises:
        TypeError: a value that no expression can yield.
    """
    return from_json(to_json(value))


def writable(text: str) -> str:
    """Without what a database refuses in a text: an error that tells of such a value must not become one."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


# --- texts


def _is_storable(text: str) -> bool:
    if "\0" in text:
        return False
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
    return True


def _escaped(text: str) -> str:
    return text.encode("unicode_escape").decode("ascii")


def _unescaped(text: str) -> str:
    return text.encode("ascii").decode("unicode_escape")


# --- numbers and times


def _number(value: float) -> Any:
    return value if isfinite(value) else {"$number": repr(value)}


def _moment(value: datetime) -> Any:
    zone = own_zone(value)
    return {"$datetime": f"{value.isoformat()}[{zone.key}]" if zone else value.isoformat()}


def _read_moment(text: str) -> datetime:
    if not text.endswith("]"):
        return datetime.fromisoformat(text)
    written, _, name = text[:-1].rpartition("[")
    moment = datetime.fromisoformat(written)
    try:
        zone = ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return moment  # kept on a machine with newer zones; the moment is right all the same
    return _put_into(moment, zone)


def _put_into(moment: datetime, zone: tzinfo) -> datetime:
    """With the time of day that was written, also in the hour that a clock shows twice or leaves out; if the
    zone has got other rules since then, the moment is what holds."""
    for fold in (0, 1):
        local = moment.replace(tzinfo=zone, fold=fold)
        if local.utcoffset() == moment.utcoffset():
            return local
    return moment.astimezone(zone)


def _duration(value: timedelta) -> Any:
    if value.microseconds:
        return {"$duration": [value.days, value.seconds, value.microseconds]}
    return {"$duration": value.days * 86_400 + value.seconds}


def _read_duration(written: Any) -> timedelta:
    return timedelta(*written) if isinstance(written, list) else timedelta(seconds=written)


# --- what holds others


def _record(value: Record) -> Any:
    fields = {name: to_json(each) for name, each in fields_of(value).items() if name != "id"}
    return {"$record": str(ref_of(value)), "fields": fields}


def _mapping(value: Mapping[Any, Any]) -> Any:
    written = {}
    for name, each in value.items():
        if type(name) is not str or name.startswith("$") or not _is_storable(name):
            return {"$map": [[to_json(key), to_json(one)] for key, one in value.items()]}
        written[name] = to_json(each)
    return written


def _list(value: Any) -> Any:
    return [to_json(each) for each in value]


def _of_subclass(value: Any) -> Any:
    """A value of a class derived from one of those known here (a choice of an `Enum`, a library's own text)
    is kept as that one."""
    for base, write in _BASES:
        if isinstance(value, base):
            return write(value)
    raise TypeError(f"{type(value).__name__} cannot be kept in the journal")


_WRITERS: Mapping[type, Callable[[Any], Any]] = {
    dict: _mapping,
    list: _list,
    tuple: _list,
    datetime: _moment,
    Record: _record,
    Ref: lambda value: {"$ref": str(value)},
    float: _number,
    Decimal: lambda value: {"$decimal": str(value)},
    timedelta: _duration,
    BusinessDays: lambda value: {"$business_days": value.days},
    date: lambda value: {"$date": value.isoformat()},
}

_BASES: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (str, lambda value: to_json(str.__str__(value))),
    (int, int),
    (float, lambda value: _number(float(value))),
    *((kind, write) for kind, write in _WRITERS.items() if kind not in (float, dict, list)),
    (Mapping, _mapping),
    (list, _list),
    (set, _list),
    (frozenset, _list),
)
"""A moment before a date, its base."""

_READERS: Mapping[str, Callable[[Any], Any]] = {
    "$datetime": _read_moment,
    "$date": date.fromisoformat,
    "$duration": _read_duration,
    "$business_days": BusinessDays,
    "$decimal": Decimal,
    "$ref": Ref.parse,
    "$number": float,
    "$text": _unescaped,
    "$map": lambda pairs: {from_json(key): from_json(each) for key, each in pairs},
}
