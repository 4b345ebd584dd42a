"""The position against two oracles: 0.1's walk, and a second interpreter of all constructs (`reference_way`).

Small plans are all gone through, with every choice at every move; larger ones are drawn.
"""

from collections.abc import Iterator
from functools import cache
from itertools import count, groupby, islice, product
from typing import Any, NamedTuple

import position_world as w
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from position_world import Instance, Steps
from reference_way import Children, Place, Process
from walk_oracle import StepFailed, Stopped, Taken, walk

from procession.plan import Plan, Step
from procession.position import (
    Done,
    End,
    Enter,
    Failed,
    Held,
    Loop,
    Outcome,
    Position,
    Repeat,
    TryAgain,
    Wait,
    begin,
    child_ended,
    frame,
    proceed,
    resume,
    start_event,
    turns,
    wake,
    woken,
)

# --- moves of both


class Move(NamedTuple):
    word: str
    path: str = ""
    round: str = ""
    outcome: Outcome | None = None
    slot: str = ""
    interrupting: bool = False


FAILED = Failed(w.error())
SPECIAL: tuple[Outcome, ...] = (FAILED, Wait(), TryAgain(w.error()), Held(w.error("held")), End(w.STOP))
REPEATS = 3
"""So often `repeat` goes round in all, that every way has an end."""


def moves(reference: Process, repeats: int) -> list[Move]:
    """All that can happen; what goes well comes first."""
    usual, special = [], []
    for place in reference.places():
        here = (place.step.path, place.round)
        if place.state == "ready":
            usual += [Move("take", *here, outcome) for outcome in wanted(place.step, repeats)]
            special += [Move("take", *here, outcome) for outcome in SPECIAL]
        elif place.state == "waiting":
            usual.append(Move("wake", *here))
    bodies = [(node, node.body) for node in reference.all() if isinstance(node, Place)]
    usual += [
        Move("child", node.step.path, node.round) for node, body in bodies if isinstance(body, Children)
    ]
    states = {place.state for place in reference.places()}
    usual += [
        Move(word) for word, state in (("woken", "retrying"), ("resume", "incident")) if state in states
    ]
    for group in reference.groups():
        for slot, interrupting in product(group.step.slots, (False, True)):
            if slot.startswith("events/") and group.free(interrupting=interrupting):
                special.append(Move("event", group.step.path, group.round, None, slot, interrupting))
    return usual + special


def wanted(step: Step, repeats: int) -> list[Outcome]:
    outcome = w.planned(step)
    if isinstance(outcome, Repeat):
        return [outcome, Done()] if repeats < REPEATS else [Done()]
    return [outcome]


def moved(plan: Plan, position: Position, move: Move) -> Position:
    here = (move.path, move.round)
    match move.word:
        case "take":
            assert move.outcome
            turn = next(turn for turn in turns(plan, position) if (turn.step.path, turn.round) == here)
            return proceed(plan, position, turn, move.outcome)
        case "wake":
            scopes = position.scopes
            standing = {(token.path, scopes[scope].round): scope for scope, token in position.tokens.items()}
            return wake(position, standing[here])
        case "child":
            return child_ended(plan, position, opened(position, "children", move))
        case "event":
            owner = opened(position, "steps", move)
            return start_event(
                plan, position, owner, move.slot, brought(move), interrupting=move.interrupting
            )
        case "woken":
            return woken(position)
    return resume(position)


def opened(position: Position, kind: str, move: Move) -> int:
    """The scope of this kind that the step opened in this round."""
    return next(
        scope.id
        for scope in position.scopes.values()
        if (scope.path, scope.round, scope.kind) == (move.path, move.round, kind)
    )


def brought(move: Move) -> dict[str, Any]:
    return {"event": f"{move.slot} {move.round}"}


def move_reference(reference: Process, move: Move) -> None:
    places = [node for node in reference.all() if isinstance(node, Place)]
    here = [node for node in places if (node.step.path, node.round) == (move.path, move.round)]
    match move.word:
        case "take":
            reference.do(here[0], lambda place: place.become(move.outcome))
        case "wake":
            here[0].stand("ready", here[0].attempts)
        case "child":
            reference.do(here[0].body, lambda children: children.ended())
        case "event":
            reference.do(
                here[0].body,
                lambda group: group.start(move.slot, brought(move), interrupting=move.interrupting),
            )
        case "woken" | "resume":
            state = {"woken": "retrying", "resume": "incident"}[move.word]
            for place in [place for place in places if place.state == state]:
                place.stand("ready", place.attempts if move.word == "woken" else 0)


