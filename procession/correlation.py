"""How an event and the waits for it find each other: both come, each by itself, to the same kind and the same keys.

A key says what is equal: `record=activity:5`, `record.contact=contact:17`, `event.data.order="A-17"`. A wait takes its key
from an equality of its `match`; without one, the records that its process is about are meant. So an event asks for
the waits that have one of its few keys, however many instances wait.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from procession.expressions import Equality, Expression, equalities, evaluate
from procession.ports import ANY_KEY, Event
from procession.records import Record, Ref, Schema, fields_of, ref_of
from procession.values import from_json

LONGEST_TEXT = 200
MOST_DATA = 100
"""Names of data by which a message can be found."""
LARGEST_EXPONENT = 50
NAMES = ("record", "event")
"""What an event brings; the other side of an equality is the instance's own."""


def kinds_of(event: Event) -> frozenset[str]:
    """`activity.added`; `activity.modified` and, for each field that was changed, `activity.modified.start`; `message order paid`."""
    if event.type in ("message", "signal"):
        return frozenset({f"{event.type} {event.name}"})
    if event.ref is None:
        return frozenset()
    saved = f"{event.ref.entity}.{event.type}"
    return frozenset({saved, *(f"{saved}.{name}" for name in event.changed)})


def keys_of(event: Event, record: Record | None, schema: Schema) -> frozenset[str]:
    """The keys under which an event is found; `record` is the one that it is about, as it is now, or was."""
    found = {ANY_KEY}
    if event.ref:
        found.add(_written("record", event.ref))
        for name, value in fields_of(record).items() if record is not None else ():
            if _refers(schema, event.ref.entity, name):
                found.add(_written(f"record.{name}", value))
    if event.type in ("message", "signal"):
        data = sorted(from_json(event.payload).items())[:MOST_DATA]
        found |= {_written(f"event.data.{name}", value) for name, value in data}
    return frozenset(key for key in found if key)


def names_of(event: Event) -> dict[str, Any]:
    """What expressions see as `event`."""
    data = from_json(event.payload) if event.type in ("message", "signal") else {}
    return {"type": event.type, "changed": event.changed, "name": event.name, "at": event.at, "data": data}


def usable(match: Expression | None, entity: str, schema: Schema, *, has_data: bool) -> Equality | None:
    """The equality of a condition by which events are found: `record`, one that it refers to, or data of a message, which
    `has_data`. `entity` is that of the record, if there is one."""
    found = equalities(match.source, NAMES) if match else ()
    usable_ones = (one for one in found if _is_usable(one.path, entity, schema))
    return next((one for one in usable_ones if has_data or one.path.startswith("record")), None)


def key_of(
    equality: Equality, entity: str, schema: Schema, names: Mapping[str, Any], match: Expression
) -> str:
    """The key that this instance waits with; empty if nothing is equal to that: nobody is the contact of a meeting without one.
    What no key can hold (a list) is compared with each message of its name.

    Raises:
        ExpressionError: the other side failed on these values.
    """
    value = evaluate(Expression(equality.other, match.at), names)
    if not equality.path.startswith("record"):
        return "" if value is None else _written(equality.path, value) or ANY_KEY
    path = equality.path.removesuffix(".id")
    if path != equality.path and isinstance(value, int):
        value = Ref(_entity_at(path, entity, schema), value)
    return _written(path, value) if isinstance(value, Record | Ref) else ""


def about(ref: Ref) -> str:
    """The key of events that are about this record."""
    return _written("record", ref)


def _is_usable(path: str, entity: str, schema: Schema) -> bool:
    first, *more = path.split(".")
    if first == "event":
        return len(more) == 2 and more[0] == "data"  # noqa: PLR2004  # data, name
    if more[-1:] == ["id"]:
        more = more[:-1]
    return bool(entity) and (not more or (len(more) == 1 and _refers(schema, entity, more[0])))


def _entity_at(path: str, entity: str, schema: Schema) -> str:
    _, _, name = path.partition(".")
    known = schema.field(entity, name) if name else None
    return known.type.of if known else entity


def _refers(schema: Schema, entity: str, name: str) -> bool:
    known = schema.field(entity, name)
    return known is not None and known.type.name == "record"


def _written(path: str, value: Any) -> str:
    """Typed: the text "17", the number 17 and contact 17 are three keys. Empty for what no key can hold, and for nothing."""
    match value:
        case None:
            return ""
        case bool():
            return f"{path}={'true' if value else 'false'}"
        case Record():
            return f"{path}={ref_of(value)}"
        case Ref():
            return f"{path}={value}"
        case int() | float() | Decimal():
            return _number(path, Decimal(str(value)))
        case str() if len(value) <= LONGEST_TEXT:
            return f"{path}={json.dumps(value)}"
        case str():
            return f"{path}=sha256 {hashlib.sha256(value.encode(errors='surrogatepass')).hexdigest()}"
        case datetime() if value.tzinfo:
            return f"{path}={value.astimezone(UTC).isoformat()}"
        case date():
            return f"{path}={value.isoformat()}"
    return ""


def _number(path: str, value: Decimal) -> str:
    """However it is written: 1, 1.0 and 1e0 are one. Those too large or too small to be anybody's number are none."""
    if not value.is_finite() or abs(value.adjusted()) > LARGEST_EXPONENT:
        return ""
    return f"{path}={value.normalize() + 0:f}"
