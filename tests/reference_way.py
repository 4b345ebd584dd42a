"""The way through a plan, told a second time: as objects that hold each other, without scopes, numbers or JSON.

A node is a part of the process that goes on: a list of steps, a step, rounds, branches. `do` leads down to the node that
something happens to; on the way back every node looks whether what is inside it is over, and an error rises as an
exception until a step's `on_error` catches it. It shares no code with `procession.position`, but the outcomes it is given.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from typing_extensions import override

from procession.plan import Plan, Step
from procession.position import outcomes as o
from procession.steps.kind import Stop


class Broken(Exception):
    def __init__(self, error: Mapping[str, Any]) -> None:
        super().__init__(error)
        self.error = error


class Ended(Exception):
    def __init__(self, stop: Stop) -> None:
        super().__init__(stop)
        self.stop = stop


class Vars:
    """`vars` of the process or of one branch: what they are, and what was set here."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values, self.own = dict(values), {}

    def set(self, values: Mapping[str, Any]) -> None:
        self.values |= values
        self.own |= values


@dataclass(frozen=True)
class Names:
    vars: Vars
    items: Mapping[str, int] = field(default_factory=dict)
    error: Mapping[str, Any] | None = None
    event: Mapping[str, Any] = field(default_factory=dict)


class Node:
    done = False

    def parts(self) -> "list[Any]":
        return []

    def settle(self) -> None:
        """Something inside changed."""

    def do(self, target: "Node", act: Callable[[Any], None]) -> bool:
        """Whether the target is in here."""
        if target is self:
            act(self)
        elif not any(part.do(target, act) for part in self.parts()):
            return False
        self.settle()
        return True

    def all(self) -> "list[Node]":
        return [self, *(node for part in self.parts() for node in part.all())]


def deeper(round_: str, number: int) -> str:
    return f"{round_}.{number}" if round_ else str(number)


class List(Node):
    """Steps one after another."""

    def __init__(self, process: "Process", steps: tuple[Step, ...], round_: str, names: Names) -> None:
        self.places = [Place(process, step, round_, names) for step in steps]
        self.settle()

    @override
    def parts(self) -> list[Any]:
        return self.places[:1]

    @override
    def settle(self) -> None:
        while self.places and self.places[0].done:
            del self.places[0]
        self.done = not self.places


class Place(Node):
    """One step: it stands, or what it opened goes on inside it."""

    def __init__(self, process: "Process", step: Step, round_: str, names: Names) -> None:
        self.process, self.step, self.round, self.names = process, step, round_, names
        self.body: Any = None
        self.handling, self.repeats = False, 0
        self.stand("ready")

    def stand(self, state: str, attempts: int = 0, error: Mapping[str, Any] | None = None) -> None:
        self.state, self.attempts, self.error = state, attempts, error

    @override
    def parts(self) -> list[Any]:
        return [self.body] if self.body else []

    def become(self, outcome: o.Outcome) -> None:
        match outcome:
            case o.Done():
                self.names.vars.set(outcome.set_vars)
                self.done = True
            case o.Wait():
                self.stand("waiting", self.attempts)
            case o.TryAgain():
                self.stand("retrying", self.attempts + 1)
            case o.Held():
                self.stand("incident", self.attempts, outcome.error)
            case o.Failed():
                raise Broken(outcome.error)
            case o.End():
                raise Ended(outcome.stop)
            case _:
                self.body = self.opened(outcome)

    def opened(self, outcome: o.Outcome) -> Node:
        process, step, round_, names = self.process, self.step, self.round, self.names
        match outcome:
            case o.Enter():
                steps = sum((step.slots.get(slot, ()) for slot in outcome.slots), ())
                return Group(process, step, List(process, steps, round_, names), round_, names)
            case o.Loop():
                return Rounds(process, step, outcome.count, round_, names)
            case o.Repeat():
                self.repeats += 1
                return List(process, step.slots["steps"], deeper(round_, self.repeats - 1), names)
            case o.Fork():
                return Branches(process, step, outcome, round_, names)
            case o.Spawn():
                return Children(outcome)
        raise AssertionError(outcome)

    @override
    def do(self, target: Node, act: Callable[[Any], None]) -> bool:
        try:
            return super().do(target, act)
        except Broken as broken:
            if self.handling or not self.step.on_error:
                raise
            self.handling = True
            names = replace(self.names, error=broken.error)
            self.body = List(self.process, self.step.on_error, self.round, names)
            self.settle()
            return True

    @override
    def settle(self) -> None:
        if self.body:
            self.body.settle()
        if not self.body or not self.body.done:
            return
        asked_again = isinstance(self.body, List) and not self.handling  # `repeat`
        if asked_again:
            self.body = None
            self.stand("ready")
        else:
            self.done = True