def compare(plan: Plan, position: Position, reference: Process) -> None:
    """What stands where: its state, tries and error, the names it sees; the order of the turns; how it ended."""
    over = position.over and (position.over.stop, position.over.error)
    assert over == reference.over
    found = {}
    for token in position.tokens.values():
        names = frame(plan, position, token.scope)
        items = {name: number for name, (_, number) in names.items.items()}
        found[token.path, position.scopes[token.scope].round] = (
            token.state, token.attempts, token.error, names.vars, names.error, items, names.names,
        )  # fmt: skip
    places = reference.places()
    assert found == {
        (place.step.path, place.round): (
            place.state, place.attempts, place.error,
            place.names.vars.values, place.names.error, place.names.items, place.names.event,
        )
        for place in places
    }  # fmt: skip
    taken = [(turn.step.path, turn.round, turn.attempts) for turn in turns(plan, position)]
    assert sorted(taken) == sorted(
        (place.step.path, place.round, place.attempts) for place in places if place.state == "ready"
    )
    document = [path for path in plan.located if any(path == each for each, _, _ in taken)]
    assert [path for path, _ in groupby(path for path, _, _ in taken)] == document


# --- plans that are drawn


def lists(ids: Iterator[int], depth: int, draw: Any, least: int = 0) -> Steps:
    return tuple(one(ids, depth, draw) for _ in range(draw(st.integers(least, 2))))


def one(ids: Iterator[int], depth: int, draw: Any) -> Step:
    made = nested(ids, depth, draw) if depth and draw(st.integers(0, 2)) else leaf(ids, draw)
    return w.caught(made, *lists(ids, depth - 1, draw, 1)) if depth and draw(st.integers(0, 3)) == 3 else made


def leaf(ids: Iterator[int], draw: Any) -> Step:
    id_ = f"s{next(ids)}"
    if draw(st.integers(0, 4)) == 4:
        number = draw(st.integers(0, 2))
        return w.spawn(id_, number, draw(st.integers(0, 3)))
    return w.sets(id_, **{draw(st.sampled_from(["a", "b", "error", "vars"])): id_})


def nested(ids: Iterator[int], depth: int, draw: Any) -> Step:
    id_ = f"s{next(ids)}"

    def inside() -> Steps:
        return lists(ids, depth - 1, draw)

    match draw(st.sampled_from(["choose", "group", "loop", "repeat", "fork", "fork"])):
        case "choose":
            return w.choose(id_, inside(), inside())
        case "group":
            return w.group(id_, *inside(), one=inside(), two=inside())
        case "loop":
            return w.loop(id_, *inside(), count=draw(st.integers(0, 3)))
        case "repeat":
            return w.repeat(id_, *inside())
    branches = [inside() for _ in range(draw(st.integers(0, 3)))]
    rest = draw(st.sampled_from(["cancel", "continue"]))
    return w.fork(id_, *branches, needed=draw(st.integers(0, len(branches) + 1)), rest=rest)


class Drawn(NamedTuple):
    """A plan that tells itself in a few words."""

    plan: Plan

    def __repr__(self) -> str:
        return w.sketch(self.plan)


@st.composite
def plans(draw: Any, depth: int = 3) -> Drawn:
    ids = count(1)
    return Drawn(w.plan(*lists(ids, depth, draw, 1), errors=lists(ids, 1, draw)))


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(plans(), st.data())
def test_it_goes_as_the_reference_says(drawn: Drawn, data: st.DataObject) -> None:
    plan, repeats = drawn.plan, 0
    instance, reference = Instance(plan), Process(plan)
    compare(plan, instance.position, reference)
    for _ in range(40):
        possible = moves(reference, repeats)
        if not possible:
            break
        move = data.draw(st.sampled_from(possible))
        repeats += isinstance(move.outcome, Repeat)
        instance.move(lambda position, move=move: moved(plan, position, move))
        move_reference(reference, move)
        compare(plan, instance.position, reference)
    note(str(instance.position.over))


# --- all small plans

Made = tuple[Any, ...]
"""A step without its id: a word, settings, and lists of such steps."""

KINDS: tuple[tuple[str, int, tuple[Any, ...]], ...] = (
    ("choose", 1, ()), ("choose", 2, ()), ("loop", 1, ()), ("repeat", 1, ()), ("group", 2, ()), ("caught", 1, ()),
    *(("fork", 2, (needed, rest)) for needed, rest in ((2, "cancel"), (1, "cancel"), (1, "continue"))),
    *(("fork", 3, (needed, rest)) for needed in (1, 2) for rest in ("cancel", "continue")),
)  # fmt: skip
"""(word, how many lists of steps it has, settings)."""


