"""Steps one after another: the process itself, and the slots of `if`, `choose` and groups."""

from procession.position.outcomes import Enter
from procession.position.tree import Over, Scope
from procession.position.way import Way
from procession.steps.kind import Stop


def enter(way: Way, scope: int, path: str, outcome: Enter) -> None:
    slots = tuple(slot for slot in outcome.slots if way.steps(path, slot))
    if slots:
        way.open("steps", scope, path, slots[0], rest=slots[1:])
    else:
        way.go_on(scope, path)


def left(way: Way, scope: Scope) -> None:
    if scope.rest:
        way.open("steps", scope.parent, scope.path, scope.rest[0], rest=scope.rest[1:])
    else:
        way.go_on(scope.parent, scope.path)


def process_left(way: Way, _scope: Scope) -> None:
    way.over = Over()


def stop(way: Way, stopped: Stop) -> None:
    """The instance ends here, whatever else is open."""
    way.over = Over(stop=stopped)
