"""The position of an instance, move by move. `position_world` checks what always holds after each of them."""

import json
from datetime import date

from position_world import Instance, fork, plan, spawn, step

from procession.position import Held, from_json, to_json

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