def shared_out(leaves: int, parts: int) -> Iterator[tuple[int, ...]]:
    """How so many leaves are shared out to so many lists, none of them empty."""
    if parts == 1:
        yield (leaves,)
        return
    for first in range(1, leaves - parts + 2):
        for others in shared_out(leaves - first, parts - 1):
            yield (first, *others)


@cache
def all_lists(leaves: int, depth: int) -> tuple[tuple[Made, ...], ...]:
    found: list[tuple[Made, ...]] = []
    for first in range(1, leaves + 1):
        others = all_lists(leaves - first, depth) if leaves > first else ((),)
        found += [(each, *rest) for each in all_steps(first, depth) for rest in others]
    return tuple(found)


@cache
def all_steps(leaves: int, depth: int) -> tuple[Made, ...]:
    found: list[Made] = [("leaf",)] if leaves == 1 else []
    for word, parts, more in KINDS if depth else ():
        inside = leaves - (word == "caught")  # the step that fails is one, too
        for shares in shared_out(inside, parts) if inside >= parts else ():
            choices = product(*(all_lists(share, depth - 1) for share in shares))
            found += [(word, more, *chosen) for chosen in choices]
    if depth and leaves > 1:
        for share, handler in shared_out(leaves, 2):
            flows = (each for each in all_steps(share, depth - 1) if each[0] not in ("leaf", "caught"))
            found += [("around", each, chosen) for each, chosen in product(flows, all_lists(handler, 0))]
    return tuple(found)


def built(made: tuple[Made, ...], ids: Iterator[int]) -> Steps:
    return tuple(build(each, ids) for each in made)


def build(made: Made, ids: Iterator[int]) -> Step:
    word, *more = made
    if word == "around":
        return w.caught(build(more[0], ids), *built(more[1], ids))
    id_ = f"s{next(ids)}"
    if word == "leaf":
        return w.sets(id_, last=id_)
    inside = [built(each, ids) for each in more[1:]]
    match word:
        case "choose":
            return w.choose(id_, *inside)
        case "loop":
            return w.loop(id_, *inside[0])
        case "repeat":
            return w.repeat(id_, *inside[0])
        case "group":
            return w.group(id_, *inside[0], event=inside[1])
        case "caught":
            return w.caught(w.sets(id_, last=id_), *inside[0])
    needed, rest = more[0]
    return w.fork(id_, *inside, needed=needed, rest=rest)


def every_way(plan: Plan, outside: int) -> int:
    """Go every way through the plan, with at most so many failures and events in each. Returns how many positions there
    are."""
    known: set[Any] = set()
    ahead: list[tuple[tuple[Move, ...], Position, int, int, Process | None]] = [
        ((), begin(plan), outside, 0, Process(plan))
    ]
    while ahead:
        way, position, left, repeats, reference = ahead.pop()
        key = (shape(position), left, repeats)
        if key in known:
            continue
        known.add(key)
        if reference is None:
            reference = Process(plan)
            for move in way[:-1]:
                move_reference(reference, move)
        for move in way[-1:]:
            move_reference(reference, move)
        compare(plan, position, reference)
        for move in moves(reference, repeats):
            costs = move.word == "event" or move.outcome is FAILED
            if (
                costs <= left
                and (move.outcome is FAILED or move.outcome not in SPECIAL)
                and move.word != "resume"
            ):
                after = moved(plan, position, move)
                again = repeats + isinstance(move.outcome, Repeat)
                ahead.append(((*way, move), after, left - costs, again, None))
        if (
            ahead and ahead[-1][0][:-1] == way
        ):  # the next one: it goes on with this reference, the others with new ones
            ahead[-1] = (*ahead[-1][:-1], reference)
    return len(known)


def shape(position: Position) -> tuple[Any, ...]:
    """The position but for the numbers of its scopes, which tell how it came about."""
    number = {id_: place for place, id_ in enumerate(position.scopes)}
    scopes = [
        (number.get(at.parent), at.kind, at.path, at.slot, at.round, at.rest, at.number, at.interrupting,
         *(str(at.names.get(name)) for name in ("vars", "set", "error", "event")))
        for at in position.scopes.values()
    ]  # fmt: skip
    tokens = [(number[scope], token.path, token.state) for scope, token in position.tokens.items()]
    return (*scopes, *tokens, str(position.over))


SMALL = [
    *((leaves, 2, every, 2) for leaves, every in ((1, 1), (2, 1), (3, 60), (4, 6_000))),
    *((leaves, 1, every, 2) for leaves, every in ((3, 1), (4, 8))),
]


