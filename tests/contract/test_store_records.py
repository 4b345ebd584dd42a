"""What `procession.ports.Records` promises, on every store."""

import random
import string
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import insert, text
from sqlalchemy.pool import QueuePool

from crm.addresses import row_of
from crm.memory import MemoryStore
from crm.schema import SCHEMA
from crm.store import CrmStore
from crm.tables import contact_address
from procession.effects import Recipient, SendMail
from procession.errors import StoreError, TemporaryError
from procession.ports import Actor, Event, HistoryRow, MailState, QueuedMail, Store
from procession.records import Field, Record, Ref, fields_of, ref_of
from procession.values import from_json

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
ANNA = Actor("user", "anna")
PROCESS = Actor("process", "Notify contact", process="notify", instance=1, step="invite")
MEETING = {"type": "task", "category": "meeting", "subject": "Talk"}
NO_PATHS: frozenset[tuple[str, ...]] = frozenset()


def fetch(store: CrmStore, ref: Ref, *paths: tuple[str, ...]) -> Record:
    with store.unit(write=False) as unit:
        return unit.records.fetch([ref], frozenset(paths))[ref]


def create(store: CrmStore, entity: str, values: dict[str, Any], actor: Actor = ANNA) -> Ref:
    with store.unit() as unit:
        (ref,) = unit.records.create(entity, [values], actor)
        unit.commit()
    return ref


def update(store: CrmStore, ref: Ref, values: dict[str, Any], actor: Actor = ANNA) -> None:
    with store.unit() as unit:
        unit.records.update([(ref, values)], actor)
        unit.commit()


def delete(store: CrmStore, *refs: Ref) -> None:
    with store.unit() as unit:
        unit.records.delete(refs, ANNA)
        unit.commit()


def find(store: CrmStore, entity: str, where: dict[str, Any], **options: Any) -> list[Record]:
    with store.unit(write=False) as unit:
        return unit.records.find(entity, where, **options)


def new_events(store: CrmStore, *, after: int = 0) -> list[Event]:
    with store.unit() as unit:
        return [event for event in unit.journal.pending(1000) if event.id > after]


def last_event(store: CrmStore) -> int:
    return max((event.id for event in new_events(store)), default=0)


# --- the zone of a meeting


def zone_of(store: CrmStore, ref: Ref) -> str:
    return str(fields_of(fetch(store, ref))["timezone"])


def test_an_activity_keeps_the_zone_in_which_it_was_saved(store: CrmStore, refs: dict[str, Ref]) -> None:
    """Its day must not move when it is given to somebody else, or when somebody moves."""
    update(store, refs["anna"], {"timezone": "America/Lima"})
    update(store, refs["dev"], {"timezone": "Asia/Tokyo"})
    owned = {"type": "task", "subject": "x", "start": NOW, "owner": refs["anna"]}
    of_owner, of_its_own, without, timeless = (
        create(store, "activity", {**owned, **changes})
        for changes in ({}, {"timezone": "Asia/Kolkata"}, {"owner": None}, {"start": None})
    )
    assert [zone_of(store, ref) for ref in (of_owner, of_its_own, without, timeless)] == [
        "America/Lima", "Asia/Kolkata", "", "",
    ]  # fmt: skip

    update(store, refs["anna"], {"timezone": "Europe/Rome"})
    for ref in (of_owner, of_its_own, without):
        update(store, ref, {"owner": refs["dev"]})
    update(store, timeless, {"due": NOW})

    assert [zone_of(store, ref) for ref in (of_owner, of_its_own, without, timeless)] == [
        "America/Lima", "Asia/Kolkata", "Asia/Tokyo", "Europe/Rome",
    ]  # fmt: skip
    update(store, of_owner, {"timezone": "Asia/Tokyo"})
    assert zone_of(store, of_owner) == "Asia/Tokyo"
    assert of_owner in {ref_of(one) for one in find(store, "activity", {"timezone": "Asia/Tokyo"})}
    update(store, of_owner, {"timezone": ""})
    assert zone_of(store, of_owner) == ""


# --- every field


def value_for(name: str, field: Field, refs: dict[str, Ref]) -> Any:
    """A value that the field does not have yet."""
    special = {
        "timezone": "America/Lima", "language": "pt-BR", "email": "new@else.example", "category": "call",
        "type": "call", "status": "done", "priority": "high", "stage": "won",
    }  # fmt: skip
    targets = {"user": "dev", "account": "kiwi", "contact": "tom", "opportunity": "orchard"}
    return special.get(name) or {
        "text": f"new {name}",
        "bool": True,
        "number": 12.5,
        "date": date(2026, 12, 24),
        "datetime": datetime(2026, 12, 24, 18, 0, 0, 123456, tzinfo=UTC),
        "record": refs.get(targets.get(field.type.of, "")),
    }.get(field.type.name)


EVERY_FIELD = [(entity, name) for entity in SCHEMA.entities for name in SCHEMA.entity(entity).fields]
NICKNAMES = {"account": "acme", "contact": "ann", "opportunity": "press_line", "user": "anna",
             "activity": "press_meeting"}  # fmt: skip