class Rounds(Node):
    def __init__(self, process: "Process", step: Step, count: int, round_: str, names: Names) -> None:
        self.lists = [
            List(process, step.slots["steps"], deeper(round_, number),
                 replace(names, items={**names.items, step.each: number}))
            for number in range(count)
        ]  # fmt: skip

    @override
    def parts(self) -> list[Any]:
        return self.lists[:1]

    @override
    def settle(self) -> None:
        while self.lists and self.lists[0].done:
            del self.lists[0]
        self.done = not self.lists


class Branches(Node):
    def __init__(self, process: "Process", step: Step, fork: o.Fork, round_: str, names: Names) -> None:
        self.process, self.fork, self.names = process, fork, names
        self.going = []
        for slot in fork.slots:
            own = replace(names, vars=Vars(names.vars.values))
            self.going.append((own.vars, List(process, step.slots.get(slot, ()), round_, own)))
        self.needed, self.merged = min(fork.needed, len(fork.slots)), {}

    @override
    def parts(self) -> list[Any]:
        return [branch for _, branch in self.going]

    @override
    def settle(self) -> None:
        while self.needed:
            over = next(((vars_, branch) for vars_, branch in self.going if branch.done), None)
            if over is None:
                return
            self.going.remove(over)
            self.merged |= over[0].own
            self.needed -= 1
        if self.fork.rest == "continue":
            self.process.strays += self.parts()
        self.going, self.done = [], True
        self.names.vars.set(self.merged)


class Children(Node):
    def __init__(self, spawn: o.Spawn) -> None:
        self.needed = min(spawn.needed, spawn.count)

    def ended(self) -> None:
        self.needed -= 1

    @override
    def settle(self) -> None:
        self.done = self.needed == 0


class Group(Node):
    """Steps, and event sub-processes beside them or in their place: one at a time."""

    def __init__(self, process: "Process", step: Step, main: List, round_: str, names: Names) -> None:
        self.process, self.step, self.round, self.names = process, step, round_, names
        self.main: List | None = main
        self.event: List | None = None
        self.events = 0

    @override
    def parts(self) -> list[Any]:
        return [part for part in (self.main, self.event) if part]

    def start(self, slot: str, brought: Mapping[str, Any], *, interrupting: bool) -> None:
        names = replace(self.names, event=brought)
        round_ = deeper(self.round, self.events)
        self.event = List(self.process, self.step.slots[slot], round_, names)
        self.events += 1
        if interrupting:
            self.main = None

    def free(self, *, interrupting: bool) -> bool:
        """An interrupting one takes the place of all others, but of another interrupting one."""
        return self.event is None or (interrupting and self.main is not None)

    @override
    def settle(self) -> None:
        if self.event and self.event.done:
            self.event = None
        self.done = self.event is None and (self.main is None or self.main.done)


class Process(Node):
    """`over` is None, or (stop, error)."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.failed = plan, None
        self.over: tuple[Stop | None, Mapping[str, Any] | None] | None = None
        self.strays: list[Any] = []
        self.names = Names(Vars({}))
        self.main = List(self, plan.steps, "", self.names)
        self.settle()

    @override
    def parts(self) -> list[Any]:
        return [] if self.over else [self.main, *self.strays]

    @override
    def settle(self) -> None:
        self.strays = [stray for stray in self.strays if not stray.done]
        if self.main.done and not self.strays:
            self.over = (None, self.failed)

    @override
    def do(self, target: Any, act: Callable[[Any], None]) -> bool:
        try:
            return super().do(target, act)
        except Ended as ended:
            self.over = (ended.stop, None)
        except Broken as broken:
            if self.failed is None and self.plan.errors:
                self.failed, self.strays = broken.error, []
                self.main = List(self, self.plan.errors, "", replace(self.names, error=broken.error))
                self.settle()
            else:
                target.stand("incident", target.attempts, broken.error)
        return True

    def places(self) -> list[Place]:
        return [node for node in self.all() if isinstance(node, Place) and not node.body]

    def groups(self) -> list[Group]:
        return [node for node in self.all() if isinstance(node, Group)]
