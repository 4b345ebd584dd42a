"""The way through a plan, without a store: which step is next, given what came of the last one."""

from collections.abc import Callable

import pytest
from walk_oracle import StepFailed, Stopped, Taken, Turn, walk

from procession.errors import Place
from procession.plan import Plan, Step
from procession.steps import kind_of
from procession.steps.kind import Stop

AT = Place("p.yaml", 1, 1)


def step(id_: str, word: str = "set", **more) -> Step:
    kind = kind_of(word)
    assert kind is not None
    return Step(path=id_, id=id_, title=id_, kind=kind, at=AT, **more)


def plan(*steps: Step, errors: tuple[Step, ...] = ()) -> Plan:
    return Plan(
        process="p", title="P", description="", owner="", labels=(), inputs=(), triggers=(), mode="parallel",
        key="", timezone="UTC", history_on=None, steps=steps, errors=errors, reads={}, at=AT, digest="d",
    )  # fmt: skip


Answer = Callable[[Turn], Taken | StepFailed]


def way(a_plan: Plan, answer: Answer, names: dict | None = None) -> tuple[list[str], object]:
    """The turns taken, written `path@round`, and how the walk ended."""
    turns: list[str] = []
    walking = walk(a_plan, {} if names is None else names)
    try:
        turn = next(walking)
        while True:
            turns.append(f"{turn.step.path}@{turn.round}" if turn.round else turn.step.path)
            result = answer(turn)
            turn = walking.throw(result) if isinstance(result, StepFailed) else walking.send(result)
    except StopIteration as over:
        return turns, over.value
    except (StepFailed, Stopped) as end:
        return turns, end


def test_steps_come_in_the_order_of_the_document():
    turns, end = way(plan(step("a"), step("b"), step("c")), lambda _: Taken())

    assert turns == ["a", "b", "c"]
    assert end is None


def test_a_branch_is_entered_and_the_way_goes_on_after_it():
    choice = step("choice", "if", slots={"then": (step("yes"),), "else": (step("no"),)})

    turns, _ = way(plan(choice, step("after")), lambda turn: Taken(branches=("else",)))

    assert turns == ["choice", "no", "after"]


def test_a_branch_without_steps_is_passed():
    choice = step("choice", "if", slots={"then": (step("yes"),)})

    turns, _ = way(plan(choice, step("after")), lambda turn: Taken(branches=("else",)))

    assert turns == ["choice", "after"]


def test_every_item_of_a_loop_is_a_round_with_its_own_variable():
    seen: list[object] = []
    names: dict[str, object] = {}
    inner = step("inner", "for_each", each="y", slots={"steps": (step("body"),)})
    outer = step("outer", "for_each", each="x", slots={"steps": (inner,)})

    def answer(turn: Turn) -> Taken:
        if turn.step.id == "body":
            seen.append((names["x"], names["y"]))
            return Taken()
        return Taken(items=("a", "b") if turn.step.id == "outer" else (1, 2))

    turns, _ = way(plan(outer), answer, names)

    assert turns == [
        "outer", "inner@0", "body@0.0", "body@0.1", "inner@1", "body@1.0", "body@1.1",
    ]  # fmt: skip
    assert seen == [("a", 1), ("a", 2), ("b", 1), ("b", 2)]


def test_an_error_goes_to_on_error_and_the_way_goes_on():
    names: dict[str, object] = {}
    risky = step("risky", on_error=(step("mend"),))

    turns, end = way(
        plan(risky, step("after")),
        lambda turn: StepFailed({"message": "no"}) if turn.step.id == "risky" else Taken(),
        names,
    )

    assert turns == ["risky", "mend", "after"]
    assert end is None
    assert names["error"] == {"message": "no"}


def test_an_error_that_no_step_catches_goes_to_the_errors_of_the_process():
    turns, end = way(
        plan(step("risky"), step("after"), errors=(step("tell"),)),
        lambda turn: StepFailed({"message": "no"}) if turn.step.id == "risky" else Taken(),
    )

    assert turns == ["risky", "tell"]
    assert end == {"message": "no"}


def test_an_error_that_nothing_catches_ends_the_walk():
    turns, end = way(plan(step("risky"), step("after")), lambda _: StepFailed({"message": "no"}))

    assert turns == ["risky"]
    assert isinstance(end, StepFailed)


def test_an_error_inside_on_error_is_not_caught_twice():
    risky = step("risky", on_error=(step("mend"),))

    turns, end = way(plan(risky), lambda turn: StepFailed({"message": turn.step.id}))

    assert turns == ["risky", "mend"]
    assert isinstance(end, StepFailed)
    assert end.error == {"message": "mend"}


@pytest.mark.parametrize("word", ["if", "for_each"])
def test_stop_leaves_every_nesting_at_once(word):
    slots = {"then": (step("end", "stop"), step("never"))} | {"steps": (step("end", "stop"), step("never"))}
    outer = step("outer", word, each="x", slots=slots)

    def answer(turn: Turn) -> Taken:
        if turn.step.id == "end":
            return Taken(stop=Stop(result="enough"))
        return Taken(branches=("then",)) if word == "if" else Taken(items=(1, 2))

    turns, end = way(plan(outer, step("after")), answer)

    assert [turn.split("@")[0] for turn in turns] == ["outer", "end"]
    assert isinstance(end, Stopped)
    assert end.stop == Stop(result="enough")