@pytest.mark.parametrize(("entity", "name"), EVERY_FIELD)
def test_every_field_of_the_schema_can_be_read_and_if_it_is_writable_written(
    store: CrmStore, refs: dict[str, Ref], entity: str, name: str
) -> None:
    ref, field = refs[NICKNAMES[entity]], SCHEMA.entity(entity).fields[name]

    if field.fixed:
        assert fields_of(fetch(store, ref))[name]
        with pytest.raises(StoreError, match=f"{entity}.{name} cannot be changed"):
            update(store, ref, {name: "x"})
    elif field.writable:
        value = value_for(name, field, refs)
        update(store, ref, {name: value})
        read = fields_of(fetch(store, ref))[name]
        assert read == (Record(value, {}) if isinstance(value, Ref) else value)
        assert new_events(store)[-1].changed == (name,)
    else:
        assert name in fields_of(fetch(store, ref))
        with pytest.raises(StoreError, match=f"{entity}.{name} cannot be written"):
            update(store, ref, {name: "x"})


@pytest.mark.parametrize("entity", SCHEMA.entities)
def test_a_record_has_the_fields_of_its_schema_and_no_others(
    store: CrmStore, refs: dict[str, Ref], entity: str
) -> None:
    fields = fields_of(fetch(store, refs[NICKNAMES[entity]]))

    assert set(fields) == {"id", *SCHEMA.entity(entity).fields}


def test_a_missing_text_is_empty_and_a_missing_reference_is_none(store: CrmStore) -> None:
    contact = fetch(store, create(store, "contact", {"name": "Nobody"}))

    assert (contact.email, contact.language, contact.account, contact.opt_out) == ("", "", None, False)


# --- what a meeting is called in calendars


@pytest.mark.parametrize(
    "values", [MEETING, {"type": "call", "subject": "Prices"}, {"type": "task", "subject": "Offer"}]
)
def test_every_activity_is_given_a_calendar_uid_of_its_own_that_says_nothing(
    store: CrmStore, values: dict[str, Any]
) -> None:
    with store.unit() as unit:
        refs = unit.records.create("activity", [values] * 3, ANNA)
        unit.commit()

    uids = [fetch(store, ref).uid for ref in refs]

    assert len(set(uids)) == 3
    assert all(str(UUID(uid)) == uid and UUID(uid).version == 4 for uid in uids)


def test_a_uid_that_comes_from_outside_stays_as_it_came(store: CrmStore) -> None:
    meeting = create(store, "activity", {**MEETING, "uid": "abc/DEF@Google.com"})

    update(store, meeting, {"subject": "Talk again", "category": "call"})

    assert fetch(store, meeting).uid == "abc/DEF@Google.com"
    assert [str(found) for found in find(store, "activity", {"uid": "abc/DEF@Google.com"})] == ["Talk again"]


def test_a_uid_can_neither_be_changed_nor_taken_away(store: CrmStore) -> None:
    meeting = create(store, "activity", MEETING)
    before = fetch(store, meeting).uid

    for value in ("other@us.example", "", None):
        with pytest.raises(StoreError, match=r"activity\.uid cannot be changed"):
            update(store, meeting, {"uid": value})

    assert fetch(store, meeting).uid == before


def test_the_last_values_of_a_deleted_meeting_know_its_uid(store: CrmStore) -> None:
    meeting = create(store, "activity", MEETING)
    uid = fetch(store, meeting).uid

    delete(store, meeting)

    assert new_events(store)[-1].payload["uid"] == uid


# --- fetch


def test_references_on_the_paths_are_read_whole_and_others_have_a_name_only(
    store: CrmStore, refs: dict[str, Ref]
) -> None:
    meeting = fetch(store, refs["press_meeting"], ("contact",), ("opportunity", "account", "owner"))

    assert meeting.contact.email == "ann.becker@acme.example"
    assert meeting.opportunity.account.owner.team == "sales"
    assert fields_of(meeting.owner) == {"id": refs["anna"].id, "name": "Anna Berg"}
    assert fields_of(meeting.contact.account) == {"id": refs["acme"].id, "name": "Acme GmbH"}


def test_records_that_are_not_there_are_absent(store: CrmStore, refs: dict[str, Ref]) -> None:
    with store.unit(write=False) as unit:
        found = unit.records.fetch([refs["ann"], Ref("contact", 9999), Ref("planet", 1)], NO_PATHS)

    assert set(found) == {refs["ann"]}


def test_records_of_several_kinds_are_read_at_once(store: CrmStore, refs: dict[str, Ref]) -> None:
    wanted = [refs["ann"], refs["press_meeting"], refs["anna"]]

    with store.unit(write=False) as unit:
        found = unit.records.fetch(wanted, frozenset({("owner",), ("account",)}))

    assert list(found) == wanted
    assert found[refs["press_meeting"]].owner.email == "anna.berg@us.example"


