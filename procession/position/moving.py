"""Which steps are next, and where the instance is after one of them. Pure: no clock, no store, nothing outside.

begin    where an instance starts
turns    the steps whose turn it is, in the order of the document
proceed  the position after a turn had this outcome
wake     a token that waited, or is to be tried again, is ready
resume   incidents are ready again, their tries forgotten
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, assert_never

from procession.plan import Plan, Step
from procession.position import children, errors, events, fork, loop, repeat, sequence
from procession.position import outcomes as o
from procession.position.tree import Position, Scope, Token
from procession.position.way import Way


@dataclass(frozen=True, slots=True)
class Turn:
    """A step whose turn it is, in this scope; `attempts` of it failed before. It `has_waited` if it waited, and was woken."""

    scope: int
    step: Step
    round: str
    attempts: int = 0
    has_waited: bool = False


LEFT: Mapping[str, Callable[[Way, Scope], None]] = {
    "process": sequence.process_left,
    "steps": sequence.left,
    "loop": loop.left,
    "repeat": repeat.left,
    "branch": fork.left,
    "event": events.left,
    "on_error": errors.left,
    "errors": errors.process_left,
}
"""What follows when a scope of this kind is over. (`fork` and `children` are over by what is inside them.)"""


def begin(plan: Plan) -> Position:
    way = Way(plan, Position({}, {}))
    way.open("process", 0, "", "steps", names={"vars": {}})
    return _settled(way)


def turns(plan: Plan, position: Position) -> tuple[Turn, ...]:
    ready = [token for token in position.tokens.values() if token.state == "ready"]
    ready.sort(key=lambda token: (plan.located[token.path].order, token.scope))
    return tuple(
        Turn(
            token.scope,
            plan.located[token.path].step,
            position.scopes[token.scope].round,
            token.attempts,
            token.has_waited,
        )
        for token in ready
    )


def proceed(plan: Plan, position: Position, turn: Turn, outcome: o.Outcome) -> Position:
    """Raises:
    KeyError: no token stands where the turn is (any more).
    """
    way, scope, path = Way(plan, position), turn.scope, turn.step.path
    token = _token(way, turn)
    match outcome:
        case o.Done():
            way.set_vars(scope, outcome.set_vars)
            way.go_on(scope, path, beyond=outcome.passes_over)
        case o.Enter():
            sequence.enter(way, scope, path, outcome)
        case o.Loop():
            loop.enter(way, scope, path, outcome)
        case o.Repeat():
            repeat.enter(way, scope, path, outcome)
        case o.Fork():
            fork.enter(way, scope, path, outcome)
        case o.Spawn():
            children.enter(way, scope, path, outcome)
        case o.Wait():
            way.tokens[scope] = replace(token, state="waiting")
        case o.TryAgain():
            attempts = token.attempts + 1 if outcome.attempts is None else outcome.attempts
            way.tokens[scope] = replace(token, state="retrying", attempts=attempts)
        case o.Leave() | o.End() | o.Failed() | o.Held():
            _break_off(way, turn, outcome)
        case _:
            assert_never(outcome)
    return _settled(way)


def wake(position: Position, scope: int) -> Position:
    """One that is not open any more is no error: its scope ended before it was woken. An incident stays one."""
    token = position.tokens.get(scope)
    if token is None or token.state not in ("waiting", "retrying"):
        return position
    has_waited = token.has_waited or token.state == "waiting"
    ready = replace(token, state="ready", has_waited=has_waited)
    return replace(position, tokens={**position.tokens, scope: ready})


def woken(position: Position) -> Position:
    """All tokens that are to be tried again are ready: their time has come."""
    return _ready(position, lambda token: token.state == "retrying")


def resume(position: Position) -> Position:
    return _ready(position, lambda token: token.state == "incident", attempts=0, error=None)


def child_ended(plan: Plan, position: Position, scope: int) -> Position:
    way = Way(plan, position)
    children.ended(way, scope)
    return _settled(way)


def start_event(
    plan: Plan, position: Position, owner: int, slot: str, names: Mapping[str, Any], *, interrupting: bool
) -> Position:
    """`names` are those that its steps see beside what is seen in the owner.

    Raises:
        KeyError: the owner is not open (any more).
        ValueError: it has no event sub-processes, or one is going on that this one does not interrupt.
    """
    way = Way(plan, position)
    events.enter(way, owner, slot, names, interrupting=interrupting)
    return _settled(way)


def _token(way: Way, turn: Turn) -> Token:
    token = way.tokens[turn.scope]
    if (token.path, way.scopes[turn.scope].round) != (turn.step.path, turn.round):
        raise KeyError(f"scope {turn.scope} is not at '{turn.step.path}' in round '{turn.round}'")
    return token


def _break_off(way: Way, turn: Turn, outcome: o.Leave | o.End | o.Failed | o.Held) -> None:
    if isinstance(outcome, o.Leave):
        way.leave(turn.scope)
    elif isinstance(outcome, o.End):
        sequence.stop(way, outcome.stop)
    elif isinstance(outcome, o.Held) or not errors.fail(way, turn.scope, turn.step.path, outcome.error):
        errors.hold(way, turn.scope, outcome.error)


def _settled(way: Way) -> Position:
    """Scopes that are over let their constructs decide what follows, until a token stands or the instance is over."""
    while way.ended:
        ended = way.ended.pop(0)
        if ended.id in way.scopes:  # else it was cancelled meanwhile
            scope = way.scopes.pop(ended.id)
            LEFT[scope.kind](way, scope)
    return way.position()


def _ready(position: Position, which: Callable[[Token], bool], **more: Any) -> Position:
    tokens = {
        number: replace(token, state="ready", **more) if which(token) else token
        for number, token in position.tokens.items()
    }
    return replace(position, tokens=tokens)
