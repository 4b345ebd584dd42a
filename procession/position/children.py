"""Instances of their own: `run_process`, and rounds that go side by side. The position only counts those that are over."""

from dataclasses import replace

from procession.position.outcomes import Spawn
from procession.position.way import Way


def enter(way: Way, scope: int, path: str, outcome: Spawn) -> None:
    needed = min(outcome.needed, outcome.count)
    if needed:
        way.hold("children", scope, path, count=needed)
    else:
        way.go_on(scope, path)


def ended(way: Way, scope: int) -> None:
    """One of them is over. One that comes late, after the way went on, changes nothing."""
    children = way.scopes.get(scope)
    if children is None:
        return
    children = replace(children, number=children.number + 1)
    way.scopes[scope] = children
    if children.number == children.count:
        way.cancel(scope)
        way.go_on(children.parent, children.path)