def test_participants_are_the_connected_contacts_and_can_be_followed(
    store: CrmStore, refs: dict[str, Ref]
) -> None:
    with store.unit() as unit:
        (meeting,) = unit.records.create("activity", [MEETING], ANNA, [[refs["ann"], refs["luc"]]])
        unit.commit()

    plain, followed = fetch(store, meeting), fetch(store, meeting, ("participants", "account"))

    assert [str(contact) for contact in plain.participants] == ["Ann Becker", "Luc Dupont"]
    assert [contact.account.country for contact in followed.participants] == ["DE", "FR"]


@pytest.mark.about("statements")
def test_the_number_of_queries_does_not_grow_with_the_number_of_records(
    store: CrmStore, refs: dict[str, Ref]
) -> None:
    meetings = [ref for name, ref in refs.items() if name.endswith("meeting")]
    paths = frozenset({("contact", "account"), ("opportunity", "account"), ("owner",)})
    counts = []

    for some in (meetings[:1], meetings):
        said: list[str] = []
        note = lambda *args, said=said: said.append(args[2])  # noqa: E731
        sqlalchemy_event.listen(store._engine, "before_cursor_execute", note)
        with store.unit(write=False) as unit:
            assert len(unit.records.fetch(some, paths)) == len(some)
        sqlalchemy_event.remove(store._engine, "before_cursor_execute", note)
        counts.append(len([one for one in said if one.lstrip().startswith("SELECT")]))

    assert counts[0] == counts[1] == 7


def test_moments_come_back_aware_in_utc_to_the_microsecond(store: CrmStore) -> None:
    in_berlin = datetime(2026, 7, 1, 12, 0, 0, 1, tzinfo=ZoneInfo("Europe/Berlin"))
    in_nepal = datetime(2026, 7, 1, 12, 0, tzinfo=timezone(timedelta(hours=5, minutes=45)))

    meeting = fetch(store, create(store, "activity", {**MEETING, "start": in_berlin, "end": in_nepal}))

    assert meeting.start == in_berlin
    assert (meeting.start.tzinfo, meeting.start.isoformat()) == (UTC, "2026-07-01T10:00:00.000001+00:00")
    assert meeting.end.isoformat() == "2026-07-01T06:15:00+00:00"


def test_money_is_kept_to_the_cent(store: CrmStore) -> None:
    opportunity = fetch(store, create(store, "opportunity", {"name": "Big", "amount": 1234567890.123}))

    assert opportunity.amount == 1234567890.12
    assert find(store, "opportunity", {"amount": 1234567890.12}) == [opportunity]


# --- find


def test_records_are_found_by_the_values_of_their_fields(store: CrmStore, refs: dict[str, Ref]) -> None:
    found = find(store, "contact", {"account": refs["acme"], "language": "de", "opt_out": False})

    assert [contact.name for contact in found] == ["Ann Becker", "Jonas Weiß"]


@pytest.mark.parametrize(
    ("entity", "where", "count"),
    [
        ("contact", {"id": (1, 2, 999)}, 2),
        ("contact", {"email": "ANN.BECKER@acme.example"}, 1),
        ("contact", {"emails": "ann.becker@acme.example"}, 1),
        ("contact", {"email": None}, 1),
        ("contact", {"phone": "+1 (503) 555-0111"}, 1),
        ("contact", {"account": None}, 1),
        ("contact", {"language": ("fr", "fr-BE")}, 2),
        ("contact", {"language": ()}, 0),
        ("contact", {"email": ("luc.dupont@lumiere.example", None)}, 2),
        ("user", {"team": "sales-ops"}, 2),
        ("opportunity", {"is_open": True}, 6),
        ("opportunity", {"is_open": (True, False)}, 8),
        ("opportunity", {"amount": None}, 1),
        ("opportunity", {"amount": 23500.5}, 1),
        ("opportunity", {"stage": "won", "currency": "USD"}, 1),
        ("activity", {"is_meeting": True}, 6),
        ("activity", {"is_meeting": False}, 4),
        ("activity", {"category": "call"}, 2),
        ("activity", {"opportunity": None}, 2),
        ("activity", {"due": NOW.replace(minute=0) + timedelta(days=1)}, 1),
        ("activity", {}, 10),
    ],
)  # fmt: skip
def test_fields_of_every_kind_can_be_searched(
    store: CrmStore, refs: dict[str, Ref], entity: str, where: dict[str, Any], count: int
) -> None:
    assert len(find(store, entity, where)) == count


def test_activities_are_found_by_what_they_are_connected_to(store: CrmStore, refs: dict[str, Ref]) -> None:
    by_ref = find(store, "activity", {"contact": refs["ann"]})
    by_record = find(store, "activity", {"opportunity": fetch(store, refs["press_line"])})
    by_participant = find(store, "activity", {"participants": refs["ann"]})

    assert {str(one) for one in (*by_ref, *by_record, *by_participant)} == {"Press line: the offer"}


def test_found_records_are_ordered_and_limited_and_those_without_a_value_come_last(
    store: CrmStore, refs: dict[str, Ref]
) -> None:
    up = find(store, "opportunity", {}, order="amount")
    down = find(store, "opportunity", {}, order="-amount", limit=3)

    assert [one.amount for one in up][-2:] == [4200000, None]
    assert [str(one) for one in down] == ["Tea import", "Street lamps for Lille", "Press line for plant 2"]


