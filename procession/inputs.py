"""The inputs of a process as anybody gives them (a command line, a form, a trigger, a program), checked and typed.

The one place that knows what an input accepts, and how a text that somebody types is read. A value of its type is
taken as it is, a text is read as that type; then its limits hold. Whether a record is there is for the store to say
(`procession.dispatch`).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal, InvalidOperation
from math import isfinite
from typing import Any

from procession import times
from procession.errors import InputError
from procession.plan import Input, Plan
from procession.records import Record, Ref, Type, ref_of
from procession.spelling import did_you_mean, one_of
from procession.values import BusinessDays, as_stored

_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}\.\d{3}")
YES, NO = ("yes", "true", "on", "1"), ("no", "false", "off", "0")
LARGEST = 10**18
"""No expression reckons beyond it."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Where the one who gives the inputs is: `+2 days` counts from their `now`, and a moment that names no
    offset is one of their `zone`. Without these, both are refused."""

    now: datetime | None = None
    zone: tzinfo | None = None


NOWHERE = Caller()


class MissingInputError(InputError):
    """An input that must be given is not; `name` is its name, `example` a text that would do ("": any)."""

    def __init__(self, message: str, *, hint: str = "", name: str = "", example: str = "") -> None:
        super().__init__(message, hint=hint)
        self.name, self.example = name, example


def checked(plan: Plan, given: Mapping[str, Any], caller: Caller = NOWHERE) -> dict[str, Any]:
    """The given inputs with the types the process declares, in its order; None counts as not given, and
    what is not given is left out (the default is looked up when the process runs).

    Raises:
        InputError: an input is unknown, missing, of another type or outside of its limits; says which, what is
            wrong and what to write.
    """
    known = {declared.name: declared for declared in plan.inputs}
    for name in given:
        if name not in known:
            hint = did_you_mean(name, known) or (f"It has {one_of(known)}." if known else "It has none.")
            raise InputError(f"process {plan.process!r} has no input {name!r}", hint=hint)
    values = {}
    for name, declared in known.items():
        if given.get(name) is not None:
            values[name] = _value(declared, given[name], caller)
        elif declared.required and declared.default is None:
            raise _missing(plan, declared)
    return values


def read(what: str, type_: Type, given: Any, caller: Caller, options: Sequence[str] = ()) -> Any:
    """A value of this type, from one or from a text; `what` is how people call its place.

    Raises:
        InputError: it is none, or not one of the `options` if there are any.
    """
    try:
        value = _read(type_, given, caller)
    except ValueError as error:
        problem, _, hint = str(error).partition(". ")
        raise InputError(f"{what}: {problem.rstrip('.')}", hint=hint) from None
    if options and value not in options:
        hint = did_you_mean(value, options) or f"It is {one_of(options)}."
        raise InputError(f"{what} cannot be {_shown(value)}", hint=hint)
    return value


def _missing(plan: Plan, declared: Input) -> MissingInputError:
    what, example = _EXAMPLES[declared.type.name]
    example = example.format(of=declared.type.of)
    hint = f"Give it {what}{f', such as {example}' if example else ''}."
    message = f"{_called(declared)} of process {plan.process!r} is missing"
    return MissingInputError(message, hint=hint, name=declared.name, example=example)


def _value(declared: Input, given: Any, caller: Caller) -> Any:
    value = read(_called(declared), declared.type, given, caller, declared.options)
    if declared.pattern and isinstance(value, str) and not re.fullmatch(declared.pattern, value):
        hint = declared.description or f"It is {declared.pattern}"
        raise InputError(f"{_called(declared)} does not have its form: {_shown(value)}", hint=hint)
    _within(declared, value)
    return value


def _within(declared: Input, value: Any) -> None:
    """A number of business days has no fixed length: limits of another kind say nothing about it."""
    low, high = (
        bound if _comparable(bound, value) else None for bound in (declared.minimum, declared.maximum)
    )
    limits = [f"at least {_plain(low)}"] * (low is not None) + [f"at most {_plain(high)}"] * (
        high is not None
    )
    if (low is not None and value < low) or (high is not None and value > high):
        hint = f"Write a value that is {' and '.join(limits)}."
        raise InputError(f"{_called(declared)} cannot be {_shown(value)}", hint=hint)


def _comparable(bound: Any, value: Any) -> bool:
    return bound is not None and isinstance(bound, BusinessDays) == isinstance(value, BusinessDays)


def _called(declared: Input) -> str:
    made_up = declared.name.replace("_", " ").capitalize()
    title = f" ({declared.title})" if declared.title not in ("", made_up) else ""
    return f"input {declared.name!r}{title}"


def _shown(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else _plain(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 1]}…"


def _plain(value: Any) -> str:
    match value:
        case datetime():
            return value.isoformat(timespec="minutes")
        case timedelta() | BusinessDays():
            return times.spoken(value)
        case Record():
            return str(ref_of(value))
    return str(value)


_LONGEST_SHOWN = 60


# --- reading a value of each type; a ValueError says what is wrong and, behind ". ", what to write


def _read(type_: Type, given: Any, caller: Caller) -> Any:
    return _READERS[type_.name](type_, given, caller)


def _wrong(given: Any, what: str, write: str) -> ValueError:
    return ValueError(f"{_shown(given)} is no {what}. Write {write}.")


def _text(_type: Type, given: Any, _caller: Caller) -> str:
    if isinstance(given, str):
        return str.__str__(given)
    raise _wrong(given, "text", "it in quotes")


def _int(_type: Type, given: Any, _caller: Caller) -> int:
    number = _finite(given)
    if number is None or number != int(number):
        raise _wrong(given, "whole number", "it as 3")
    return int(number)


def _number(_type: Type, given: Any, _caller: Caller) -> int | float | Decimal:
    number = _finite(given)
    if number is None:
        raise _wrong(given, "number", "it as 3 or 12.5")
    return int(number) if isinstance(given, str) and number == int(number) else number


def _finite(given: Any) -> int | float | Decimal | None:
    """A number within reach, or a text that is one."""
    number = given
    if isinstance(given, str):
        _refuse_ambiguous(given.strip())
        try:
            number = Decimal(given.strip() if len(given) <= _LONGEST_SHOWN else "")
        except InvalidOperation:
            return None
    if isinstance(number, bool) or not isinstance(number, int | float | Decimal):
        return None
    finite = (
        number.is_finite() if isinstance(number, Decimal) else isinstance(number, int) or isfinite(number)
    )
    return number if finite and -LARGEST <= number <= LARGEST else None


def _refuse_ambiguous(text: str) -> None:
    """Half of the world writes 50.000 for fifty thousand."""
    if _THOUSANDS.fullmatch(text):
        whole, small = text.replace(".", ""), Decimal(text).normalize()
        clear = f"{small:f}" if small == int(small) else f"{text}0"
        raise ValueError(f"{_shown(text)} may be {small:f} or {whole}. Write {clear} or {whole}.")


def _bool(_type: Type, given: Any, _caller: Caller) -> bool:
    if isinstance(given, bool):
        return given
    word = given.strip().casefold() if isinstance(given, str) else ""
    if word in YES or word in NO:
        return word in YES
    raise ValueError(f"{_shown(given)} is neither yes nor no. Write yes or no.")


def _date(_type: Type, given: Any, _caller: Caller) -> date:
    if isinstance(given, str) or (isinstance(given, date) and not isinstance(given, datetime)):
        return times.parse_day(given)
    raise _wrong(given, "date", "it as 2026-03-06")


def _moment(_type: Type, given: Any, caller: Caller) -> datetime:
    """One that was put into a zone keeps it; a text only says which moment is meant, in whatever zone."""
    if isinstance(given, datetime) and given.tzinfo:
        return given
    if not isinstance(given, date | str):
        raise _wrong(given, "moment", "it as 2026-03-06T10:00+01:00")
    try:
        if isinstance(given, str) and given.strip().startswith("+") and caller.now:
            return caller.now + times.parse_duration(given.strip()[1:].strip())
        return times.parse_moment(given, caller.zone).astimezone(UTC)
    except times.AmbiguousTimeError:
        raise
    except OverflowError:
        raise _wrong(given, "moment within reach", "it as 2026-03-06T10:00+01:00") from None
    except ValueError as error:
        if not (caller.now and caller.zone) or not isinstance(given, str) or given.strip().startswith("+"):
            raise
        what = str(error).partition(". ")[0]
        raise ValueError(f"{what}. {_FROM_HERE}") from None


_FROM_HERE = "Write it as 2026-03-06T10:00, with +01:00 for a zone of its own, or as +2 days from now."


def _duration(_type: Type, given: Any, _caller: Caller) -> times.Duration:
    return times.parse_any_duration(given)


def _record(type_: Type, given: Any, _caller: Caller) -> Ref | Record:
    """A record, `contact:17`, or its number, where only one kind can be meant."""
    if isinstance(given, bool) or not isinstance(given, Ref | Record | str | int):
        raise _wrong(given, f"record of {type_.of}", f"it as {type_.of}:17")
    found = given if isinstance(given, Ref | Record) else _addressed(type_.of, str(given).strip())
    ref = ref_of(found) if isinstance(found, Record) else found
    if ref.entity != type_.of:
        raise _wrong(ref, type_.of, f"it as {type_.of}:17")
    return found


def _addressed(entity: str, text: str) -> Ref:
    try:
        found = Ref.parse(text if ":" in text else f"{entity}:{text}")
    except InputError:
        found = None
    if found is None or found.id > LARGEST:
        raise _wrong(text, f"record of {entity}", f"it as {entity}:17")
    return found


def _list(type_: Type, given: Any, caller: Caller) -> tuple[Any, ...]:
    """A list, or a text with commas."""
    if isinstance(given, str):
        given = [part.strip() for part in given.split(",") if part.strip()]
    if not isinstance(given, list | tuple | set | frozenset):
        raise _wrong(given, "list", "it as a, b, c")
    return tuple(
        _read(type_.item, each, caller) if type_.item else _any(type_, each, caller) for each in given
    )


def _any(_type: Type, given: Any, _caller: Caller) -> Any:
    try:
        return as_stored(given)
    except TypeError:
        raise ValueError(f"{type(given).__name__} is nothing that a process can keep") from None


_READERS: Mapping[str, Callable[[Type, Any, Caller], Any]] = {
    "text": _text, "int": _int, "number": _number, "bool": _bool, "date": _date, "datetime": _moment, "duration": _duration,
    "record": _record, "list": _list, "any": _any,
}  # fmt: skip
_EXAMPLES: Mapping[str, tuple[str, str]] = {
    "text": ("a text", ""), "int": ("a whole number", "3"), "number": ("a number", "12.5"), "bool": ("yes or no", ""),
    "date": ("a date", "2026-03-06"), "datetime": ("a moment", "2026-03-06T10:00+01:00"),
    "duration": ("a duration", "2 days"), "record": ("a record", "{of}:17"), "list": ("a list", "a, b, c"), "any": ("a value", ""),
}  # fmt: skip
