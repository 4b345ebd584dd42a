"""What may be written into a field, and as what it is kept. Nothing here asks the database."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from crm.schema import SCHEMA
from procession.errors import StoreError
from procession.records import Field, Record, Ref, Type, ref_of
from procession.spelling import did_you_mean, one_of
from procession.times import zone

LANGUAGE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*")
ADDRESS = re.compile(r"[^@\s<>,;]+@[^@\s<>,;]+")
ADDRESSES = ("email", "phone")
"""Fields whose values are kept without the spaces around them."""
MOST = 1e13
"""Amounts below are exact to the cent as plain numbers."""
DEFAULTS: Mapping[str, dict[str, Any]] = {
    "opportunity": {"stage": "qualification"},
    "activity": {"status": "planned", "priority": "normal"},
}


def accept_new(entity: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a new record, every writable field among them.

    Raises:
        StoreError: an unknown, read-only or missing field, or a value it cannot have.
    """
    given = accept(entity, values, new=True)
    fields = SCHEMA.entity(entity).fields
    whole = {name: _nothing(field) for name, field in fields.items() if field.writable}
    whole |= DEFAULTS.get(entity, {}) | given
    for name in missing(entity, whole):
        raise StoreError(f"A new {entity} needs a {fields[name].title.lower()} ({name}).")
    return whole


def missing(entity: str, values: Mapping[str, Any]) -> list[str]:
    """The required fields that have no value."""
    fields = SCHEMA.entity(entity).fields
    return [name for name, field in fields.items() if field.required and not values.get(name)]


def accept(entity: str, values: Mapping[str, Any], *, new: bool = False) -> dict[str, Any]:
    """The values, of a `new` record or of one that is there, as they are kept: references as `Ref`, moments in UTC.

    Raises:
        StoreError: an unknown or read-only field, or a value it cannot have.
    """
    if not new:
        _refuse_fixed(entity, values)
    return {name: _accept_one(entity, name, value) for name, value in values.items()}


def _refuse_fixed(entity: str, names: Iterable[str]) -> None:
    for name in names:
        if known_field(entity, name).fixed:
            raise StoreError(f"{entity}.{name} cannot be changed: it is given once, when the record is made.")


def normal(kind: str, address: str) -> str:
    """What e-mail addresses and phone numbers are compared by."""
    if kind == "email":
        return address.strip().casefold()
    return re.sub(r"[^\d+]", "", address) or address.strip()


def unknown_entity(name: str) -> StoreError:
    return StoreError(f"There are no records called {name!r}.", hint=did_you_mean(name, SCHEMA.entities))


def known_field(entity: str, name: str) -> Field:
    """Raises:
    StoreError: there is no such field.
    """
    field = SCHEMA.field(entity, name)
    if field is None:
        hint = did_you_mean(name, SCHEMA.entity(entity).fields)
        raise StoreError(f"{entity} has no field {name!r}.", hint=hint)
    return field


def _accept_one(entity: str, name: str, value: Any) -> Any:
    field = known_field(entity, name)
    if not field.writable:
        raise StoreError(f"{entity}.{name} cannot be written: it follows from other fields.")
    if value is None or value == "":
        if field.required or field.options:
            raise StoreError(f"{entity}.{name} cannot be empty.")
        return _nothing(field)
    kept = of_type(field.type, value, f"{entity}.{name}")
    if name in ADDRESSES:
        kept = kept.strip()
    if field.options and kept not in field.options:
        hint = did_you_mean(str(kept), field.options) or f"It can be {one_of(field.options)}."
        raise StoreError(f"{entity}.{name} cannot be {kept!r}.", hint=hint)
    if check := _CHECKS.get(name):
        check(kept, f"{entity}.{name}")
    return kept


def of_type(type_: Type, value: Any, where: str) -> Any:
    """The value as a field of this type keeps it.

    Raises:
        StoreError: it is of another type.
    """
    match type_.name, value:
        case "text", str():
            return value.replace("\0", "")
        case ("bool", bool()) | ("int", int()):
            return value
        case "number", int() | float() | Decimal() if not isinstance(value, bool):
            return float(value)
        case "date" | "datetime", date() | str():
            return _time(type_, value, where)
        case "record", Ref() | Record():
            ref = value if isinstance(value, Ref) else ref_of(value)
            if ref.entity == type_.of:
                return ref
            raise StoreError(f"{where} needs a {type_.of}, and {ref} is none.")
    raise StoreError(f"{where} needs a {type_}, and got {_shown(value)}.")


def _time(type_: Type, value: date | str, where: str) -> date:
    """A moment in UTC, or a day; text is read as ISO 8601."""
    if isinstance(value, str):
        read = datetime.fromisoformat if type_.name == "datetime" else date.fromisoformat
        try:
            value = read(value)
        except ValueError:
            raise StoreError(f"{where} needs a {type_}, and {value!r} is none.") from None
    if isinstance(value, datetime) is not (type_.name == "datetime"):
        raise StoreError(f"{where} needs a {type_}, and got {_shown(value)}.")
    if not isinstance(value, datetime):
        return value
    if value.tzinfo is None:
        raise StoreError(f"{where}: the moment {value} has no time zone.")
    return value.astimezone(UTC)


def _nothing(field: Field) -> Any:
    if field.type.name == "text":
        return ""
    return False if field.type.name == "bool" else None


def _shown(value: Any) -> str:
    return f"{type(value).__name__} {str(value)[:40]!r}"


def _check_zone(name: str, where: str) -> None:
    try:
        zone(name)
    except ValueError as error:
        raise StoreError(f"{where}: {error}") from None


def _check_language(tag: str, where: str) -> None:
    if not LANGUAGE.fullmatch(tag):
        raise StoreError(f"{where}: {tag!r} is not a language.", hint="Write it as en or pt-BR.")


def _check_email(address: str, where: str) -> None:
    if not ADDRESS.fullmatch(address):
        raise StoreError(f"{where}: {address[:60]!r} is not an e-mail address.")


def _check_amount(amount: float, where: str) -> None:
    if not abs(amount) < MOST:
        raise StoreError(f"{where}: {amount:g} is not an amount of money.")


_CHECKS: Mapping[str, Callable[[Any, str], None]] = {
    "timezone": _check_zone,
    "language": _check_language,
    "email": _check_email,
    "amount": _check_amount,
}