@pytest.mark.parametrize(
    ("entity", "where", "order", "message"),
    [
        ("contact", {"emial": "x"}, "", "contact has no field 'emial'"),
        ("user", {"mailbox": "x"}, "", "cannot be searched by user.mailbox"),
        ("contact", {}, "account", "cannot be put in order by contact.account"),
        ("contact", {}, "colour", "contact has no field 'colour'"),
        ("planet", {}, "", "There are no records called 'planet'"),
        ("activity", {"due": datetime(2026, 1, 1)}, "", "has no time zone"),
    ],
)
def test_a_search_that_cannot_be_done_says_why(
    store: CrmStore, entity: str, where: dict[str, Any], order: str, message: str
) -> None:
    with pytest.raises(StoreError, match=message):
        find(store, entity, where, order=order)


# --- create


def test_created_records_come_back_in_the_order_of_the_rows(store: CrmStore) -> None:
    rows = [{"name": f"Contact {number}", "email": f"c{number}@x.example"} for number in range(2_300)]

    with store.unit() as unit:
        made = unit.records.create("contact", rows, ANNA)
        unit.commit()

    with store.unit(write=False) as unit:
        found = unit.records.fetch(made, NO_PATHS)
    assert [found[ref].email for ref in made] == [row["email"] for row in rows]


def test_a_number_is_not_given_twice(store: CrmStore) -> None:
    first = create(store, "contact", {"name": "First"})
    delete(store, first)

    assert create(store, "contact", {"name": "Second"}).id > first.id


