"""The position of an instance, move by move. `position_world` checks what always holds after each of them.

The control-flow patterns (van der Aalst et al.; Russell et al. 2006) are at the end, by their numbers. Not here:

17, 39      interleaved routing and critical section: a mutex is a wait like others; the position sees `Wait`
40          interleaved routing in any order: `parallel` with `max` is not there yet
23, 24      transient and persistent trigger: which event a wait looks back to is the wait's matter
27          complete multiple instances: comes with `complete_when`
10, 28, 31, 33, 38, 41, 42
            arbitrary cycles, blocking joins, counted tokens: the language does without them
"""

import json
import re
from dataclasses import replace
from datetime import date

import pytest
from position_world import (
    STOP,
    Instance,
    caught,
    choose,
    error,
    fork,
    group,
    loop,
    plan,
    repeat,
    sets,
    spawn,
    step,
)

from procession.position import (
    Done,
    End,
    Enter,
    Fork,
    Held,
    Leave,
    Over,
    Spawn,
    TryAgain,
    Wait,
    begin,
    child_ended,
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


def test_what_a_token_waited_for_comes_back_from_json():
    instance = Instance(plan(step("a"))).answer("a", Wait())
    woken = wake(instance.position, 1)

    assert from_json(json.loads(json.dumps(to_json(woken)))) == woken
    assert woken.tokens[1].has_waited


# --- a list that is left, and steps that are passed over


def test_a_list_that_is_left_is_over_and_the_one_around_it_goes_on():
    instance = Instance(plan(group("g", step("a"), step("b"), step("c")), step("after"))).take("g")

    assert instance.answer("a", Leave()).turns == ["after"]
    assert instance.take("after").position.over == Over()


def test_a_loop_whose_list_is_left_takes_its_next_item():
    instance = Instance(plan(loop("each", step("a"), step("b")), step("after"))).take("each")

    assert instance.answer("a@0", Leave()).turns == ["a@1"]
    assert instance.answer("a@1", Leave()).turns == ["after"]


@pytest.mark.parametrize(("passed_over", "then"), [(0, ["b"]), (1, ["c"]), (2, []), (7, [])])
def test_steps_that_follow_are_passed_over_and_no_others(passed_over, then):
    instance = Instance(plan(step("a"), step("b"), step("c"))).answer("a", Done(passes_over=passed_over))

    assert instance.turns == then
    assert bool(instance.position.over) == (not then)


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

    assert instance.frame("told").names == {"event": {"n": 1}}
    assert instance.frame("a").names == {}


# --- names


def test_a_branch_that_outlived_its_join_still_sees_the_loop_variable_and_the_error():
    late = fork("f", (step("late"),), (step("soon"),), needed=1, rest="continue")
    instance = Instance(plan(caught(step("a"), loop("l", late)))).fail("a").take("l", "f@0")
    before = instance.frame("late@0")

    instance.take("soon@0", "f@1")

    assert instance.frame("late@0") == before
    assert before.items.keys() == {"l"}
    assert before.error == error()
    assert instance.frame("late@1").items["l"][1] == 1


def test_a_branch_that_outlived_its_join_still_sees_what_the_event_brought():
    late = fork("f", (step("late"),), needed=0, rest="continue")
    instance = (
        Instance(plan(group("g", step("a"), event=(late,)))).take("g").event("g", "event", event=1).take("f")
    )

    assert instance.frame("late").names == {"event": 1}


@pytest.mark.parametrize("name", ["error", "vars", "set", "items"])
def test_what_a_branch_sets_is_a_var_whatever_its_name(name):
    instance = Instance(plan(fork("f", (sets("a", **{name: 1}),), (step("b"),)), step("after"))).take(
        "f", "a"
    )

    assert (instance.frame("b").vars, instance.frame("b").error, instance.frame("b").items) == ({}, None, {})
    assert instance.take("b").frame("after").vars == {name: 1}


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


# --- errors


def test_an_error_that_nothing_catches_is_an_incident_and_the_others_go_on():
    instance = (
        Instance(plan(fork("f", (step("a"),), (step("b"), step("c"))), step("after"))).take("f").fail("a")
    )

    assert [token.path for token in instance.position.incidents] == ["a"]
    assert instance.take("b", "c").turns == []
    assert instance.resume().take("a").turns == ["after"]


def test_what_is_held_is_an_incident_whatever_would_catch_it():
    instance = Instance(plan(caught(step("a"), step("mend")), errors=(step("told"),))).answer(
        "a", Held(error())
    )

    assert [token.error for token in instance.position.incidents] == [error()]


def test_on_error_of_a_flow_step_catches_what_fails_inside_and_cancels_it():
    inner = fork("f", (loop("l", step("a")),), (step("b"),))
    instance = Instance(
        plan(fork("o", (caught(choose("c", (inner,)), step("mend")),), (step("x"),)), step("after"))
    )
    instance.take("o", "c", "f", "l").fail("a@0")

    assert instance.turns == ["mend", "x"]
    assert instance.take("mend", "x").turns == ["after"]


def test_the_nearest_on_error_catches():
    instance = Instance(plan(caught(group("g", caught(step("a"), step("near")), step("b")), step("far"))))

    assert instance.take("g").fail("a").turns == ["near"]
    assert instance.take("near").turns == ["b"]


def test_a_handler_does_not_catch_its_own_error_but_the_next_one_outside_does():
    inner = caught(step("a"), step("mend"))
    instance = (
        Instance(plan(caught(group("g", inner), step("far")), step("after"))).take("g").fail("a", "first")
    )

    assert instance.fail("mend", "second").turns == ["far"]
    assert instance.frame("far").error == error("second")
    assert instance.fail("far").position.incidents


def test_an_error_in_a_handler_can_be_caught_inside_it():
    instance = Instance(plan(caught(step("a"), caught(step("mend"), step("again"))), step("after")))

    assert instance.fail("a").fail("mend").take("again").turns == ["after"]


def test_an_error_in_a_branch_is_caught_by_its_fork():
    instance = Instance(
        plan(caught(fork("f", (step("a"),), (step("b"),)), step("mend")), step("after"))
    ).take("f")

    assert instance.fail("b").turns == ["mend"]
    assert instance.take("mend").turns == ["after"]


def test_a_fork_that_cannot_start_is_caught_by_its_own_on_error():
    instance = Instance(plan(caught(fork("f", (step("a"),)), step("mend")), step("after"))).fail("f")

    assert instance.take("mend").turns == ["after"]


def test_a_repeat_whose_error_was_caught_is_not_asked_again():
    instance = Instance(plan(caught(repeat("r", step("a")), step("mend")), step("after"))).take("r", "a", "r")

    assert instance.fail("a@1").take("mend").turns == ["after"]


def test_a_repeat_that_fails_when_asked_again_is_caught():
    instance = (
        Instance(plan(caught(repeat("r", step("a")), step("mend")), step("after"))).take("r", "a").fail("r")
    )

    assert instance.take("mend").turns == ["after"]


def test_children_are_given_up_when_an_error_beside_them_is_caught():
    both = caught(fork("f", (spawn("s", 2),), (step("a"),)), step("mend"))
    instance = Instance(plan(both)).take("f", "s")
    scope = instance.scope("s", "children")

    assert instance.fail("a").turns == ["mend"]
    assert child_ended(instance.plan, instance.position, scope) == instance.position


def test_errors_takes_the_place_of_all_that_goes_on():
    instance = Instance(plan(sets("v", n=1), fork("f", (step("a"),), (step("b"),)), errors=(step("told"),)))
    instance.take("v", "f").fail("b")

    assert instance.turns == ["told"]
    assert (instance.frame("told").vars, instance.frame("told").error) == ({"n": 1}, error())
    assert instance.take("told").position.over == Over(error=error())


def test_an_error_in_errors_is_an_incident():
    instance = Instance(plan(step("a"), errors=(step("told"), step("more")))).fail("a").fail("told", "again")

    assert [token.error for token in instance.position.incidents] == [error("again")]
    assert instance.resume().take("told", "more").position.over == Over(error=error())


def test_an_error_in_errors_can_be_caught_inside():
    instance = Instance(plan(step("a"), errors=(caught(step("told"), step("mend")),))).fail("a").fail("told")

    assert instance.take("mend").position.over == Over(error=error())


def test_an_error_of_an_event_sub_process_fails_its_owner():
    instance = (
        Instance(plan(caught(watched(step("a")), step("mend")), step("after"))).take("g").event("g", "event")
    )

    assert instance.fail("told").turns == ["mend"]
    assert instance.take("mend").turns == ["after"]


def test_an_error_of_an_event_sub_process_that_nothing_catches_leaves_the_owner_going():
    instance = Instance(plan(watched(step("a")), step("after"))).take("g").event("g", "event").fail("told")

    assert instance.turns == ["a"]
    assert instance.take("a").turns == []
    assert instance.resume().take("told").turns == ["after"]


@pytest.mark.parametrize("interrupting", [False, True])
def test_on_error_of_a_step_of_an_event_sub_process_catches(interrupting):
    watching = group("g", step("a"), event=(caught(step("told"), step("mend")), step("more")))
    instance = Instance(plan(watching)).take("g").event("g", "event", interrupting=interrupting).fail("told")

    assert instance.turns == ([] if interrupting else ["a"]) + ["mend@0"]
    assert instance.take("mend", "more", *([] if interrupting else ["a"])).position.over


# --- branches that outlive their join


def outliving(*more, needed=1):
    return fork("f", (step("soon"),), (step("late"), *more), needed=needed, rest="continue")


def test_the_instance_waits_for_a_branch_that_outlived_its_join():
    instance = Instance(plan(outliving(), step("after"))).take("f", "soon", "after")

    assert instance.turns == ["late"]
    assert instance.take("late").position.over == Over()


def test_a_branch_that_outlives_a_fork_in_a_loop_stands_beside_the_next_round():
    instance = Instance(plan(loop("l", outliving()))).take("l", "f", "soon@0", "f@1")

    assert instance.turns == ["soon@1", "late@0", "late@1"]
    assert instance.take("soon@1", "late@1", "late@0").position.over == Over()


def test_the_error_of_a_branch_that_outlived_its_join_goes_to_errors():
    outer = caught(group("g", caught(outliving(), step("near"))), step("far"))
    instance = (
        Instance(plan(outer, step("after"), errors=(step("told"),))).take("g", "f", "soon").fail("late")
    )

    assert instance.turns == ["told"]


def test_a_branch_that_outlived_its_join_goes_on_when_what_it_left_is_cancelled():
    outer = caught(group("g", outliving(step("more")), step("a")), step("mend"))
    instance = Instance(plan(outer)).take("g", "f", "soon").fail("a")

    assert instance.turns == ["late", "mend"]
    assert instance.take("mend", "late", "more").position.over == Over()


def test_a_branch_that_outlived_its_join_merges_nothing():
    late = fork("f", (sets("soon", a=1),), (sets("late", b=2), step("more")), needed=1, rest="continue")
    instance = Instance(plan(late, step("after"))).take("f", "soon", "late")

    assert instance.frame("more").vars == {"b": 2}
    assert instance.frame("after").vars == {"a": 1}


def test_branches_that_are_empty_are_over_at_once_and_join_only_once():
    instance = Instance(
        plan(fork("f", (), (), (step("late"),), needed=1, rest="continue"), step("after"))
    ).take("f")

    assert instance.turns == ["late", "after"]
    assert instance.take("after", "late").position.over == Over()


# --- stop


def test_stop_ends_the_instance_whatever_else_goes_on():
    inside = outliving(fork("i", (step("a"),), (step("b"),)))
    instance = (
        Instance(plan(watched(inside, step("c")))).take("g", "f", "soon", "late", "i").event("g", "event")
    )

    assert instance.answer("b", End(STOP)).position.over == Over(stop=STOP)


def test_stop_in_errors_is_how_the_instance_ended():
    instance = Instance(plan(step("a"), errors=(step("told"),))).fail("a").answer("told", End(STOP))

    assert instance.position.over == Over(stop=STOP)


# --- loops and repeats


def test_a_repeat_goes_round_until_its_step_is_done():
    instance = Instance(plan(repeat("r", step("a")), step("after"))).take("r", "a@0", "r", "a@1")

    assert instance.turns == ["r"]
    assert instance.answer("r", Done()).turns == ["after"]


def test_a_repeat_in_a_repeat_begins_anew_in_every_round():
    instance = Instance(plan(repeat("o", repeat("i", step("a"))))).take("o", "i", "a", "i", "a@0.1")

    assert instance.answer("i@0", Done()).take("o", "i@1").turns == ["a@1.0"]


def test_a_repeat_in_a_loop_begins_anew_in_every_round():
    instance = Instance(plan(loop("l", repeat("r", step("a"))))).take("l", "r", "a").answer("r@0", Done())

    assert instance.take("r@1").turns == ["a@1.0"]


def test_a_repeat_without_steps_is_asked_again_at_once():
    instance = Instance(plan(repeat("r"), step("after"))).take("r", "r")

    assert instance.turns == ["r"]
    assert instance.answer("r", Done()).turns == ["after"]


def test_all_slots_that_are_entered_come_one_after_another():
    instance = Instance(plan(choose("c", (step("x"),), (), (step("y"),), (step("z"),)), step("after"))).take(
        "c", "x", "y"
    )

    assert instance.turns == ["z"]
    assert instance.take("z").turns == ["after"]


@pytest.mark.parametrize("word", [loop, choose])
def test_what_has_no_steps_is_passed(word):
    assert Instance(plan(word("x"), step("after"))).take("x").turns == ["after"]


def test_a_process_without_steps_is_over_before_it_began():
    assert begin(plan()).over == Over()


def test_the_size_of_a_position_does_not_follow_from_what_was_done():
    def size(rounds: int) -> str:
        inside = fork("f", (sets("a", n=1), step("b")), (sets("c", m=2), group("g", step("d"))))
        instance = Instance(plan(loop("l", inside, count=1_000)))
        instance.take("l")
        for _ in range(rounds):
            instance.take("f", "a", "b", "c", "g", "d")
        return re.sub(r"\d+", "1", json.dumps(to_json(instance.take("f", "a").position)))

    assert size(400) == size(4)


# --- names


def test_loop_variables_and_the_error_are_seen_only_inside():
    inside = loop("l", caught(step("a"), step("mend")), step("b"), count=1)
    instance = Instance(plan(inside, step("after"))).take("l").fail("a")

    assert (instance.frame("mend").error, [*instance.frame("mend").items]) == (error(), ["l"])
    instance.take("mend")
    assert (instance.frame("b").error, [*instance.frame("b").items]) == (None, ["l"])
    instance.take("b")
    assert (instance.frame("after").error, instance.frame("after").items) == (None, {})


def test_an_inner_name_hides_an_outer_one():
    inner = replace(loop("i", caught(step("a"), step("near")), count=3), each="x")
    outer = replace(loop("o", inner), each="x")
    instance = (
        Instance(plan(caught(step("first"), outer)))
        .fail("first", "outer")
        .take("o", "i", "a")
        .fail("a", "inner")
    )

    assert instance.frame("near").error == error("inner")
    assert instance.frame("near").items == {"x": (instance.scope("i", "loop"), 1)}


def test_what_is_set_in_a_block_is_set_for_all_that_follows():
    inside = choose("c", (loop("l", sets("a", n=1), count=1), caught(step("risky"), sets("b", m=2))))
    instance = Instance(plan(inside, step("after"))).take("c", "l", "a").fail("risky").take("b")

    assert instance.frame("after").vars == {"n": 1, "m": 2}


def test_what_is_set_in_a_branch_is_seen_in_it_and_after_the_join():
    both = fork("f", (sets("a", n=1), step("x")), (sets("b", m=2), step("y")))
    instance = Instance(plan(sets("v", n=0, k=0), both, step("after"))).take("v", "f", "a", "b")

    assert instance.frame("x").vars == {"n": 1, "k": 0}
    assert instance.frame("y").vars == {"n": 0, "k": 0, "m": 2}
    assert instance.take("x", "y").frame("after").vars == {"n": 1, "k": 0, "m": 2}


def test_what_a_branch_did_not_set_does_not_undo_what_another_one_set():
    both = fork("f", (sets("a", n=1),), (step("b"),))
    instance = Instance(plan(sets("v", n=0), both, step("after"))).take("v", "f", "a", "b")

    assert instance.frame("after").vars == {"n": 1}


def test_what_a_cancelled_branch_set_is_lost():
    both = fork("f", (sets("a", n=1), step("x")), (step("b"),), needed=1)
    instance = Instance(plan(both, step("after"))).take("f", "a", "b")

    assert instance.frame("after").vars == {}


def test_what_a_fork_in_a_branch_sets_is_merged_by_both_joins():
    inner = fork("i", (sets("a", n=1),), (sets("b", m=2),))
    instance = Instance(plan(fork("o", (inner, step("x")), (step("y"),)), step("after"))).take(
        "o", "i", "a", "b"
    )

    assert instance.frame("x").vars == {"n": 1, "m": 2}
    assert instance.frame("y").vars == {}
    assert instance.take("x", "y").frame("after").vars == {"n": 1, "m": 2}


# --- control-flow patterns, by their numbers


def test_pattern_01_sequence():
    assert Instance(plan(step("a"), step("b"))).take("a").turns == ["b"]


def test_pattern_02_parallel_split():
    assert Instance(plan(fork("f", (step("a"),), (step("b"),)))).take("f").turns == ["a", "b"]


@pytest.mark.parametrize("order", ["ab", "ba"])
def test_pattern_03_synchronization(order):
    instance = Instance(plan(fork("f", (step("a"),), (step("b"),)), step("after"))).take("f", order[0])

    assert instance.turns == [order[1]]
    assert instance.take(order[1]).turns == ["after"]


@pytest.mark.parametrize("way", [0, 1])
def test_pattern_04_exclusive_choice(way):
    instance = Instance(plan(choose("c", (step("a0"),), (step("a1"),)))).answer(
        "c", Enter((f"branches/{way}",))
    )

    assert instance.turns == [f"a{way}"]


@pytest.mark.parametrize("way", [0, 1])
def test_pattern_05_simple_merge(way):
    both = choose("c", (step("a0"),), (step("a1"),))
    instance = Instance(plan(both, step("after"))).answer("c", Enter((f"branches/{way}",))).take(f"a{way}")

    assert instance.turns == ["after"]


def test_pattern_06_multi_choice():
    three = fork("f", (step("a"),), (step("b"),), (step("c"),))
    instance = Instance(plan(three)).answer("f", Fork(("branches/0", "branches/2"), needed=2))

    assert instance.turns == ["a", "c"]


def test_pattern_07_structured_synchronizing_merge():
    three = fork("f", (step("a"),), (step("b"),), (step("c"),))
    instance = Instance(plan(three, step("after"))).answer("f", Fork(("branches/0", "branches/2"), needed=2))

    assert instance.take("a", "c").turns == ["after"]


def test_pattern_08_multi_merge_where_the_merged_steps_are_written_in_each_branch():
    instance = Instance(plan(fork("f", (step("a"), step("then1")), (step("b"), step("then2"))))).take(
        "f", "a", "b"
    )

    assert instance.turns == ["then1", "then2"]


def test_pattern_09_structured_discriminator():
    instance = Instance(plan(outliving(), step("after"))).take("f", "soon")

    assert instance.turns == ["late", "after"]
    assert instance.take("late").turns == ["after"]


def test_pattern_11_implicit_termination():
    instance = Instance(plan(outliving())).take("f", "soon")

    assert instance.position.over is None
    assert instance.take("late").position.over == Over()


def test_pattern_12_multiple_instances_without_synchronization():
    assert Instance(plan(spawn("s", 3, needed=0), step("after"))).take("s").turns == ["after"]


def test_pattern_13_multiple_instances_known_at_design_time():
    instance = Instance(plan(spawn("s", 2), step("after"))).take("s").child("s")

    assert instance.turns == []
    assert instance.child("s").turns == ["after"]


def test_pattern_14_multiple_instances_known_at_run_time():
    instance = Instance(plan(spawn("s", 0), step("after"))).answer("s", Spawn(3, needed=3))

    assert instance.child("s").child("s").child("s").turns == ["after"]


def test_pattern_15_multiple_instances_not_known_before_where_nothing_waits_for_all():
    instance = Instance(plan(repeat("r", spawn("s", 1, needed=0)), step("after"))).take("r", "s", "r", "s")

    assert instance.answer("r", Done()).turns == ["after"]


def test_pattern_16_deferred_choice():
    both = choose("w", (step("a"),), (step("b"),))
    instance = Instance(plan(both)).answer("w", Wait())

    assert instance.turns == []
    assert instance.wake("w").answer("w", Enter(("branches/1",))).turns == ["b"]


def test_pattern_18_milestone():
    instance = Instance(plan(watched(step("a")), step("after"))).take("g")
    owner = instance.scope("g", "steps")

    assert instance.event("g", "event").turns == ["a", "told@0"]
    instance.take("told", "a")
    with pytest.raises(KeyError):
        start_event(instance.plan, instance.position, owner, "events/event", {}, interrupting=False)


def test_pattern_19_cancel_task():
    instance = Instance(plan(watched(step("a")), step("after"))).take("g").answer("a", Wait())

    assert instance.event("g", "event", interrupting=True).take("told").turns == ["after"]


def test_pattern_20_cancel_case():
    instance = Instance(plan(fork("f", (step("a"),), (step("b"),)))).take("f").answer("b", End(STOP))

    assert instance.position.over == Over(stop=STOP)


def test_pattern_21_structured_loop():
    instance = Instance(plan(repeat("r", step("a")), step("after"))).take("r", "a", "r", "a")

    assert instance.answer("r", Done()).turns == ["after"]


def test_pattern_22_recursion():
    instance = Instance(plan(spawn("s", 1), step("after"))).take("s")
    child = Instance(instance.plan).answer("s", Spawn(0, needed=0)).take("after")

    assert child.position.over == Over()
    assert instance.child("s").turns == ["after"]


def test_pattern_25_cancel_region():
    region = watched(fork("f", (loop("l", step("a")),), (step("b"),)))
    instance = Instance(plan(fork("o", (region,), (step("x"),)))).take("o", "g", "f", "l")

    assert instance.event("g", "event", interrupting=True).turns == ["told@0", "x"]


def test_pattern_26_cancel_multiple_instances():
    instance = Instance(plan(watched(spawn("s", 3)), step("after"))).take("g", "s").child("s")
    children = instance.scope("s", "children")
    instance.event("g", "event", interrupting=True)

    assert children not in instance.position.scopes
    assert instance.take("told").turns == ["after"]


def test_pattern_29_cancelling_discriminator():
    instance = Instance(plan(fork("f", (step("a"),), (step("b"),), needed=1), step("after"))).take("f", "b")

    assert instance.turns == ["after"]


def test_pattern_30_structured_partial_join():
    three = fork("f", (step("a"),), (step("b"),), (step("c"),), needed=2, rest="continue")
    instance = Instance(plan(three, step("after"))).take("f", "a", "c")

    assert instance.turns == ["b", "after"]


def test_pattern_32_cancelling_partial_join():
    three = fork("f", (step("a"),), (step("b"),), (step("c"),), needed=2)

    assert Instance(plan(three, step("after"))).take("f", "a", "c").turns == ["after"]


def test_pattern_34_static_partial_join_of_multiple_instances():
    instance = Instance(plan(spawn("s", 3, needed=2), step("after"))).take("s")
    children = instance.scope("s", "children")

    assert instance.child("s").child("s").turns == ["after"]
    assert child_ended(instance.plan, instance.position, children) == instance.position


def test_pattern_35_cancelling_partial_join_of_multiple_instances():
    instance = Instance(plan(spawn("s", 3, needed=1), step("after"))).take("s")
    children = instance.scope("s", "children")
    instance.child("s")

    assert children not in instance.position.scopes


def test_pattern_36_dynamic_partial_join_settled_when_it_begins():
    instance = Instance(plan(spawn("s", 3), step("after"))).answer("s", Spawn(4, needed=2))

    assert instance.child("s").child("s").turns == ["after"]


def test_pattern_37_local_synchronizing_merge():
    inner = choose("c", (step("a"),), (step("b"),))
    instance = (
        Instance(plan(fork("f", (inner,), (step("x"),)), step("after"))).take("f", "x").answer("c", Enter(()))
    )

    assert instance.turns == ["after"]


def test_pattern_43_explicit_termination():
    instance = Instance(plan(outliving())).take("f", "soon").answer("late", End(STOP))

    assert instance.position.over == Over(stop=STOP)
