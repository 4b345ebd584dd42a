"""The position of an instance, move by move. `position_world` checks what always holds after each of them."""

import json
from datetime import date

import pytest
from position_world import Instance, caught, error, fork, group, loop, plan, repeat, sets, spawn, step

from procession.position import (
    Done,
    Held,
    Over,
    TryAgain,
    Wait,
    from_json,
    proceed,
    start_event,
    to_json,
    wake,
)

# --- JSON


def test_a_fork_and_children_come_back_from_json():
    instance = Instance(plan(fork("f", (step("a"),), (spawn("s", 2),)))).take("f", "s")

    text = json.dumps(to_json(instance.position))

    assert from_json(json.loads(text)) == instance.position


def test_the_error_of_an_incident_comes_back_from_json_as_it_was():
    instance = Instance(plan(step("a"))).answer(
        "a", Held({"message": "no", "day": date(2026, 3, 6), "to": ("x",)})
    )

    text = json.dumps(to_json(instance.position))

    assert from_json(json.loads(text)) == instance.position


# --- branches


@pytest.mark.parametrize("branches", [(), ((step("a"),), (step("b"),))])
def test_a_fork_that_needs_no_branch_is_passed_at_once(branches):
    instance = Instance(plan(fork("f", *branches, needed=0), step("after"))).take("f")

    assert instance.turns == ["after"]


def test_a_fork_that_needs_no_branch_lets_them_go_on_beside_it():
    instance = Instance(plan(fork("f", (step("a"),), needed=0, rest="continue"), step("after"))).take("f")

    assert instance.turns == ["a", "after"]
    assert instance.take("after", "a").position.over


def test_a_fork_is_over_with_all_its_branches_however_many_were_asked_for():
    instance = Instance(plan(fork("f", (step("a"),), (), needed=3))).take("f", "a")

    assert instance.position.over == Over()


def test_children_are_over_when_all_are_however_many_were_asked_for():
    instance = Instance(plan(spawn("s", 2, needed=3))).take("s").child("s").child("s")

    assert instance.position.over == Over()


def test_no_children_are_passed_at_once():
    instance = Instance(plan(spawn("s", 0, needed=1), step("after"))).take("s")

    assert instance.turns == ["after"]


# --- event sub-processes


def watched(*inside, **more):
    """A group with one event sub-process, `event`, of one step, `told`."""
    return group("g", *inside, event=(step("told"),), **more)


def test_an_event_sub_process_goes_on_beside_its_owner():
    instance = Instance(plan(watched(step("a")), step("after"))).take("g").event("g", "event")

    assert instance.turns == ["a", "told@0"]


@pytest.mark.parametrize("order", [("a", "told"), ("told", "a")])
def test_the_owner_is_over_with_its_own_steps_and_its_event_sub_process(order):
    instance = Instance(plan(watched(step("a")), step("after"))).take("g").event("g", "event").take(order[0])

    assert "after" not in instance.turns
    assert instance.take(order[1]).turns == ["after"]


def test_every_event_has_a_round_of_its_own():
    instance = Instance(plan(loop("l", watched(step("a"))))).take("l", "g").event("g", "event")

    assert instance.turns == ["a@0", "told@0.0"]
    assert instance.take("told").event("g", "event").turns == ["a@0", "told@0.1"]
    assert instance.take("told", "a", "g").event("g", "event").turns == ["a@1", "told@1.0"]


def test_what_outlived_the_first_event_is_not_at_one_step_with_the_second():
    group_ = group("g", step("a"), event=(fork("f", (step("late"),), needed=0, rest="continue"),))
    instance = Instance(plan(group_)).take("g").event("g", "event").take("f").event("g", "event").take("f")

    assert instance.turns == ["a", "late@0", "late@1"]


def test_event_sub_processes_of_one_owner_go_one_after_another():
    instance = Instance(plan(watched(step("a")))).take("g").event("g", "event")

    with pytest.raises(ValueError, match="is not over"):
        instance.event("g", "event")


def test_an_interrupting_event_takes_the_place_of_all_that_goes_on_in_its_owner():
    instance = Instance(plan(watched(fork("f", (step("a"),), (step("b"),))), step("after"))).take("g", "f")

    assert instance.event("g", "event", interrupting=True).turns == ["told@0"]
    assert instance.take("told").turns == ["after"]


def test_an_interrupting_event_does_not_wait_for_another_one():
    instance = Instance(plan(watched(step("a")))).take("g").event("g", "event")

    assert instance.event("g", "event", interrupting=True).turns == ["told@1"]


