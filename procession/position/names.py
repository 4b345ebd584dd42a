"""Which names the way gave to what, as the steps of one scope see them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from procession.plan import Plan
from procession.position.tree import Position


@dataclass(frozen=True, slots=True)
class Seen:
    """`items` are loop variables: `{name: (scope of the loop, number of the item)}`; an inner one hides an outer one."""

    vars: Mapping[str, Any]
    error: Mapping[str, Any] | None
    items: Mapping[str, tuple[int, int]]


def seen(plan: Plan, position: Position, scope: int) -> Seen:
    vars_: Mapping[str, Any] | None = None
    error: Mapping[str, Any] | None = None
    items: dict[str, tuple[int, int]] = {}
    while scope:
        at = position.scopes[scope]
        vars_ = at.names.get("vars") if vars_ is None else vars_
        error = at.names.get("error") if error is None else error
        if at.kind == "loop":
            items.setdefault(plan.located[at.path].step.each, (at.id, at.number))
        scope = at.parent
    return Seen(vars_ or {}, error, items)
