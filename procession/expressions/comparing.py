"""What `== != < <= > >= in` do, and how lists are sorted and sifted: one notion of what is equal.

Moments are compared as moments, whatever zones they are in (Python compares two of one zone by what their
clocks show, and never finds one in the hour that a clock shows twice equal to one of another zone); lists
item by item, whether they were kept in the journal meanwhile or not.
"""

import operator
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from jinja2.runtime import Context

from procession.expressions.budget import Mistake
from procession.expressions.kinds import kind_of, said
from procession.values import BusinessDays

ORDERED = ("int", "number", "text", "date", "datetime", "duration")


def compare(_context: Context, left: Any, *pairs: Any) -> bool:
    """A chain such as `1 < x <= 5`: `pairs` are signs and values in turn."""
    for sign, right in zip(pairs[::2], pairs[1::2], strict=True):
        if not _COMPARISONS[sign](left, right):
            return False
        left = right
    return True


def comparable(left: str, right: str) -> bool:
    """Whether `<` fits two types."""
    return left in ORDERED and (left == right or {left, right} == {"int", "number"})


def equal(left: Any, right: Any) -> bool:
    if isinstance(left, _KEYED) and isinstance(right, _KEYED):
        return bool(key(left) == key(right))
    return bool(left == right)


def key(value: Any) -> Any:
    """What stands for a value where values are compared, sorted and found again."""
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo else value
    if isinstance(value, list | tuple):
        return tuple(key(each) for each in value)
    if isinstance(value, Mapping):
        return {name: key(each) for name, each in value.items()}
    return object() if _is_no_number(value) else value


_KEYED = (datetime, list, tuple, Mapping)


def _is_no_number(value: Any) -> bool:
    """Which equals nothing, itself neither; inside of lists Python takes the very same one for equal."""
    return isinstance(value, float | Decimal) and value != value  # noqa: PLR0124


def _ordered(sign: str) -> Callable[[Any, Any], bool]:
    function = getattr(operator, {"lteq": "le", "gteq": "ge"}.get(sign, sign))

    def ordered(left: Any, right: Any) -> bool:
        kinds = kind_of(left), kind_of(right)
        if not comparable(*kinds) or isinstance(left, BusinessDays) != isinstance(right, BusinessDays):
            raise Mistake(f"{said(left)} and {said(right)} cannot be compared")
        if kinds[0] == "datetime":
            left, right = key(left), key(right)
        return bool(function(left, right))

    return ordered


def _contains(left: Any, right: Any) -> bool:
    kind = kind_of(right)
    if kind not in ("list", "text") or (kind == "text" and kind_of(left) != "text"):
        raise Mistake(f"'in' does not fit {said(left)} and {said(right)}")
    if kind == "text":
        return left in right
    if isinstance(left, _KEYED) or _is_no_number(left):
        return any(equal(left, each) for each in right)
    return left in right


_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    **{sign: _ordered(sign) for sign in ("lt", "lteq", "gt", "gteq")},
    "eq": equal,
    "ne": lambda left, right: not equal(left, right),
    "in": _contains,
    "notin": lambda left, right: not _contains(left, right),
}