@pytest.mark.parametrize("interrupting", [False, True])
def test_an_owner_that_was_interrupted_takes_no_more_events(interrupting):
    instance = Instance(plan(watched(step("a")))).take("g").event("g", "event", interrupting=True)

    with pytest.raises(ValueError, match="is not over"):
        instance.event("g", "event", interrupting=interrupting)


@pytest.mark.parametrize(
    "made", [loop("x", step("a")), fork("x", (step("a"),)), repeat("x", step("a")), spawn("x", 1)]
)
def test_only_the_process_and_groups_have_event_sub_processes(made):
    instance = Instance(plan(made)).take("x")
    owner = instance.scope("x", "loop", "fork", "repeat", "children")

    with pytest.raises(ValueError, match="has no event sub-processes"):
        start_event(instance.plan, instance.position, owner, "events/event", {}, interrupting=False)


def test_what_an_event_brought_is_seen_in_its_steps_and_nowhere_else():
    instance = Instance(plan(watched(step("a")))).take("g").event("g", "event", event={"n": 1})

    assert instance.seen("told").names == {"event": {"n": 1}}
    assert instance.seen("a").names == {}


# --- names


def test_a_branch_that_outlived_its_join_still_sees_the_loop_variable_and_the_error():
    late = fork("f", (step("late"),), (step("soon"),), needed=1, rest="continue")
    instance = Instance(plan(caught(step("a"), loop("l", late)))).fail("a").take("l", "f@0")
    before = instance.seen("late@0")

    instance.take("soon@0", "f@1")

    assert instance.seen("late@0") == before
    assert before.items.keys() == {"l"}
    assert before.error == error()
    assert instance.seen("late@1").items["l"][1] == 1


def test_a_branch_that_outlived_its_join_still_sees_what_the_event_brought():
    late = fork("f", (step("late"),), needed=0, rest="continue")
    instance = (
        Instance(plan(group("g", step("a"), event=(late,)))).take("g").event("g", "event", event=1).take("f")
    )

    assert instance.seen("late").names == {"event": 1}


@pytest.mark.parametrize("name", ["error", "vars", "set", "items"])
def test_what_a_branch_sets_is_a_var_whatever_its_name(name):
    instance = Instance(plan(fork("f", (sets("a", **{name: 1}),), (step("b"),)), step("after"))).take(
        "f", "a"
    )

    assert (instance.seen("b").vars, instance.seen("b").error, instance.seen("b").items) == ({}, None, {})
    assert instance.take("b").seen("after").vars == {name: 1}


# --- states of tokens


def test_a_token_that_waited_or_is_to_be_tried_again_is_woken():
    instance = Instance(plan(fork("f", (step("a"),), (step("b"),)))).take("f")
    instance.answer("a", Wait()).answer("b", TryAgain(error()))

    assert instance.turns == []
    assert instance.wake("a").turns == ["a"]
    assert instance.wake("b").turns == ["a", "b"]
    assert instance.turn("b").attempts == 1


def test_an_incident_is_not_woken_by_what_its_step_waited_for():
    instance = Instance(plan(step("a"))).answer("a", Held(error()))

    assert instance.wake("a").woken().turns == []
    assert instance.resume().turns == ["a"]


def test_one_that_is_woken_after_its_scope_ended_changes_nothing():
    instance = Instance(plan(step("a"), step("b"))).take("a")
    before = instance.position

    assert wake(before, 99) == before


def test_resuming_forgets_the_tries_of_incidents_and_of_no_others():
    instance = Instance(plan(fork("f", (step("a"),), (step("b"),)))).take("f")
    for where in ("a", "b"):
        instance.answer(where, TryAgain(error())).wake(where)
    instance.fail("a").resume()

    assert instance.turn("a").attempts == 0
    assert instance.turn("b").attempts == 1


def test_a_turn_of_a_scope_that_is_not_open_any_more_is_refused():
    instance = Instance(plan(fork("f", (step("a"),), (step("b"),), needed=1), step("after"))).take("f")
    late = instance.turn("b")
    instance.take("a")

    with pytest.raises(KeyError):
        proceed(instance.plan, instance.position, late, Done())


def test_a_turn_that_was_taken_already_is_refused():
    instance = Instance(plan(step("a"), step("b")))
    taken = instance.turn("a")
    instance.take("a")

    with pytest.raises(KeyError):
        proceed(instance.plan, instance.position, taken, Done())
