"""Two stores that are told the same and must answer the same: where they differ, one of them is wrong."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from procession.errors import ProcessionError
from procession.ports import Glance, Store, Unit
from procession.records import Record, fields_of, ref_of


class TwinStore:
    """Looks like one store. What the first answers is the answer."""

    def __init__(self, first: Store, second: Store) -> None:
        self.first, self.second = first, second
        self.schema, self.identity = first.schema, first.identity

    @contextmanager
    def unit(self, *, write: bool = True) -> Iterator[Unit]:
        with self.first.unit(write=write) as first, self.second.unit(write=write) as second:
            yield TwinUnit(first, second)  # type: ignore[misc]


class TwinUnit:
    def __init__(self, first: Unit, second: Unit) -> None:
        self._first, self._second = first, second
        for name in ("records", "journal", "outbox", "history"):
            setattr(self, name, _TwinPart(name, getattr(first, name), getattr(second, name)))

    @contextmanager
    def nested(self) -> Iterator["TwinUnit"]:
        with self._first.nested() as first, self._second.nested() as second:
            yield TwinUnit(first, second)

    def commit(self) -> None:
        self._first.commit()
        self._second.commit()


class _TwinPart:
    def __init__(self, name: str, first: Any, second: Any) -> None:
        self._name, self._first, self._second = name, first, second

    def __getattr__(self, call: str) -> Any:
        def both(*args: Any, **named: Any) -> Any:
            first, second = (_asked(part, call, args, named) for part in (self._first, self._second))
            assert _told(first) == _told(second), f"{self._name}.{call}{args}{named or ''}: {first} {second}"
            if isinstance(first, ProcessionError):
                raise first
            return first

        return both


def _asked(part: Any, call: str, args: Any, named: Any) -> Any:
    try:
        return getattr(part, call)(*args, **named)
    except ProcessionError as error:
        return error


def _told(answer: Any) -> Any:
    """What can be compared: a record with all its fields, an error with its words. What is made at random is left out."""
    if isinstance(answer, ProcessionError):
        return type(answer), answer.message, answer.hint
    if isinstance(answer, Record):
        fields = fields_of(answer)
        known = {"uid": bool(fields["uid"])} if "uid" in fields else {}  # each made its own
        return ref_of(answer), {**{name: _told(value) for name, value in fields.items()}, **known}
    if isinstance(answer, Glance):
        return replace(answer, incarnation="")
    if isinstance(answer, Mapping):
        return {key: _told(value) for key, value in answer.items()}
    if isinstance(answer, (list, tuple)):
        return [_told(value) for value in answer]
    return answer