@pytest.mark.parametrize(
    ("entity", "values", "message", "hint"),
    [
        ("contact", {"name": "A", "emial": "x"}, "contact has no field 'emial'", "Did you mean 'email'?"),
        ("contact", {}, r"A new contact needs a name \(name\)", ""),
        ("contact", {"name": "A", "emails": ()}, "contact.emails cannot be written", ""),
        ("contact", {"name": "A", "email": "not an address"}, "is not an e-mail address", ""),
        ("contact", {"name": "A", "timezone": "Berlin"}, "no time zone 'Berlin'. Did you mean 'Europe/Berlin'", ""),
        ("contact", {"name": "A", "language": "German!"}, "is not a language", "Write it as en or pt-BR."),
        ("contact", {"name": "A", "account": Ref("account", 77)}, "account:77 does not exist", ""),
        ("contact", {"name": "A", "account": Ref("user", 1)}, "needs a account, and user:1 is none", ""),
        ("contact", {"name": 7}, "contact.name needs a text, and got int '7'", ""),
        ("opportunity", {"name": "A", "amount": True}, "opportunity.amount needs a number", ""),
        ("opportunity", {"name": "A", "amount": float("nan")}, "nan is not an amount of money", ""),
        ("opportunity", {"name": "A", "close_date": NOW}, "needs a date, and got datetime", ""),
        ("opportunity", {"name": "A", "stage": "wonn"}, "opportunity.stage cannot be 'wonn'", "Did you mean 'won'?"),
        ("opportunity", {"name": "A", "close_date": "soon"}, "needs a date, and 'soon' is none", ""),
        ("activity", {**MEETING, "category": "meting"}, "There is no category 'meting'", "Did you mean 'meeting'?"),
        ("activity", {**MEETING, "start": datetime(2026, 1, 1)}, "has no time zone", ""),
        ("activity", {**MEETING, "status": ""}, "activity.status cannot be empty", ""),
        ("planet", {}, "There are no records called 'planet'", ""),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_saved_says_why(
    store: CrmStore, entity: str, values: dict[str, Any], message: str, hint: str
) -> None:
    with pytest.raises(StoreError, match=message) as refused:
        create(store, entity, values)

    assert refused.value.hint == hint
    assert new_events(store) == []


def test_a_second_user_of_one_address_is_refused_in_plain_words(store: CrmStore) -> None:
    create(store, "user", {"name": "Eve", "email": "eve@us.example"})

    with pytest.raises(StoreError, match="Another user has the same email"):
        create(store, "user", {"name": "Eve", "email": "eve@us.example"})


def test_written_dates_are_read(store: CrmStore) -> None:
    ref = create(store, "opportunity", {"name": "A", "close_date": "2026-06-30"})
    meeting = create(store, "activity", {**MEETING, "start": "2026-03-06T10:00+01:00"})

    assert fetch(store, ref).close_date == date(2026, 6, 30)
    assert fetch(store, meeting).start == datetime(2026, 3, 6, 9, 0, tzinfo=UTC)


def test_an_activity_is_connected_to_its_fields_and_to_what_else_is_named(
    store: CrmStore, refs: dict[str, Ref]
) -> None:
    values = {**MEETING, "contact": refs["ann"]}

    with store.unit() as unit:
        (ref,) = unit.records.create("activity", [values], ANNA, [[refs["luc"], refs["acme"], refs["ann"]]])
        unit.commit()

    meeting = fetch(store, ref)
    assert (str(meeting.contact), str(meeting.account)) == ("Ann Becker", "Acme GmbH")
    assert {str(contact) for contact in meeting.participants} == {"Ann Becker", "Luc Dupont"}


def test_an_activity_connected_to_an_activity_is_connected_to_what_that_one_is(
    store: CrmStore, refs: dict[str, Ref]
) -> None:
    with store.unit() as unit:
        (ref,) = unit.records.create("activity", [MEETING], ANNA, [[refs["press_meeting"]]])
        unit.commit()

    meeting = fetch(store, ref)
    assert (str(meeting.contact), str(meeting.opportunity)) == ("Ann Becker", "Press line for plant 2")


def test_an_activity_cannot_be_connected_to_a_user(store: CrmStore, refs: dict[str, Ref]) -> None:
    with store.unit() as unit, pytest.raises(StoreError, match="cannot be connected to user:1"):
        unit.records.create("activity", [MEETING], ANNA, [[refs["anna"]]])


def test_only_activities_are_connected_to_records(store: CrmStore, refs: dict[str, Ref]) -> None:
    with store.unit() as unit:
        (made,) = unit.records.create("account", [{"name": "A"}], ANNA, [()])
        with pytest.raises(
            StoreError, match="Only activities are connected to records, a new account is not"
        ):
            unit.records.create("account", [{"name": "A"}], ANNA, [[refs["ann"]]])
        with pytest.raises(StoreError, match="2 records cannot be connected to 1 lists"):
            unit.records.create("activity", [MEETING, MEETING], ANNA, [[refs["ann"]]])

    assert made.entity == "account"


# --- update


def test_values_that_are_equal_already_are_no_change(store: CrmStore, refs: dict[str, Ref]) -> None:
    before = fetch(store, refs["press_meeting"])
    last = last_event(store)
    same = {"subject": before.subject, "start": before.start, "contact": refs["ann"], "category": "Meeting"}

    update(store, refs["press_meeting"], same)
    update(
        store, refs["ann"], {"email": "ann.becker@acme.example", "opt_out": False, "account": refs["acme"]}
    )
    update(store, refs["spare_parts"], {"amount": 23500.50})

    assert new_events(store, after=last) == []
    assert fetch(store, refs["press_meeting"]).modified_at == before.modified_at


VALUES: dict[tuple[str, str], list[Any]] = {
    ("contact", "email"): ["ann.becker@acme.example", "Ann.Becker@acme.example", " ann.becker@acme.example ", "a@x.example"],
    ("contact", "phone"): ["+49 89 1", "+49891", " +49 89 1"],
    ("contact", "name"): ["Ann Becker", "Ann Becker ", "Ann\0 Becker", "Else"],
    ("contact", "opt_out"): [True, False],
    ("contact", "account"): ["acme", "kiwi", None],
    ("opportunity", "amount"): [1, 1.004, 1.006, None],
    ("opportunity", "close_date"): ["2026-06-30", date(2026, 6, 30), date(2026, 7, 1), None],
    ("opportunity", "contact"): ["ann", "tom", None],
    ("activity", "category"): ["meeting", "Meeting", "call", ""],
    ("activity", "start"): ["2026-03-06T10:00+01:00", datetime(2026, 3, 6, 9, tzinfo=UTC), "2026-03-06T10:00Z", None],
    ("activity", "contact"): ["ann", "tom", None],
    ("activity", "opportunity"): ["press_line", None],
}  # fmt: skip
"""Different ways to write the same, and others, of fields of every kind; a text of a reference is a nickname."""


@st.composite
def some_changes(draw: st.DrawFn) -> list[tuple[str, dict[str, Any]]]:
    """Changes of a few records, `(nickname, values)`, some of the same record and field."""
    changes = []
    for entity in draw(st.lists(st.sampled_from(["contact", "opportunity", "activity"]), max_size=5)):
        fields = {name: st.sampled_from(values) for (of, name), values in VALUES.items() if of == entity}
        changes.append((NICKNAMES[entity], draw(st.fixed_dictionaries({}, optional=fields))))
    return changes


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None)  # fmt: skip
@given(changes=some_changes())
def test_the_answer_names_exactly_the_fields_that_read_differently_afterwards(
    store: CrmStore, refs: dict[str, Ref], changes: list[tuple[str, dict[str, Any]]]
) -> None:
    meant = [(refs[name], {k: refs.get(v, v) if isinstance(v, str) else v for k, v in values.items()})
             for name, values in changes]  # fmt: skip
    seen, one_by_one = [], []

    with store.unit() as unit:  # not committed
        at_once = unit.records.update(meant, ANNA)
    with store.unit() as unit:  # not committed
        for ref, values in meant:
            before = fields_of(unit.records.fetch([ref], NO_PATHS)[ref])
            one_by_one += unit.records.update([(ref, values)], ANNA)
            after = fields_of(unit.records.fetch([ref], NO_PATHS)[ref])
            seen.append({name for name in values if before[name] != after[name]})

    assert at_once == one_by_one
    assert [set(names) for names in at_once] == seen


def test_the_event_of_a_change_names_what_changed_and_who_did_it(
    store: CrmStore, refs: dict[str, Ref], clock: Any
) -> None:
    last, later = last_event(store), clock.forward(timedelta(hours=1))
    values = {"subject": "Other", "status": "planned", "contact": refs["jonas"]}

    update(store, refs["press_meeting"], values, PROCESS)

    (event,) = new_events(store, after=last)
    assert (event.type, event.ref, event.at) == ("modified", refs["press_meeting"], later)
    assert (set(event.changed), event.origin) == ({"subject", "contact"}, "notify")
    assert fetch(store, refs["press_meeting"]).modified_at == later


def test_the_events_of_people_have_no_origin(store: CrmStore) -> None:
    create(store, "contact", {"name": "A"})

    (event,) = new_events(store)
    assert (event.type, event.origin, event.changed) == ("added", "", ())


def test_many_records_change_at_once_and_each_has_its_event(store: CrmStore, refs: dict[str, Ref]) -> None:
    last = last_event(store)
    changes = [
        (refs["ann"], {"job_title": "Boss"}),
        (refs["luc"], {"job_title": "Chef", "country": "BE"}),
        (refs["press_line"], {"stage": "won"}),
        (refs["ann"], {"language": "en"}),
    ]

    with store.unit() as unit:
        unit.records.update(changes, ANNA)
        unit.commit()

    events = {event.ref: set(event.changed) for event in new_events(store, after=last)}
    assert events == {
        refs["ann"]: {"job_title", "language"},
        refs["luc"]: {"job_title", "country"},
        refs["press_line"]: {"stage"},
    }
    assert (fetch(store, refs["ann"]).job_title, fetch(store, refs["ann"]).language) == ("Boss", "en")


def test_another_contact_takes_the_place_of_an_activity_s_own(store: CrmStore, refs: dict[str, Ref]) -> None:
    with store.unit() as unit:
        (ref,) = unit.records.create("activity", [MEETING], ANNA, [[refs["ann"], refs["luc"], refs["nora"]]])
        unit.commit()

    update(store, ref, {"contact": refs["nora"]})

    meeting = fetch(store, ref)
    assert meeting.contact == fetch(store, refs["nora"])
    assert {str(contact) for contact in meeting.participants} == {"Nora Williams", "Luc Dupont"}


def test_an_activity_gets_its_first_contact_and_keeps_it(store: CrmStore, refs: dict[str, Ref]) -> None:
    update(store, refs["clean_up"], {"contact": refs["ann"], "account": refs["acme"]})
    update(store, refs["clean_up"], {"contact": refs["ann"], "status": "done"})

    task = fetch(store, refs["clean_up"])
    assert (str(task.contact), str(task.account), task.participants) == (
        "Ann Becker",
        "Acme GmbH",
        (task.contact,),
    )
    assert [event.changed for event in new_events(store)[-2:]] == [("contact", "account"), ("status",)]


def test_an_activity_can_lose_its_contact(store: CrmStore, refs: dict[str, Ref]) -> None:
    update(store, refs["press_meeting"], {"contact": None})

    assert fetch(store, refs["press_meeting"]).contact is None
    assert new_events(store)[-1].changed == ("contact",)


def add_address(store: CrmStore | MemoryStore, contact: Ref, address: str, *, position: int) -> None:
    """As an import from elsewhere may: a field holds the primary one only."""
    row = row_of(contact.id, "email", address, position)
    if isinstance(store, MemoryStore):
        with store.unit() as unit:
            unit._tables.insert("contact_address", [row])
            unit.commit()
        return
    with store._engine.begin() as connection:
        connection.execute(insert(contact_address).values(row))


def test_a_new_address_replaces_the_primary_one_and_a_known_one_moves_to_the_front(
    store: CrmStore, refs: dict[str, Ref]
) -> None:
    update(store, refs["ann"], {"email": "ann@private.example"})
    assert fetch(store, refs["ann"]).emails == ("ann@private.example",)

    add_address(store, refs["ann"], "Ann@Home.example", position=5)
    update(store, refs["ann"], {"email": "ann@home.example"})
    assert fetch(store, refs["ann"]).emails == ("ann@home.example", "ann@private.example")
    assert find(store, "contact", {"email": "ann@private.example"}) == []
    assert [str(one) for one in find(store, "contact", {"emails": "ANN@private.example"})] == ["Ann Becker"]

    update(store, refs["ann"], {"email": ""})
    assert fetch(store, refs["ann"]).emails == ("ann@private.example",)

    update(store, refs["ann"], {"email": ""})
    assert (fetch(store, refs["ann"]).email, fetch(store, refs["ann"]).emails) == ("", ())


def test_a_required_field_cannot_be_emptied(store: CrmStore, refs: dict[str, Ref]) -> None:
    with pytest.raises(StoreError, match="name cannot be empty"):
        update(store, refs["ann"], {"name": ""})


def test_a_record_that_is_gone_cannot_be_changed_or_deleted(store: CrmStore) -> None:
    with pytest.raises(StoreError, match="contact:404 does not exist any more"):
        update(store, Ref("contact", 404), {"name": "A"})
    with pytest.raises(StoreError, match="contact:404 does not exist any more"):
        delete(store, Ref("contact", 404))


def test_a_record_cannot_be_deleted_twice_not_even_at_once(store: CrmStore, refs: dict[str, Ref]) -> None:
    with pytest.raises(StoreError, match=r"activity:\d+ does not exist any more"):
        delete(store, refs["clean_up"], refs["call_tom"], refs["clean_up"])

    assert fetch(store, refs["clean_up"]).subject


@pytest.mark.parametrize("entity", SCHEMA.entities)
def test_records_of_every_kind_have_a_history(store: CrmStore, refs: dict[str, Ref], entity: str) -> None:
    ref = refs[NICKNAMES[entity]]

    with store.unit() as unit:
        unit.history.append([HistoryRow(ref, NOW, ANNA, "note", "Called")])
        assert [row.text for row in unit.history.of(ref)] == ["Called"]


def test_the_history_of_what_is_no_record_is_refused(store: CrmStore) -> None:
    with (
        store.unit(write=False) as unit,
        pytest.raises(StoreError, match="no records called 'contcat'") as no,
    ):
        unit.history.of(Ref("contcat", 1))

    assert no.value.hint == "Did you mean 'contact'?"


# --- delete


def test_the_event_of_a_deletion_holds_the_last_values(store: CrmStore, refs: dict[str, Ref]) -> None:
    before = fields_of(fetch(store, refs["press_meeting"]))

    delete(store, refs["press_meeting"])

    event = new_events(store)[-1]
    gone = Record(refs["press_meeting"], from_json(event.payload))
    assert (event.type, event.ref) == ("deleted", refs["press_meeting"])
    assert fields_of(gone) == before
    assert str(gone.contact) == "Ann Becker"


def test_a_record_that_others_need_cannot_be_deleted(store: CrmStore, refs: dict[str, Ref]) -> None:
    with pytest.raises(StoreError, match=r"account:1 cannot be deleted: it is the account of \w+:\d+"):
        delete(store, refs["acme"])
    with pytest.raises(StoreError, match="it is the contact of opportunity:1"):
        delete(store, refs["ann"])


def test_a_contact_of_activities_can_be_deleted_and_the_activities_stay(
    store: CrmStore, refs: dict[str, Ref]
) -> None:
    delete(store, refs["pat"])

    meeting = fetch(store, refs["warehouse_meeting"])
    assert (meeting.contact, meeting.participants) == (None, ())


def test_the_history_of_a_deleted_activity_stays_with_what_it_was_connected_to(
    store: CrmStore, refs: dict[str, Ref]
) -> None:
    meeting = refs["press_meeting"]
    rows = [
        HistoryRow(refs["press_line"], NOW, ANNA, "created", "Created meeting", meeting.id),
        HistoryRow(meeting, NOW, ANNA, "note", "Bring samples"),
    ]
    with store.unit() as unit:
        unit.history.append(rows)
        unit.commit()

    delete(store, meeting)

    with store.unit(write=False) as unit:
        texts = {
            name: [row.text for row in unit.history.of(refs[name])] for name in ("press_line", "ann", "acme")
        }
    assert all(sorted(lines) == ["Bring samples", "Created meeting"] for lines in texts.values())


@pytest.mark.parametrize("state", ["held", "queued", "sending", "unknown"])
def test_an_e_mail_on_its_way_cannot_be_deleted(store: CrmStore, state: MailState) -> None:
    mail = SendMail("<1@us.example>", Recipient("a@us.example"), (Recipient("b@x.example"),), "Hi", "text")
    with store.unit() as unit:
        (envelope,) = unit.outbox.queue([QueuedMail(mail, b"", ANNA, state=state)], NOW)
        unit.commit()

    with pytest.raises(StoreError, match=f"it is an e-mail that is {state}"):
        delete(store, Ref("activity", envelope.activity))


# --- the database's own rules


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("UPDATE activity SET status = 'lost' WHERE id = 1", "The rule 'status' of activity does not hold"),
        (
            "INSERT INTO participant (activity_id, address, role, response) VALUES (1, '', '', '')",
            "The rule 'someone'",
        ),
        (
            "UPDATE contact SET account_id = 99 WHERE id = 1",
            "A record that this one refers to does not exist",
        ),
        ("UPDATE email_message SET activity_id = 99", "A record that this one refers to does not exist"),
        (
            "INSERT INTO category (name, is_meeting) VALUES ('call', false)",
            "Another category has the same name",
        ),
        ("INSERT INTO category (is_meeting) VALUES (false)", "The database refused the change: "),
    ],
)
@pytest.mark.about("constraints")
def test_what_breaks_a_rule_of_the_database_is_refused_in_plain_words(
    store: CrmStore, refs: dict[str, Ref], statement: str, message: str
) -> None:
    mail = SendMail("<1@us.example>", Recipient("a@us.example"), (Recipient("b@x.example"),), "Hi", "text")

    with pytest.raises(StoreError, match=message), store.unit() as unit:  # noqa: PT012 - some are found at commit
        unit.outbox.queue([QueuedMail(mail, b"", ANNA)], NOW)
        unit._connection.execute(text(statement))
        unit.commit()

    assert find(store, "activity", {"type": "email"}) == []


