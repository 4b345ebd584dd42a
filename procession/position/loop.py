"""`for_each`, one item after another: one scope for the whole loop, at a number. The items are kept beside it."""

from dataclasses import replace

from procession.position.outcomes import Loop
from procession.position.tree import Scope
from procession.position.way import Way, round_of


def enter(way: Way, scope: int, path: str, outcome: Loop) -> None:
    if outcome.count:
        round_ = round_of(way.scopes[scope].round, 0)
        way.open("loop", scope, path, "steps", count=outcome.count, round=round_)
    else:
        way.go_on(scope, path)


def left(way: Way, scope: Scope) -> None:
    number = scope.number + 1
    if number < scope.count:
        way.start(replace(scope, number=number, round=round_of(way.scopes[scope.parent].round, number)))
    else:
        way.go_on(scope.parent, scope.path)
