"""Where an instance is: the tree of its open scopes and the tokens in them, as one frozen value.

Terms are BPMN's. A *scope* is a list of steps that was entered: the process, a branch, a round of a loop, an error
handler, an event sub-process. A *token* is a point of execution: it stands at one step of one scope, and a scope
holds at most one. A scope without a token waits for scopes inside it. So an instance never has two tokens at one
step (rounds of a loop go one after another; those that go side by side are instances of their own).

The value holds no item, output or record: these are kept beside it, by the names and numbers in it. JSON holds it
without loss, and its size follows from what is open, not from what has been done.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from procession.steps.kind import Stop
from procession.values import from_json as value_of
from procession.values import to_json as json_of

ScopeKind = Literal[
    "process", "steps", "loop", "repeat", "fork", "branch", "children", "event", "on_error", "errors"
]
TokenState = Literal["ready", "waiting", "retrying", "incident"]


@dataclass(frozen=True, slots=True)
class Scope:
    """One open list of steps.

    `id` is never used again in this instance; `parent` is 0 for the outermost. `path` is that of the step that
    opened it (`""`: the process), `slot` the list of that step's children it goes through, `round` the passes of
    the loops, and the events, around it (`""`, `2`, `2.0`). `rest` are slots to enter after this one; of a fork,
    `continue` if that is what the other branches do. `number` and `count` are the item it is at and how many there
    are, or how many inside it are over and how many must be; of an owner of event sub-processes, `number` is how many
    it has had. `names` are those that belong to it: `error`, what an event brought, and `vars` where it has its own;
    `set` is what was set in a branch, or in those of a fork that are over; `items` are the loop variables that a
    branch took along when it outlived its join.
    """

    id: int
    parent: int
    kind: ScopeKind
    path: str
    slot: str
    round: str = ""
    rest: tuple[str, ...] = ()
    number: int = 0
    count: int = 0
    interrupting: bool = False
    names: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Token:
    """`scope` holds it, `path` is its step. `attempts` counts the tries of that step that failed so far; `error` is
    that of an incident. One that `has_waited` at its step was woken, and takes the step again."""

    scope: int
    path: str
    state: TokenState = "ready"
    attempts: int = 0
    error: Mapping[str, Any] | None = None
    has_waited: bool = False


@dataclass(frozen=True, slots=True)
class Over:
    """How the way ended: at the end of the steps, at a `stop`, or with an error that `errors` took care of."""

    stop: Stop | None = None
    error: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """`scopes` by number, in that order, so outer ones first; at most one of `tokens` for each, in the same order; `over`
    once nothing is open."""

    scopes: Mapping[int, Scope]
    tokens: Mapping[int, Token]
    last_id: int = 0
    over: Over | None = None

    @property
    def incidents(self) -> tuple[Token, ...]:
        return tuple(token for token in self.tokens.values() if token.state == "incident")


def to_json(position: Position) -> dict[str, Any]:
    """What says nothing (an empty text, a zero) is left out."""
    scopes = [
        {name: value for name, value in _scope_json(scope).items() if value}
        for scope in position.scopes.values()
    ]
    tokens = [
        {
            "scope": token.scope,
            "path": token.path,
            **({"state": token.state} if token.state != "ready" else {}),
            **({"attempts": token.attempts} if token.attempts else {}),
            **({"error": json_of(token.error)} if token.error is not None else {}),
            **({"has_waited": True} if token.has_waited else {}),
        }
        for token in position.tokens.values()
    ]
    return {"scopes": scopes, "tokens": tokens, "last_id": position.last_id}


def from_json(value: Mapping[str, Any]) -> Position:
    """The position of an instance that goes on; one that is over is not kept."""
    nothing: dict[str, Any] = {"parent": 0, "path": "", "slot": "", "rest": (), "names": {}}
    scopes = (
        Scope(**{**scope, "rest": tuple(scope["rest"]), "names": value_of(scope["names"])})
        for scope in ({**nothing, **each} for each in value["scopes"])
    )
    tokens = (Token(**{**token, "error": value_of(token.get("error"))}) for token in value["tokens"])
    return Position(
        {scope.id: scope for scope in scopes}, {token.scope: token for token in tokens}, value["last_id"]
    )


def _scope_json(scope: Scope) -> dict[str, Any]:
    return {
        "id": scope.id,
        "parent": scope.parent,
        "kind": scope.kind,
        "path": scope.path,
        "slot": scope.slot,
        "round": scope.round,
        "rest": list(scope.rest),
        "number": scope.number,
        "count": scope.count,
        "interrupting": scope.interrupting,
        "names": json_of(scope.names),
    }
