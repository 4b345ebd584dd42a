"""Which names the way gave to what, as the steps of one scope see them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from procession.plan import Plan
from procession.position.tree import Position


@dataclass(frozen=True, slots=True)
class Seen:
    """`items` are loop variables: `{name: (scope of the loop, number of the item)}`; `names` those that an event
    brought. Inner ones hide outer ones."""

    vars: Mapping[str, Any]
    error: Mapping[str, Any] | None
    items: Mapping[str, tuple[int, int]]
    names: Mapping[str, Any] = field(default_factory=dict)


def seen(plan: Plan, position: Position, scope: int) -> Seen:
    names: dict[str, Any] = {}
    items: dict[str, tuple[int, int]] = {}
    while scope:
        at = position.scopes[scope]
        names = {**at.names, **names}
        if at.kind == "loop":
            items.setdefault(plan.located[at.path].step.each, (at.id, at.number))
        scope = at.parent
    names.pop("set", None)
    return Seen(names.pop("vars"), names.pop("error", None), items, names)
