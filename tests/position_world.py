"""Plans made by hand, an instance that goes through one, and what must hold of its position after every move.

What comes of a step's turn is written into the step itself (`planned`), so that a test need not say it.
"""

import json
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any

from procession.errors import Place
from procession.plan import Plan, Step
from procession.position import (
    Done,
    Enter,
    Failed,
    Fork,
    Frame,
    Loop,
    Outcome,
    Position,
    Repeat,
    Spawn,
    Turn,
    begin,
    child_ended,
    frame,
    from_json,
    proceed,
    resume,
    start_event,
    to_json,
    turns,
    wake,
    woken,
)
from procession.steps import kind_of
from procession.steps.kind import Stop

AT = Place("p.yaml", 1, 1)
KIND = kind_of("set")
Steps = tuple[Step, ...]

# --- steps


def step(
    id_: str, outcome: Outcome | None = None, slots: Mapping[str, Steps] | None = None, each: str = ""
) -> Step:
    assert KIND is not None
    fields: Any = {"planned": outcome or Done()}
    return Step(id_, id_, id_, KIND, AT, fields=fields, slots=slots or {}, each=each)


def sets(id_: str, **values: Any) -> Step:
    return step(id_, Done(values))


def choose(id_: str, *slots: Steps) -> Step:
    """All its branches are entered, one after another; `if` is one of them."""
    named = {f"branches/{number}": steps for number, steps in enumerate(slots)}
    return step(id_, Enter(tuple(named)), named)


def group(id_: str, *steps: Step, **events: Steps) -> Step:
    return step(
        id_,
        Enter(("steps",)),
        {"steps": steps, **{f"events/{name}": inside for name, inside in events.items()}},
    )


def loop(id_: str, *steps: Step, count: int = 2) -> Step:
    """Its loop variable has the name of the step."""
    return step(id_, Loop(count), {"steps": steps}, each=id_)


def repeat(id_: str, *steps: Step) -> Step:
    return step(id_, Repeat(), {"steps": steps})


def fork(id_: str, *branches: Steps, needed: int | None = None, rest: Any = "cancel") -> Step:
    named = {f"branches/{number}": steps for number, steps in enumerate(branches)}
    return step(id_, Fork(tuple(named), len(branches) if needed is None else needed, rest), named)


def spawn(id_: str, count: int, needed: int | None = None) -> Step:
    return step(id_, Spawn(count, count if needed is None else needed))


def caught(risky: Step, *handler: Step) -> Step:
    """The step with an `on_error`."""
    return replace(risky, on_error=handler)


def plan(*steps: Step, errors: Steps = ()) -> Plan:
    return Plan(
        process="p", title="P", description="", owner="", labels=(), inputs=(), triggers=(), mode="parallel",
        key="", timezone="UTC", history_on=None, steps=steps, errors=errors, reads={}, at=AT, digest="d",
    )  # fmt: skip


def sketch(a_plan: Plan) -> str:
    """The plan on one line."""

    def told(steps: Steps) -> str:
        return " ".join(one(each) for each in steps)

    def one(each: Step) -> str:
        outcome = planned(each)
        settings = "" if outcome == Done() else f"={outcome}"
        inside = "".join(f" {slot}[{told(steps)}]" for slot, steps in each.slots.items())
        handler = f" on_error[{told(each.on_error)}]" if each.on_error else ""
        return f"({each.id}{settings}{inside}{handler})" if settings or inside or handler else each.id

    return f"{told(a_plan.steps)} | errors: {told(a_plan.errors)}"


def planned(turn_of: Step) -> Outcome:
    outcome: Any = turn_of.fields["planned"]
    return outcome


def error(text: str = "no") -> dict[str, Any]:
    return {"message": text}


STOP = Stop(result="enough")


# --- an instance


