"""What kind of value something is, by the names of `procession.records.Type`, and in a sentence."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from jinja2.runtime import Undefined

from procession.records import Record
from procession.values import BusinessDays

ARTICLES = {
    "text": "a text", "bool": "a yes-or-no value", "int": "a number", "number": "a number", "datetime": "a moment",
    "date": "a date", "duration": "a duration", "record": "a record", "list": "a list", "any": "a value",
}  # fmt: skip
"""What a value of each type is called in a sentence."""

_KINDS: dict[type, str] = {
    str: "text", bool: "bool", int: "int", float: "number", Decimal: "number", datetime: "datetime", date: "date",
    timedelta: "duration", BusinessDays: "duration", Record: "record", list: "list", tuple: "list",
}  # fmt: skip


def kind_of(value: Any) -> str:
    """The name of a value's type; "" if it is empty or nothing that has one.

    Raises:
        UndefinedError: there is no value; says what is missing.
    """
    if isinstance(value, Undefined):
        bool(value)
    return _KINDS.get(type(value)) or next(
        (name for type_, name in _KINDS.items() if isinstance(value, type_)), ""
    )


def said(value: Any) -> str:
    """What a value is, in a sentence."""
    if value is None:
        return "an empty value"
    return (
        "a group of values" if isinstance(value, Mapping) else ARTICLES.get(kind_of(value), "something else")
    )
