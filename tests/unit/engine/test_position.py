"""The position of an instance, move by move. `position_world` checks what always holds after each of them."""

import json
from datetime import date

import pytest
from position_world import Instance, fork, plan, spawn, step

from procession.position import Held, Over, from_json, to_json

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
