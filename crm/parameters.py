"""Parameters that many statements take."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

from sqlalchemy import BindParameter, bindparam

from crm.columns import UtcDateTime

IDS: BindParameter[int] = bindparam("ids", expanding=True)
NOW = bindparam("now", type_=UtcDateTime())
UNTIL = bindparam("until", type_=UtcDateTime())

_T = TypeVar("_T")

MOST_AT_ONCE = 10_000
"""Values in one statement; SQLite takes 32,766."""


def portions(values: Iterable[_T]) -> Iterator[list[_T]]:
    """In portions that one statement can hold."""
    rest = iter(values)
    while some := list(islice(rest, MOST_AT_ONCE)):
        yield some
