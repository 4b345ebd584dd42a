"""The model's values as JSON text and back, for the database: dataclasses by name, moments, bytes, tuples."""

import base64
import dataclasses
import json
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from procession.sandbox.mailbox.changes import Mark
from procession.sandbox.mailbox.items import Folder, Item
from procession.sandbox.mailbox.words import (
    Address,
    Attachment,
    Attendee,
    Body,
    Flag,
    Override,
    Pattern,
    Postal,
    Posted,
    PropertyName,
    Recurrence,
)

_CLASSES: Mapping[str, Any] = {
    kind.__name__: kind
    for kind in (
        Address,
        Attachment,
        Attendee,
        Body,
        Flag,
        Folder,
        Item,
        Mark,
        Override,
        Pattern,
        Postal,
        Posted,
        PropertyName,
        Recurrence,
    )
}


def write(value: Any) -> str:
    return json.dumps(_out(value), separators=(",", ":"))


def read(text: str) -> Any:
    return _in(json.loads(text))


def _out(value: Any) -> Any:
    """A value as JSON: anything JSON has not is a list of a mark and what it takes."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case datetime():
            return ["t", value.isoformat()]
        case date():
            return ["d", value.isoformat()]
        case bytes():
            return ["b", base64.b64encode(value).decode()]
        case tuple():
            return ["l", *(_out(one) for one in value)]
        case frozenset():
            return ["s", *(_out(one) for one in sorted(value))]
        case Mapping():
            return ["m", *([_out(key), _out(one)] for key, one in value.items())]
        case _:
            fields = {field.name: _out(getattr(value, field.name)) for field in dataclasses.fields(value)}
            return ["c", type(value).__name__, fields]


def _in(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    return _READ[value[0]](value[1:])


def _object(parts: list[Any]) -> Any:
    name, fields = parts
    return _CLASSES[name](**{key: _in(one) for key, one in fields.items()})


_READ: Mapping[str, Callable[[list[Any]], Any]] = {
    "t": lambda parts: datetime.fromisoformat(parts[0]),
    "d": lambda parts: date.fromisoformat(parts[0]),
    "b": lambda parts: base64.b64decode(parts[0]),
    "l": lambda parts: tuple(_in(one) for one in parts),
    "s": lambda parts: frozenset(_in(one) for one in parts),
    "m": lambda parts: {_in(key): _in(one) for key, one in parts},
    "c": _object,
}