@pytest.mark.about("statements")
def test_a_value_that_the_driver_or_an_index_cannot_take_is_refused_and_not_the_database_s_fault(
    store: CrmStore, refs: dict[str, Ref]
) -> None:
    """Or an engine would wait for a database that is well, again and again."""
    endless = "".join(random.Random(1).choices(string.ascii_letters, k=20_000))
    values: list[Any] = [object()] if store._engine.dialect.name == "sqlite" else [object(), endless, "\0"]

    for value in values:
        with pytest.raises(StoreError, match="The database refused a value: "), store.unit() as unit:
            unit._connection.execute(text("UPDATE contact SET name = :name"), {"name": value})

    assert fetch(store, refs["ann"]).name == "Ann Becker"


@pytest.mark.about("connections")
def test_a_unit_that_finds_no_free_connection_may_be_tried_again(store: CrmStore) -> None:
    pool = store._engine.pool
    assert isinstance(pool, QueuePool)
    pool._timeout = 0.01

    with ExitStack() as stack:
        for _ in range(30):
            stack.enter_context(store.unit(write=False))

        with pytest.raises(TemporaryError, match="All connections to the database are in use"):
            stack.enter_context(store.unit(write=False))


def test_a_new_store_has_the_same_categories(store: CrmStore | MemoryStore) -> None:
    with store.unit(write=False) as unit:
        assert unit.records.categories() == ("call", "meeting", "paperwork", "to do")


