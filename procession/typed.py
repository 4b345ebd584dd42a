"""Text that people type, on a command line or in a form → typed values of records and processes."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from procession.errors import InputError
from procession.ports import Clock
from procession.records import Ref, Type
from procession.spelling import did_you_mean, one_of

YES, NO = ("yes", "true", "on", "1"), ("no", "false", "off", "0")


def read(text: str, kind: Type, what: str, clock: Clock, options: Sequence[str] = ()) -> Any:
    """`text` as a value of this type; `what` names its place for the error. A moment without a zone is one of
    this machine's zone; `+2 days` counts from now.

    Raises:
        InputError: it is no such value.
    """
    if options and text not in options:
        hint = did_you_mean(text, options) or f"It is {one_of(options)}."
        raise InputError(f"{what}: {text!r} is not possible", hint=hint)
    try:
        return _read(text, kind, clock)
    except (ValueError, InvalidOperation) as error:
        raise InputError(
            f"{what}: {text!r} is no {_NAMES.get(kind.name, kind.name)}", hint=_hint(kind, error)
        ) from None


def _read(text: str, kind: Type, clock: Clock) -> Any:
    match kind.name:
        case "int":
            return int(text)
        case "number":
            return Decimal(text.replace("_", "")) if not _is_whole(text) else int(text)
        case "bool":
            return _bool(text)
        case "date":
            return date.fromisoformat(text)
        case "datetime":
            return _moment(text, clock)
        case "duration":
            from procession.times import parse_any_duration

            return parse_any_duration(text)
        case "record":
            return _ref(text, kind.of)
        case "list":
            return tuple(
                _read(part.strip(), kind.item or Type("any"), clock)
                for part in text.split(",")
                if part.strip()
            )
    return text


def _is_whole(text: str) -> bool:
    return text.removeprefix("-").isdigit()


def _bool(text: str) -> bool:
    if text.casefold() in YES:
        return True
    if text.casefold() in NO:
        return False
    raise ValueError


def _moment(text: str, clock: Clock) -> datetime:
    if text.startswith("+"):
        from procession.times import parse_duration

        return clock.now() + parse_duration(text[1:].strip())
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.astimezone()


def _ref(text: str, entity: str) -> Ref:
    """`contact:3`, or `3` where only a contact can be meant."""
    ref = Ref.parse(text if ":" in text else f"{entity}:{text}")
    if entity and ref.entity != entity:
        raise ValueError
    return ref


_NAMES = {"int": "whole number", "bool": "yes or no", "datetime": "moment", "record": "such record"}


def _hint(kind: Type, error: Exception) -> str:
    match kind.name:
        case "datetime":
            return "Write it as 2026-03-06T10:00, with +01:00 for a zone of its own, or as +2 days from now."
        case "date":
            return "Write it as 2026-03-06."
        case "bool":
            return "Write yes or no."
        case "record":
            return f"Write it as {kind.of or 'contact'}:3."
        case "duration":
            return str(error)
    return ""