class Instance:
    """Goes from position to position; every one of them is checked."""

    def __init__(self, a_plan: Plan) -> None:
        self.plan = a_plan
        self.position = begin(a_plan)
        check(a_plan, self.position)

    def move(self, change: Callable[[Position], Position]) -> None:
        before = self.position
        kept = deepcopy(before)
        after = change(before)
        assert before == kept, "a move changed the position it began with"
        opened = after.scopes.keys() - before.scopes.keys()
        assert after.last_id >= before.last_id
        assert all(number > before.last_id for number in opened), "an id was used again"
        check(self.plan, after)
        self.position = after

    # what is next

    @property
    def turns(self) -> list[str]:
        """The steps whose turn it is, written `path@round`."""
        return [written(turn.step.path, turn.round) for turn in turns(self.plan, self.position)]

    def turn(self, where: str) -> Turn:
        scope, path = self.token(where)
        token = self.position.tokens[scope]
        return Turn(scope, self.plan.located[path].step, self.position.scopes[scope].round, token.attempts)

    def token(self, where: str) -> tuple[int, str]:
        """(scope, path) of the token that stands there, whatever its state."""
        found = [
            (token.scope, token.path)
            for token in self.position.tokens.values()
            if where in (written(token.path, self.position.scopes[token.scope].round), token.path)
        ]
        assert len(found) == 1, f"{len(found)} tokens stand at {where}"
        return found[0]

    def frame(self, where: str) -> Frame:
        return frame(self.plan, self.position, self.token(where)[0])

    def scope(self, path: str, *kinds: str) -> int:
        """The newest scope that the step at `path` opened."""
        scopes = [
            scope for scope in self.position.scopes.values() if scope.path == path and scope.kind in kinds
        ]
        return max(scope.id for scope in scopes)

    # onwards

    def take(self, *wheres: str) -> "Instance":
        """Turns, each with what is planned for its step."""
        for where in wheres:
            self.answer(where, planned(self.turn(where).step))
        return self

    def answer(self, where: str, outcome: Outcome) -> "Instance":
        turn = self.turn(where)
        self.move(lambda position: proceed(self.plan, position, turn, outcome))
        return self

    def fail(self, where: str, text: str = "no") -> "Instance":
        return self.answer(where, Failed(error(text)))

    def event(self, path: str, name: str, *, interrupting: bool = False, **names: Any) -> "Instance":
        owner = self.scope(path, "steps")
        self.move(
            lambda position: start_event(
                self.plan, position, owner, f"events/{name}", names, interrupting=interrupting
            )
        )
        return self

    def child(self, path: str) -> "Instance":
        scope = self.scope(path, "children")
        self.move(lambda position: child_ended(self.plan, position, scope))
        return self

    def wake(self, where: str) -> "Instance":
        scope, _ = self.token(where)
        self.move(lambda position: wake(position, scope))
        return self

    def woken(self) -> "Instance":
        self.move(woken)
        return self

    def resume(self) -> "Instance":
        self.move(resume)
        return self


def written(path: str, round_: str) -> str:
    return f"{path}@{round_}" if round_ else path


# --- what always holds


def check(a_plan: Plan, position: Position) -> None:
    scopes, tokens = position.scopes, position.tokens
    assert (position.over is not None) == (not scopes)
    assert all(number == scope.id for number, scope in scopes.items())
    assert all(number == token.scope and number in scopes for number, token in tokens.items())
    assert all(scope.parent == 0 or scope.parent in scopes for scope in scopes.values())
    assert sum(scope.parent == 0 for scope in scopes.values()) == (position.over is None)
    assert list(scopes) == sorted(scopes)
    assert list(tokens) == sorted(tokens)
    assert all(scope.parent < scope.id <= position.last_id for scope in scopes.values())
    standing = [(token.path, scopes[token.scope].round) for token in tokens.values()]
    assert len(standing) == len(set(standing)), "two tokens stand at one step in one round"
    _nothing_waits_for_nothing(a_plan, position)
    if position.over is None:
        text = json.dumps(to_json(position))
        assert from_json(json.loads(text)) == position
        assert json.dumps(to_json(from_json(json.loads(text)))) == text


def _nothing_waits_for_nothing(a_plan: Plan, position: Position) -> None:
    """A scope has a token, or scopes inside, or waits for other instances, or for its `repeat` to be asked again."""
    parents = {scope.parent for scope in position.scopes.values()}
    for scope in position.scopes.values():
        token = position.tokens.get(scope.id)
        if token:
            steps = _list(a_plan, scope.path, scope.slot)
            assert token.path in [each.path for each in steps], (
                "a token stands in a list that is not its scope's"
            )
        elif scope.id not in parents:
            asked = position.tokens.get(scope.parent)
            assert scope.kind == "children" or (
                scope.kind == "repeat" and asked and asked.path == scope.path
            ), scope


def _list(a_plan: Plan, path: str, slot: str) -> Steps:
    if not path:
        return {"steps": a_plan.steps, "errors": a_plan.errors}[slot]
    of = a_plan.located[path].step
    return of.on_error if slot == "on_error" else of.slots[slot]