# --- units


def test_a_unit_that_is_not_committed_leaves_neither_the_change_nor_its_event(store: CrmStore) -> None:
    with store.unit() as unit:
        unit.records.create("contact", [{"name": "Nobody"}], ANNA)

    assert find(store, "contact", {}) == []
    assert new_events(store) == []


def test_a_unit_that_fails_leaves_nothing(store: CrmStore, refs: dict[str, Ref]) -> None:
    last = last_event(store)

    with store.unit() as unit:
        unit.records.update([(refs["ann"], {"job_title": "Boss"})], ANNA)
        with pytest.raises(StoreError):
            unit.records.delete([refs["acme"]], ANNA)

    assert fetch(store, refs["ann"]).job_title == "Head of Purchasing"
    assert new_events(store, after=last) == []


def test_a_unit_inside_a_unit_is_rolled_back_by_itself(store: CrmStore, refs: dict[str, Ref]) -> None:
    with store.unit() as unit:
        unit.records.update([(refs["ann"], {"job_title": "Boss"})], ANNA)
        with unit.nested() as kept:
            kept.records.update([(refs["luc"], {"job_title": "Chef"})], ANNA)
            kept.commit()
        with unit.nested() as not_committed:
            not_committed.records.update([(refs["luc"], {"job_title": "Nobody"})], ANNA)
        with pytest.raises(StoreError, match="Another user has the same email"), unit.nested() as failed:
            failed.records.create("user", [{"name": "A", "email": "anna.berg@us.example"}], ANNA)
        unit.records.update([(refs["nora"], {"job_title": "Last"})], ANNA)
        unit.commit()

    assert [fetch(store, refs[name]).job_title for name in ("ann", "luc", "nora")] == ["Boss", "Chef", "Last"]


