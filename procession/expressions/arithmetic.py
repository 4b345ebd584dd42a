"""What `+ - * / // %` do, and to which types. One table says both: the check reads the types, the run calls
the function."""

import operator
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from jinja2.runtime import Context

from procession import times
from procession.expressions.budget import Mistake, charge, in_range
from procession.expressions.kinds import kind_of, said
from procession.expressions.writing import of_process, zone_of
from procession.records import TypeName
from procession.values import BusinessDays, own_zone

Run = Callable[[Context, Any, Any], Any]


def compute(context: Context, sign: str, left: Any, right: Any) -> Any:
    """Raises:
    Mistake: the operation does not fit these values, or its result is too large.
    """
    found = SIGNS.get((sign, kind_of(left), kind_of(right)))
    if found is None:
        raise Mistake(f"'{sign}' does not fit {said(left)} and {said(right)}")
    try:
        return found[1](context, left, right)
    except ZeroDivisionError:
        raise Mistake("it divides by zero") from None
    except ArithmeticError:
        raise Mistake(f"'{sign}' leads too far") from None


def negate(sign: str, value: Any) -> Any:
    if kind_of(value) not in SIGNED:
        raise Mistake(f"'{sign}' does not fit {said(value)}")
    if sign == "+":
        return value
    return BusinessDays(-value.days) if isinstance(value, BusinessDays) else -value


SIGNED = ("int", "number", "duration")


def _numbers(function: Callable[[Any, Any], Any]) -> Run:
    def run(_context: Context, left: Any, right: Any) -> Any:
        if isinstance(left, Decimal) and isinstance(right, float):
            right = Decimal(repr(right))
        elif isinstance(left, float) and isinstance(right, Decimal):
            left = Decimal(repr(left))
        return in_range(function(left, right))

    return run


def _join(context: Context, left: Any, right: Any) -> Any:
    charge(context, len(left) + len(right))
    return left + right if type(left) is type(right) else [*left, *right]


def later(context: Context, moment: datetime, duration: times.Duration) -> datetime:
    if moment.tzinfo is None:
        raise Mistake("a moment without a time zone cannot be reckoned with")
    try:
        zone = own_zone(moment) or zone_of(context)
        return times.add(moment, duration, zone, calendar_of(context))
    except ValueError as error:
        raise Mistake(str(error)) from error


def calendar_of(context: Context) -> times.Calendar:
    """The business calendar of the process: `process.country`, a country code, if the application gives one."""
    return times.Calendar(str(of_process(context, "country") or ""))


def _later_day(context: Context, day: date, duration: times.Duration) -> date:
    if isinstance(duration, timedelta):
        return day + duration
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=zone_of(context))
    return later(context, noon, duration).date()


def _together(sign: str) -> Run:
    function = getattr(operator, sign)

    def run(_context: Context, left: Any, right: Any) -> Any:
        if isinstance(left, BusinessDays) and isinstance(right, BusinessDays):
            return BusinessDays(function(left.days, right.days))
        if isinstance(left, BusinessDays) or isinstance(right, BusinessDays):
            raise Mistake("business days and other durations do not add up")
        return function(left, right)

    return run


def _scale(_context: Context, duration: times.Duration, number: Any) -> times.Duration:
    if isinstance(duration, timedelta):
        return duration * float(number)
    if number != int(number) or abs(number) > times.LONGEST.days:
        raise Mistake("business days are whole days")
    return BusinessDays(duration.days * int(number))


def _share(_context: Context, duration: times.Duration, number: Any) -> timedelta:
    if isinstance(duration, timedelta):
        return duration / float(number)
    raise Mistake("business days cannot be divided")


def _ratio(_context: Context, left: times.Duration, right: times.Duration) -> float:
    if isinstance(left, timedelta) and isinstance(right, timedelta):
        return left / right
    raise Mistake("business days cannot be divided")


def _apart(_context: Context, left: datetime, right: datetime) -> timedelta:
    if left.tzinfo is None or right.tzinfo is None:
        raise Mistake("a moment without a time zone cannot be reckoned with")
    return left.astimezone(UTC) - right.astimezone(UTC)


def _each_number(
    sign: str, function: Callable[[Any, Any], Any]
) -> dict[tuple[str, str, str], tuple[TypeName, Run]]:
    """The four ways numbers meet; whole ones give whole ones, except by division."""
    run = _numbers(function)
    whole: TypeName = "number" if sign == "/" else "int"
    return {
        (sign, left, right): (whole if (left, right) == ("int", "int") else "number", run)
        for left in ("int", "number")
        for right in ("int", "number")
    }


def _product(number: str) -> dict[tuple[str, str, str], tuple[TypeName, Run]]:
    return {
        ("*", "duration", number): ("duration", _scale),
        ("*", number, "duration"): ("duration", lambda context, left, right: _scale(context, right, left)),
        ("/", "duration", number): ("duration", _share),
    }


SIGNS: Mapping[tuple[str, str, str], tuple[TypeName, Run]] = {
    **_each_number("+", operator.add),
    **_each_number("-", operator.sub),
    **_each_number("*", operator.mul),
    **_each_number("/", operator.truediv),
    **_each_number("//", operator.floordiv),
    **_each_number("%", operator.mod),
    **_product("int"),
    **_product("number"),
    ("+", "text", "text"): ("text", _join),
    ("+", "list", "list"): ("list", _join),
    ("+", "datetime", "duration"): ("datetime", later),
    ("+", "duration", "datetime"): ("datetime", lambda context, left, right: later(context, right, left)),
    ("-", "datetime", "duration"): (
        "datetime",
        lambda context, left, right: later(context, left, negate("-", right)),
    ),
    ("+", "date", "duration"): ("date", _later_day),
    ("+", "duration", "date"): ("date", lambda context, left, right: _later_day(context, right, left)),
    ("-", "date", "duration"): (
        "date",
        lambda context, left, right: _later_day(context, left, negate("-", right)),
    ),
    ("+", "duration", "duration"): ("duration", _together("add")),
    ("-", "duration", "duration"): ("duration", _together("sub")),
    ("/", "duration", "duration"): ("number", _ratio),
    ("-", "datetime", "datetime"): ("duration", _apart),
    ("-", "date", "date"): ("duration", lambda _context, left, right: left - right),
}
"""`{(sign, type on the left, on the right): (type of the result, function)}`."""
