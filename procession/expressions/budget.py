"""How much one evaluation may build, and how it says that it cannot go on.

An expression has no loops and at most `MOST_WORDS` words, each word runs one operation, and an operation
takes time in proportion to the values it is given and what it builds (sorting: n log n). What it builds
is counted here over the whole evaluation. So both time and memory are bounded by construction, and no
clock needs to be watched.
"""

from decimal import Decimal
from math import isfinite
from typing import Any, TypeVar

from jinja2.runtime import Context

MOST_BUILT = 100_000
"""Characters of text and items of lists that one evaluation may build in all."""

MOST_ITEMS = 10_000
LARGEST = 10**18
"""No operation gives a number beyond it."""

T = TypeVar("T", str, list[Any], tuple[Any, ...])


class Mistake(ValueError):
    """An expression cannot go on with these values; the message is for its author."""


class Ledger(Context):
    """Jinja's context of one evaluation, which also counts what was built."""

    spent = 0


def charge(context: Context, size: int) -> None:
    """Raises:
    Mistake: with this, the evaluation builds more than it may.
    """
    if isinstance(context, Ledger):
        context.spent += size
        if context.spent > MOST_BUILT:
            raise Mistake(f"it would build more than {MOST_BUILT:,} characters")


def built(context: Context, value: T) -> T:
    charge(context, len(value))
    return value


def in_range(number: Any) -> Any:
    """Raises:
    Mistake: the number is not finite, or too large.
    """
    if not is_writable(number):
        raise Mistake("the number gets too large")
    return number


def is_writable(number: Any) -> bool:
    """Whether it is finite, and not beyond what people read."""
    finite = number.is_finite() if isinstance(number, Decimal) else isfinite(number)
    return bool(finite and -LARGEST <= number <= LARGEST)
