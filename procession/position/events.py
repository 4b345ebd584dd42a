"""Event sub-processes: steps that an event opens beside what goes on in a scope, or in its place."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from procession.position.tree import Scope
from procession.position.way import Way, round_of

OWNERS = ("process", "steps")
"""What has event sub-processes: the process, and a group. (Whoever wants them at another step puts it into a group.)"""


def enter(way: Way, owner: int, slot: str, names: Mapping[str, Any], *, interrupting: bool) -> None:
    """`slot` is the list of steps of the owner's step (`events/cancelled`). Every one has a round of its own, so that
    what a second event does is not taken for what the first one did.

    Raises:
        ValueError: this owner has none, or one is going on that this one does not interrupt.
    """
    scope = way.scopes[owner]
    if scope.kind not in OWNERS:
        raise ValueError(f"scope {owner} ({scope.kind}) has no event sub-processes")
    going = [inside for inside in way.inside(owner) if inside.kind == "event"]
    if going and (going[0].interrupting or not interrupting):
        raise ValueError(f"scope {owner} has an event sub-process that is not over")
    before = way.tokens.get(owner)
    if interrupting:
        way.cancel_inside(owner)
    way.scopes[owner] = replace(scope, number=scope.number + 1)
    round_ = round_of(scope.round, scope.number)
    way.open("event", owner, scope.path, slot, interrupting=interrupting, names=dict(names), round=round_)
    if before and not interrupting:
        way.tokens[owner] = before


def left(way: Way, scope: Scope) -> None:
    """After an interrupting one its owner is over, too: nothing else is left in it (BPMN 2.0.2, 13.5.4)."""
    way.end(scope.parent)
