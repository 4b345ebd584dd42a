"""Event sub-processes: steps that an event opens beside what goes on in a scope, or in its place."""

from collections.abc import Mapping
from typing import Any

from procession.position.tree import Scope
from procession.position.way import Way


def enter(way: Way, owner: int, slot: str, names: Mapping[str, Any], *, interrupting: bool) -> None:
    """`slot` is the list of steps of the owner's step (`events/cancelled`).

    Raises:
        ValueError: one of this owner is going on already; they go one after another.
    """
    scope = way.scopes[owner]
    if any(inside.kind == "event" for inside in way.inside(owner)):
        raise ValueError(f"scope {owner} has an event sub-process that is not over")
    before = None if interrupting else way.tokens.get(owner)
    if interrupting:
        way.cancel_inside(owner)
    way.open("event", owner, scope.path, slot, interrupting=interrupting, names=dict(names))
    if before:
        way.tokens[owner] = before


def left(way: Way, scope: Scope) -> None:
    """After an interrupting one its owner is over, too (BPMN 2.0.2, 13.5.4)."""
    if scope.interrupting:
        way.tokens.pop(scope.parent, None)
    way.end(scope.parent)