@pytest.mark.parametrize(("leaves", "depth", "every", "outside"), SMALL)
def test_every_way_through_a_small_plan_goes_as_the_reference_says(leaves, depth, every, outside):
    """One of so many plans of this size, so that it takes seconds: the rest were gone through once by hand."""
    for number, made in enumerate(islice(all_lists(leaves, depth), 0, None, every)):
        errors = (w.step("told"),) if number % 4 == 3 else ()
        plan = w.plan(*built(made, count(1)), errors=errors)

        try:
            positions = every_way(plan, outside)
        except AssertionError as wrong:
            wrong.add_note(w.sketch(plan))
            raise

        assert positions > leaves


# --- 0.1's walk

Ended = tuple[str, Any]


def walked(plan: Plan, answers: "Answers") -> tuple[list[tuple[str, str]], Ended]:
    """The turns that 0.1's walk takes, and how it ends."""
    taken: list[tuple[str, str]] = []
    way = walk(plan, {})
    try:
        turn = next(way)
        while True:
            taken.append((turn.step.path, turn.round))
            outcome = answers.of(turn.step, turn.round)
            match outcome:
                case Failed():
                    turn = way.throw(StepFailed(outcome.error))
                case Enter():
                    turn = way.send(Taken(branches=outcome.slots))
                case Loop():
                    turn = way.send(Taken(items=tuple(range(outcome.count))))
                case End():
                    turn = way.send(Taken(stop=outcome.stop))
                case _:
                    turn = way.send(Taken())
    except StopIteration as over:
        return taken, ("over", over.value)
    except StepFailed as failure:
        return taken, ("incident", failure.error)
    except Stopped as stopped:
        return taken, ("stopped", stopped.stop)


def gone(plan: Plan, answers: "Answers") -> tuple[list[tuple[str, str]], Ended]:
    """The same by the position."""
    taken: list[tuple[str, str]] = []
    instance = Instance(plan)
    while next_ := turns(plan, instance.position):
        (turn,) = next_
        taken.append((turn.step.path, turn.round))
        outcome = answers.of(turn.step, turn.round)
        instance.move(lambda position, turn=turn, outcome=outcome: proceed(plan, position, turn, outcome))
    over = instance.position.over
    if over is None:
        (incident,) = instance.position.incidents
        return taken, ("incident", incident.error)
    return taken, ("stopped", over.stop) if over.stop else ("over", over.error)


class Answers:
    """What comes of the steps, the same for both. A step inside a flow step that has an `on_error` fails only where
    something nearer catches it: 0.1 did not look there, and was wrong."""

    def __init__(self, plan: Plan, draw: Any) -> None:
        self.plan, self.draw = plan, draw
        self.given: dict[tuple[str, str], Outcome] = {}

    def of(self, step: Step, round_: str) -> Outcome:
        here = (step.path, round_)
        if here not in self.given:
            self.given[here] = self.drawn(step)
        return self.given[here]

    def drawn(self, step: Step) -> Outcome:
        chance = self.draw(st.integers(0, 11))
        if chance == 11:
            return End(w.STOP)
        if chance > 8 and (step.on_error or not self.caught_above(step)):
            return Failed(w.error(step.path))
        outcome = w.planned(step)
        if isinstance(outcome, Enter):
            return Enter(tuple(slot for slot in outcome.slots if self.draw(st.booleans())))
        return Loop(self.draw(st.integers(0, 3))) if isinstance(outcome, Loop) else outcome

    def caught_above(self, step: Step) -> bool:
        place = self.plan.located[step.path]
        while place.parent:
            above = self.plan.located[place.parent]
            if place.slot != "on_error" and above.step.on_error:
                return True
            place = above
        return False


def old_lists(ids: Iterator[int], depth: int, draw: Any, least: int = 0) -> Steps:
    return tuple(old_step(ids, depth, draw) for _ in range(draw(st.integers(least, 3))))


def old_step(ids: Iterator[int], depth: int, draw: Any) -> Step:
    id_ = f"s{next(ids)}"
    word = draw(st.sampled_from(["leaf", "choose", "loop"])) if depth else "leaf"
    if word == "choose":
        made = w.choose(id_, *(old_lists(ids, depth - 1, draw) for _ in range(2)))
    elif word == "loop":
        made = w.loop(id_, *old_lists(ids, depth - 1, draw))
    else:
        made = w.step(id_)
    return w.caught(made, *old_lists(ids, depth - 1, draw, 1)) if depth and draw(st.booleans()) else made


@st.composite
def old_plans(draw: Any) -> Drawn:
    ids = count(1)
    return Drawn(w.plan(*old_lists(ids, 3, draw, 1), errors=old_lists(ids, 1, draw)))


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(old_plans(), st.data())
def test_what_it_could_do_in_version_0_1_goes_as_it_went(drawn: Drawn, data: st.DataObject) -> None:
    answers = Answers(drawn.plan, data.draw)

    assert gone(drawn.plan, answers) == walked(drawn.plan, answers)
