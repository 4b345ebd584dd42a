"""Which names the way gave to what, as the steps of one scope see them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from procession.plan import Plan
from procession.position.tree import Position, Scope


@dataclass(frozen=True, slots=True)
class Frame:
    """`items` are loop variables: `{name: (scope of the loop, number of the item)}`; `names` those that an event
    brought. Inner ones hide outer ones."""

    vars: Mapping[str, Any]
    error: Mapping[str, Any] | None
    items: Mapping[str, tuple[int, int]]
    names: Mapping[str, Any] = field(default_factory=dict)


def frame(plan: Plan, position: Position, scope: int) -> Frame:
    return frame_in(plan, position.scopes, scope)


def frame_in(plan: Plan, scopes: Mapping[int, Scope], scope: int) -> Frame:
    names: dict[str, Any] = {}
    items: dict[str, tuple[int, int]] = {}
    while scope:
        at = scopes[scope]
        names = {**at.names, **names}
        items = {**at.names.get("items", {}), **items}
        if at.kind == "loop":
            items.setdefault(plan.located[at.path].step.each, (at.id, at.number))
        scope = at.parent
    others = {name: value for name, value in names.items() if name not in ("vars", "set", "error", "items")}
    return Frame(names["vars"], names.get("error"), items, others)


def taken_along(plan: Plan, scopes: Mapping[int, Scope], scope: int) -> dict[str, Any]:
    """The names of a scope that leaves those around it: it still sees what it saw there."""
    found = frame_in(plan, scopes, scope)
    error = {} if found.error is None else {"error": found.error}
    items = {"items": dict(found.items)} if found.items else {}
    return {**found.names, **error, **items, **scopes[scope].names}
