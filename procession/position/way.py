"""A position while it is moved: what all constructs do to it.

A scope that came to its end is put into `ended`; `procession.position.moving` lets its construct decide what follows.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from procession.plan import Plan, Step
from procession.position.tree import Over, Position, Scope, ScopeKind, Token


class Way:
    """`scopes` and `tokens` by number of the scope, as in `Position`."""

    def __init__(self, plan: Plan, position: Position) -> None:
        self.plan = plan
        self.scopes = dict(position.scopes)
        self.tokens = dict(position.tokens)
        self.last_id = position.last_id
        self.over: Over | None = None
        self.ended: list[Scope] = []

    def position(self) -> Position:
        if self.over is not None:
            return Position({}, {}, self.last_id, self.over)
        scopes, tokens = dict(sorted(self.scopes.items())), dict(sorted(self.tokens.items()))
        return Position(scopes, tokens, self.last_id)

    def steps(self, path: str, slot: str) -> tuple[Step, ...]:
        """The list of steps `slot` of the step at `path`; of the process itself, if that is empty."""
        if not path:
            return {"steps": self.plan.steps, "errors": self.plan.errors}[slot]
        step = self.plan.located[path].step
        handlers = {"on_error": step.on_error, "on_timeout": step.on_timeout}
        return handlers[slot] if slot in handlers else step.slots.get(slot, ())

    # --- into a list of steps

    def open(self, kind: ScopeKind, parent: int, path: str, slot: str, **more: Any) -> Scope:
        """Open a scope, at its first step; one without steps is over at once. `more` are its other fields."""
        self.last_id += 1
        round_ = self.scopes[parent].round if parent else ""
        scope = Scope(self.last_id, parent, kind, path, slot, **{"round": round_, **more})
        self.start(scope)
        return scope

    def start(self, scope: Scope) -> None:
        """Put a scope, new or changed, at the first of its steps."""
        self.scopes[scope.id] = scope
        steps = self.steps(scope.path, scope.slot)
        self.tokens.pop(scope.parent, None)  # it waits for what is inside
        if steps:
            self.tokens[scope.id] = Token(scope.id, steps[0].path)
        else:
            self.ended.append(scope)

    def hold(self, kind: ScopeKind, parent: int, path: str, **more: Any) -> Scope:
        """Open a scope that has no steps of its own: it waits for what is inside, or for other instances."""
        self.last_id += 1
        scope = Scope(self.last_id, parent, kind, path, "", **{"round": self.scopes[parent].round, **more})
        self.scopes[scope.id] = scope
        self.tokens.pop(parent, None)
        return scope

    # --- onwards

    def go_on(self, scope: int, path: str, *, beyond: int = 0) -> None:
        """The step at `path` is finished: on to the next one in its list, or so many further, or to the end of the scope."""
        for each in [one for one in self.inside(scope, path) if one.kind == "repeat"]:
            self.cancel(each.id)
        place = self.plan.located[path]
        siblings = self.steps(place.parent, place.slot)
        number = place.number + 1 + beyond
        if number < len(siblings):
            self.tokens[scope] = Token(scope, siblings[number].path)
        else:
            self.leave(scope)

    def leave(self, scope: int) -> None:
        """What is left of the list of steps is not taken."""
        self.tokens.pop(scope, None)
        self.end(scope)

    def end(self, scope: int) -> None:
        """A scope is at its end once nothing is left inside, and no token in it."""
        if scope not in self.tokens and not any(self.inside(scope)):
            self.ended.append(self.scopes[scope])

    # --- out of it

    def inside(self, scope: int, path: str | None = None) -> Iterator[Scope]:
        """Scopes right inside this one; those that its step at `path` opened, if given."""
        return (
            each
            for each in self.scopes.values()
            if each.parent == scope and (path is None or each.path == path)
        )

    def cancel(self, scope: int) -> None:
        """Drop a scope and all that is inside."""
        self.cancel_inside(scope)
        self.scopes.pop(scope, None)
        self.tokens.pop(scope, None)

    def cancel_inside(self, scope: int, path: str | None = None) -> None:
        for each in list(self.inside(scope, path)):
            self.cancel(each.id)

    # --- names

    def set_vars(self, scope: int, values: Mapping[str, Any]) -> None:
        """What is set holds in the nearest scope around that has `vars` of its own: the process, or a branch."""
        if not values:
            return
        at = self.scopes[scope]
        while "vars" not in at.names:
            at = self.scopes[at.parent]
        names = {**at.names, "vars": {**at.names["vars"], **values}}
        if at.kind == "branch":
            names["set"] = {**at.names.get("set", {}), **values}
        self.scopes[at.id] = replace(at, names=names)

    def vars(self, scope: int) -> Mapping[str, Any]:
        """`vars` as the steps of this scope see them."""
        at = self.scopes[scope]
        while "vars" not in at.names:
            at = self.scopes[at.parent]
        found: Mapping[str, Any] = at.names["vars"]
        return found


def round_of(around: str, number: int) -> str:
    """`2.0`: the first pass of a loop in the third pass of the loop around it."""
    return f"{around}.{number}".lstrip(".")
