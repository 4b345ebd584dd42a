"""The values an expression saw, for the message of its failure: short, and nothing personal at length."""

import functools
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from jinja2 import nodes

from procession.expressions.syntax import read
from procession.records import Record, fields_of
from procession.times import spoken
from procession.values import BusinessDays

LONGEST = 60
MOST = 8

_HIDDEN = (
    "email", "emails", "mail", "phone", "mobile", "body", "address", "street", "mailbox", "text", "html", "signature",
    "notes", "note", "description", "password", "secret", "token", "iban", "birthday", "salary",
)  # fmt: skip
"""A text is not shown if a part of its field's name is one of these, nor if it holds an `@`."""


def seen(source: str, names: Mapping[str, Any]) -> str:
    """`meeting.start = empty, remind_before = 1 day`: each path of the expression, as far as it leads."""
    shown: dict[str, str] = {}
    for path in _paths(source):
        if path[0] in names:
            where, value = _follow(path, names)
            shown[where] = _short(where, value)
    return ", ".join(f"{where} = {value}" for where, value in list(shown.items())[:MOST])


def paths_in(source: str) -> tuple[str, ...]:
    """The dotted paths that an expression reads."""
    return tuple(".".join(path) for path in _paths(source))


@functools.lru_cache(maxsize=256)
def _paths(source: str) -> tuple[tuple[str, ...], ...]:
    node = read(source).node
    return tuple(dict.fromkeys(_below(node))) if node is not None else ()


def _below(node: nodes.Node) -> Iterator[tuple[str, ...]]:
    path = _path(node)
    if path:
        yield path
        return
    for child in node.iter_child_nodes():
        if not (isinstance(node, nodes.Call) and child is node.node):
            yield from _below(child)


def _path(node: nodes.Node) -> tuple[str, ...]:
    """`a.b.c`, or nothing if the node is something else."""
    if isinstance(node, nodes.Name):
        return (node.name,)
    if isinstance(node, nodes.Getattr) and (owner := _path(node.node)):
        return (*owner, node.attr)
    return ()


def _follow(path: tuple[str, ...], names: Mapping[str, Any]) -> tuple[str, Any]:
    """The value at the end of a path that begins in the scope, or the last one before it leads nowhere."""
    value: Any = names
    for number, name in enumerate(path):
        fields = fields_of(value) if isinstance(value, Record) else value
        if not isinstance(fields, Mapping) or name not in fields:
            return ".".join(path[:number]), value
        value = fields[name]
    return ".".join(path), value


def _short(where: str, value: Any) -> str:
    match value:
        case None:
            return "empty"
        case bool():
            return "yes" if value else "no"
        case str():
            return "empty" if not value else "(not shown)" if _is_hidden(where, value) else _cut(repr(value))
        case datetime():
            return value.isoformat(sep=" ", timespec="minutes")
        case date():
            return value.isoformat()
        case timedelta() | BusinessDays():
            return spoken(value)
        case list() | tuple():
            return f"a list of {len(value)}"
        case Mapping():
            return "a group of values"
        case int() | float() | Record():
            return _cut(repr(value))
    return _cut(str(value))


def _is_hidden(where: str, text: str) -> bool:
    return "@" in text or not set(_HIDDEN).isdisjoint(where.rpartition(".")[2].split("_"))


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
