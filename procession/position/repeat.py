"""`repeat`: the same steps until the step itself says that it is enough. Its scope stays while the step is asked."""

from dataclasses import replace

from procession.position.outcomes import Repeat
from procession.position.tree import Scope, Token
from procession.position.way import Way, round_of


def enter(way: Way, scope: int, path: str, _outcome: Repeat) -> None:
    before = next(way.inside(scope, path), None)
    around = way.scopes[scope].round
    if before is None:
        way.open("repeat", scope, path, "steps", round=round_of(around, 0))
    else:
        number = before.number + 1
        way.start(replace(before, number=number, round=round_of(around, number)))


def left(way: Way, scope: Scope) -> None:
    way.scopes[scope.id] = scope
    way.tokens[scope.parent] = Token(scope.parent, scope.path)
