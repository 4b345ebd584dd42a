"""read, create, update, delete, create_activity, set, call."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from unit.expressions.world import ACME, ANN, BOB, CAL, MEETING, NAMES
from unit.steps.deciding import OPPORTUNITY, changed, context, decide, only_effect

from procession.effects import CallFunction, CreateRecord, DeleteRecord, FindRecords, Recipient, UpdateRecord
from procession.errors import PermanentError
from procession.records import Ref
from procession.steps import kind_of
from procession.values import BusinessDays

ANNS, BOBS = Ref("contact", 1), Ref("user", 2)


def test_read_asks_for_records_by_their_fields():
    effect = only_effect(
        "read", {"entity": "activity", "where": {"contact": ANN, "status": "planned"}, "order": "-start"}
    )

    assert effect == FindRecords("activity", {"contact": ANNS, "status": "planned"}, "-start", 100)


def test_read_takes_a_list_as_one_of_these():
    effect = only_effect("read", {"entity": "activity", "where": {"contact": (ANN, CAL)}, "limit": 5})

    assert effect == FindRecords("activity", {"contact": (ANNS, Ref("contact", 7))}, "", 5)


def test_read_reads_written_moments():
    effect = only_effect("read", {"entity": "activity", "where": {"start": "2026-03-06 10:00"}})

    assert effect.where == {"start": datetime(2026, 3, 6, 9, tzinfo=UTC)}


def test_read_gives_records_the_first_their_number_and_whether_there_are_more():
    kind = kind_of("read")

    types = kind.outputs(kind.shape(entity="contact"), context().schema)

    assert {name: str(type_) for name, type_ in types.items()} == {
        "records": "list of record of contact",
        "first": "record of contact",
        "count": "int",
        "more": "bool",
    }


def test_create_turns_records_into_references():
    effect = only_effect(
        "create", {"entity": "opportunity", "values": {"name": "New", "account": ACME, "owner": BOB}}
    )

    assert effect == CreateRecord("opportunity", {"name": "New", "account": Ref("account", 3), "owner": BOBS})


def test_a_moment_in_a_zone_of_its_own_gives_the_date_of_that_zone():
    late = datetime(2026, 5, 1, 19, tzinfo=ZoneInfo("America/New_York"))

    effect = only_effect("create", {"entity": "opportunity", "values": {"close_date": late}})

    assert effect.values == {"close_date": date(2026, 5, 1)}


def test_create_reads_a_written_date():
    effect = only_effect("create", {"entity": "opportunity", "values": {"close_date": "2026-05-01"}})

    assert effect.values == {"close_date": date(2026, 5, 1)}


def test_create_takes_the_day_of_a_moment_in_the_zone_of_the_process():
    late = datetime(2026, 5, 1, 23, tzinfo=UTC)

    effect = only_effect("create", {"entity": "opportunity", "values": {"close_date": late}})

    assert effect.values == {"close_date": date(2026, 5, 2)}


def test_create_writes_whatever_goes_into_a_text_as_text():
    values = {"name": ANN, "account": None}

    effect = only_effect("create", {"entity": "opportunity", "values": values})

    assert effect.values == {"name": "Ann Bauer", "account": None}


def test_create_refuses_a_text_that_is_no_date():
    with pytest.raises(PermanentError) as caught:
        decide("create", {"entity": "opportunity", "values": {"close_date": "soon"}})

    assert caught.value.message == "'close_date': 'soon' is not a date. Write it as 2026-03-06."


def test_create_connects_the_new_record():
    effect = only_effect(
        "create", {"entity": "activity", "values": {}, "connected_to": (ANN, (ACME, ANN), None)}
    )

    assert effect.connected_to == (ANNS, Ref("account", 3))


def test_update_changes_the_fields_of_a_record():
    effect = only_effect(
        "update", {"record": MEETING, "values": {"status": "done", "due": timedelta(days=1)}}
    )

    assert effect == UpdateRecord(
        Ref("activity", 5), {"status": "done", "due": datetime(2026, 3, 3, 8, tzinfo=UTC)}
    )


def test_update_of_nothing_says_so():
    with pytest.raises(PermanentError) as caught:
        decide("update", {"record": None, "values": {}})

    assert caught.value.message == "'record' needs a record, not an empty value"
    assert caught.value.hint == "Guard the step with an 'if'."


def test_update_of_a_text_says_so():
    with pytest.raises(PermanentError) as caught:
        decide("update", {"record": "Ann", "values": {}})

    assert caught.value.message == "'record' needs a record, not a text"


def test_delete_removes_a_record():
    assert only_effect("delete", {"record": MEETING}) == DeleteRecord(Ref("activity", 5))


def test_an_activity_is_planned_and_connected_to_the_history_of_the_process():
    effect = only_effect("create_activity", {"type": "call", "subject": "Call back", "owner": BOB})

    assert effect == CreateRecord(
        "activity",
        {"type": "call", "subject": "Call back", "owner": BOBS, "status": "planned"},
        (OPPORTUNITY,),
    )


def test_an_activity_is_due_a_duration_from_now():
    effect = only_effect("create_activity", {"type": "call", "subject": "x", "due": "1 business day"})

    assert effect.values["due"] == datetime(2026, 3, 3, 8, tzinfo=UTC)


def test_an_activity_is_due_after_a_duration_that_an_expression_gave():
    effect = only_effect("create_activity", {"type": "call", "subject": "x", "due": BusinessDays(5)})

    assert effect.values["due"] == datetime(2026, 3, 9, 8, tzinfo=UTC)


def test_an_activity_may_start_and_end_at_written_moments():
    fields = {"type": "task", "subject": "x", "start": "2026-03-06T10:00", "end": "2026-03-06T11:00+01:00"}

    effect = only_effect("create_activity", fields)

    assert effect.values["start"] == datetime(2026, 3, 6, 9, tzinfo=UTC)
    assert effect.values["end"] == datetime(2026, 3, 6, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("due", "message"),
    [
        ("soon", "'due': 'soon' is neither a moment (2026-03-06T10:00+01:00) nor a duration (1 business day)"),
        ("24 business hours", "'due': '24 business hours': only days can be business days, since no opening hours are known. Write 1 business day for the same time on the next working day, or 24h for a day and a night."),
        ("2026-13-01", "'due': '2026-13-01' is not a moment. Write it as 2026-03-06T10:00+01:00."),
    ],
)  # fmt: skip
def test_an_activity_that_is_due_at_no_time_is_refused(due, message):
    with pytest.raises(PermanentError) as caught:
        decide("create_activity", {"type": "call", "subject": "x", "due": due})

    assert caught.value.message == message


def test_an_activity_belongs_to_the_owner_of_what_it_is_about():
    effect = only_effect("create_activity", {"type": "call", "subject": "x", "contact": ANN, "account": ACME})

    assert effect.values["owner"] == BOBS
    assert effect.connected_to == (Ref("account", 3), ANNS, OPPORTUNITY)


def test_an_activity_about_nobody_belongs_to_the_sender_of_the_mail():
    effect = only_effect("create_activity", {"type": "call", "subject": "x"})

    assert effect.values["owner"] == BOBS


def test_an_activity_has_no_owner_if_the_sender_is_nobody():
    effect = only_effect(
        "create_activity", {"type": "call", "subject": "x"}, default_sender=Recipient("a@b.example")
    )

    assert "owner" not in effect.values


def test_an_activity_keeps_what_the_author_wrote():
    fields = {
        "type": "task", "subject": "x", "status": "in_progress", "priority": "high", "category": "Meeting",
        "body": "Bring cake", "location": "Room 4",
    }  # fmt: skip

    effect = only_effect("create_activity", fields, history_on=None)

    assert {name: effect.values[name] for name in fields} == fields
    assert effect.connected_to == ()


def test_set_gives_values_their_names():
    assert decide("set", {"greeting": "Hello", "day": date(2026, 3, 6)}).set_vars == {
        "greeting": "Hello",
        "day": date(2026, 3, 6),
    }


def test_set_without_a_name_is_refused():
    with pytest.raises(ValueError, match="'set' names no value"):
        kind_of("set").shape.model_validate({})


def test_call_hands_over_its_arguments():
    assert only_effect("call", {"function": "score", "args": {"contact": ANN}}) == CallFunction(
        "score", {"contact": ANN}
    )


def test_a_country_of_the_process_gives_its_holidays():
    names = {**NAMES, "process": {"timezone": "Europe/Berlin", "country": "DE"}}
    maundy_thursday = datetime(2026, 4, 2, 8, tzinfo=UTC)

    effect = only_effect(
        "create_activity",
        {"type": "call", "subject": "x", "due": "1 business day"},
        names=names,
        now=maundy_thursday,
    )

    assert effect.values["due"].date() == date(2026, 4, 7)


def test_an_owner_that_is_unknown_is_not_made_up():
    effect = only_effect(
        "create_activity", {"type": "call", "subject": "x", "contact": changed(ANN, owner=None)},
        default_sender=Recipient("a@b.example"),
    )  # fmt: skip

    assert "owner" not in effect.values
