"""if, choose, for_each, stop, log_history, notify, and the list of kinds."""

import pytest
from pydantic import ValidationError
from unit.expressions.world import ANN, AT, BOB, MEETING, SCHEMA
from unit.steps.deciding import OPPORTUNITY, decide, only_effect

from procession.effects import LogHistory, Notify
from procession.errors import ExpressionError, PermanentError
from procession.expressions import Expression
from procession.records import Ref
from procession.steps import STEPS, kind_of
from procession.steps.kind import Stop


def test_if_takes_one_way_or_the_other():
    assert decide("if", {"if": True}).branches == ("then",)
    assert decide("if", {"if": ""}).branches == ("else",)


def test_choose_takes_the_first_branch_that_holds():
    fields = {"branches": ({"when": False}, {"when": True}, {"when": True})}

    assert decide("choose", fields).branches == ("branches/2",)


def test_choose_takes_all_that_hold_if_told_to():
    fields = {"branches": ({"when": True}, {"when": False}, {"when": True}), "match": "all"}

    assert decide("choose", fields).branches == ("branches/1", "branches/3")


def test_choose_takes_else_if_none_holds():
    assert decide("choose", {"branches": ({"when": False},)}).branches == ("else",)


def test_choose_may_stop_if_none_holds():
    outcome = decide("choose", {"branches": ({"when": False},), "else": "stop"})

    assert outcome.stop == Stop()
    assert outcome.branches == ()


def test_an_earlier_branch_guards_the_conditions_of_later_ones():
    fields = {
        "branches": (
            {"when": Expression("meeting.opportunity is empty", AT)},
            {"when": Expression("meeting.opportunity.name == 'x'", AT)},
        )
    }

    assert decide("choose", fields).branches == ("branches/1",)


def test_a_condition_that_is_reached_and_fails_is_an_error():
    with pytest.raises(ExpressionError, match="'name' is read from something empty"):
        decide("choose", {"branches": ({"when": Expression("meeting.opportunity.name == 'x'", AT)},)})


def test_for_each_goes_through_a_list():
    assert decide("for_each", {"items": (1, 2)}).items == (1, 2)
    assert decide("for_each", {"items": ()}).items == ()


def test_for_each_refuses_what_is_no_list():
    with pytest.raises(PermanentError) as caught:
        decide("for_each", {"items": None})

    assert caught.value.message == "'items' needs a list, not an empty value"


def test_for_each_refuses_a_list_that_is_too_long_before_anything_is_done():
    with pytest.raises(PermanentError) as caught:
        decide("for_each", {"items": (1, 2, 3), "max": 2})

    assert caught.value.message == "'items' holds 3, more than the 2 allowed"
    assert caught.value.hint == "Raise 'max' if that is meant."


def test_stop_ends_with_a_result():
    assert decide("stop", {"result": "done"}).stop == Stop(result="done")


def test_stop_ends_with_an_error():
    assert decide("stop", {"error": "No budget"}).stop == Stop(error="No budget")


def test_stop_needs_neither():
    assert decide("stop", {}).stop == Stop()


def test_stop_takes_not_both():
    with pytest.raises(
        ValidationError, match="a process stops with a 'result' or with an 'error', not with both"
    ):
        kind_of("stop").shape(result="a", error="b")


def test_history_is_written_to_the_record_of_the_process():
    assert only_effect("log_history", {"text": "Called"}) == LogHistory(OPPORTUNITY, "Called")


def test_history_may_be_written_to_another_record():
    assert only_effect("log_history", {"text": "Called", "on": ANN}) == LogHistory(
        Ref("contact", 1), "Called"
    )


def test_history_of_nothing_is_an_error():
    with pytest.raises(PermanentError) as caught:
        decide("log_history", {"text": "Called"}, history_on=None)

    assert caught.value.message == "there is no record to write History on"


def test_a_user_is_notified():
    effect = only_effect("notify", {"to": BOB, "text": "Look", "subject": "Now\n!"})

    assert effect == Notify(Ref("user", 2), "Now !", "Look", "<abc@us.example>")


def test_a_team_is_notified_under_the_title_of_the_process():
    assert only_effect("notify", {"to": "sales-ops", "text": "Look"}) == Notify(
        "sales-ops", "Follow up", "Look", "<abc@us.example>"
    )


def test_only_colleagues_are_notified():
    with pytest.raises(PermanentError) as caught:
        decide("notify", {"to": ANN, "text": "Look"})

    assert caught.value.message == "'to' must be a user, not the contact Ann Bauer"


def test_nobody_to_notify_is_an_error():
    with pytest.raises(PermanentError, match="'to' is empty: there is nobody to notify"):
        decide("notify", {"to": None, "text": "Look"})


def test_a_notice_reads_as_mixed_text():
    assert only_effect("notify", {"to": "x", "text": MEETING}).text == "Kick-off"


def test_every_kind_is_found_by_its_word():
    assert [kind_of(kind.word) for kind in STEPS] == list(STEPS)
    assert kind_of("sendemail") is None


def test_every_field_of_every_kind_has_a_title():
    for kind in STEPS:
        for name, field in kind.shape.model_fields.items():
            assert field.title, f"{kind.word}.{name}"


def test_a_shorthand_is_a_field_of_its_kind():
    for kind in STEPS:
        keys = {field.alias or name for name, field in kind.shape.model_fields.items()}
        assert not kind.shorthand or kind.shorthand in keys


LEAST = {
    "read": {"entity": "contact"},
    "create": {"entity": "contact", "values": {"name": "x"}},
    "update": {"record": "{{ x }}", "values": {"name": "x"}},
    "delete": {"record": "{{ x }}"},
    "create_activity": {"type": "call", "subject": "x"},
    "set": {"name": "{{ x }}"},
    "send_email": {"to": "{{ x }}", "template": "x", "undo": "60s"},
    "log_history": {"text": "x"},
    "notify": {"to": "sales", "text": "x"},
    "if": {"if": "x", "then": [{"stop": "y"}]},
    "choose": {"branches": [{"when": "x", "steps": [{"stop": "y"}]}], "else": "stop"},
    "for_each": {"items": "{{ x }}", "steps": [{"stop": "y"}]},
    "wait": {"for": "1 day"},
    "wait_for": {"wait_for": [{"message": "x"}]},
    "send_message": {"name": "x"},
    "throw_signal": {"name": "x"},
    "stop": {},
    "call": {"function": "x"},
}
GIVEN = {"create": ["record"], "create_activity": ["record"], "call": ["value"],
         "read": ["records", "first", "count", "more"],
         "send_email": ["message_id", "record", "state"], "wait": ["ended_at", "if_past"],
         "wait_for": ["source", "came_at", "type", "data", "record"]}  # fmt: skip


@pytest.mark.parametrize("kind", STEPS, ids=lambda kind: kind.word)
def test_the_least_that_can_be_written_is_accepted(kind):
    shape = kind.shape.model_validate(LEAST[kind.word], strict=True)

    assert list(kind.outputs(shape, SCHEMA)) == GIVEN.get(kind.word, [])


@pytest.mark.parametrize("kind", STEPS, ids=lambda kind: kind.word)
def test_a_key_that_is_not_known_is_refused(kind):
    if kind.word == "set":
        return
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        kind.shape.model_validate({**LEAST[kind.word], "colour": "red"})
