"""What an error does: it leaves scopes until a step's `on_error` or the `errors` of the process catches it.

Then all that is inside what caught it is cancelled; nothing is compensated by itself. If nothing catches it, nothing
is cancelled: the token becomes an incident, and the others go on.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from procession.position.tree import Over, Scope
from procession.position.way import Way

BESIDE = ("on_error", "event", "branch")
"""Scopes that are not what their own `path` opened in the scope around: a handler does not catch its own error, an event
sub-process fails its owner, and a branch its fork; one that outlived its fork fails the process."""


def fail(way: Way, scope: int, path: str, error: Mapping[str, Any]) -> bool:
    """Whether something caught it."""
    if error.get("class") == "timeout" and way.plan.located[path].step.on_timeout:
        return _handle(way, scope, path, "on_timeout", error)
    at = scope
    while True:
        if way.plan.located[path].step.on_error:
            return _handle(way, at, path, "on_error", error)
        around = way.scopes[at]
        while around.kind in BESIDE:
            around = way.scopes[around.parent]
        if not around.parent:
            return _process_fails(way, around, error)
        at, path = around.parent, around.path


def _handle(way: Way, scope: int, path: str, slot: str, error: Mapping[str, Any]) -> bool:
    way.cancel_inside(scope, path)
    way.open("on_error", scope, path, slot, names={"error": error})
    return True


def _process_fails(way: Way, outermost: Scope, error: Mapping[str, Any]) -> bool:
    if outermost.kind == "errors" or not way.plan.errors:
        return False
    names = {"error": error, "vars": outermost.names["vars"]}
    way.cancel(outermost.id)
    way.open("errors", 0, "", "errors", names=names)
    return True


def hold(way: Way, scope: int, error: Mapping[str, Any]) -> None:
    way.tokens[scope] = replace(way.tokens[scope], state="incident", error=error)


def left(way: Way, scope: Scope) -> None:
    way.go_on(scope.parent, scope.path)


def process_left(way: Way, scope: Scope) -> None:
    way.over = Over(error=scope.names["error"])