def test_what_a_unit_inside_a_unit_committed_goes_with_the_outer_one(
    store: CrmStore, refs: dict[str, Ref]
) -> None:
    with store.unit() as unit, unit.nested() as inner:
        inner.records.update([(refs["ann"], {"job_title": "Boss"})], ANNA)
        inner.commit()

    assert fetch(store, refs["ann"]).job_title == "Head of Purchasing"


def test_a_unit_that_is_over_does_nothing_more(store: Store) -> None:
    with store.unit() as unit:
        unit.commit()
        with pytest.raises(Exception, match=r"closed|over"):
            unit.records.create("contact", [{"name": "Late"}], ANNA)
    with store.unit() as left:
        pass
    with pytest.raises(Exception, match=r"closed|over"):
        left.records.find("contact", {})

    assert find(store, "contact", {}) == []


def test_a_reading_unit_that_is_committed_takes_nothing_back(store: Store) -> None:
    with store.unit(write=False) as unit:
        unit.records.find("contact", {})
        ref = create(store, "contact", {"name": "Meanwhile"})
        unit.commit()

    assert fetch(store, ref).name == "Meanwhile"


def test_a_reading_unit_stops_nobody_from_writing(store: CrmStore, refs: dict[str, Ref]) -> None:
    with store.unit(write=False) as unit:
        unit.records.find("contact", {"name": "Ann Becker"})
        update(store, refs["ann"], {"job_title": "Boss"})

    assert fetch(store, refs["ann"]).job_title == "Boss"
