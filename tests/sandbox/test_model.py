"""The mailbox model by itself: recurrence, zones, series, tasks, snapshots, and a file to keep it in."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sandbox.actors import ANNA, BEN, PASSWORD, SetClock
from sandbox.client import Client
from sandbox.requirements.schema_walk import schema

from procession.sandbox.ews import fields
from procession.sandbox.mailbox import mime, posting
from procession.sandbox.mailbox.changes import ChangeLog, Cursor
from procession.sandbox.mailbox.contents import add_mail, add_meeting, fill
from procession.sandbox.mailbox.items import Draft
from procession.sandbox.mailbox.recurrence import days
from procession.sandbox.mailbox.words import Body, Pattern, PropertyName, Recurrence, Refused
from procession.sandbox.mailbox.world import World
from procession.sandbox.mailbox.zones import rules, windows, zone
from procession.sandbox.server import Listening, Sandbox


def world() -> World:
    made = World(SetClock())
    made.add_user(ANNA, PASSWORD)
    made.add_user(BEN, PASSWORD)
    return made


@pytest.mark.parametrize(
    ("pattern", "start", "expected"),
    [
        (Pattern("daily", 2), date(2026, 3, 1), ["2026-03-01", "2026-03-03", "2026-03-05"]),
        (
            Pattern("weekly", 1, ("Monday", "Friday"), first_day="Monday"),
            date(2026, 3, 4),
            ["2026-03-06", "2026-03-09", "2026-03-13"],
        ),
        (
            Pattern("weekly", 2, ("Sunday", "Monday"), first_day="Monday"),
            date(2026, 3, 2),
            ["2026-03-02", "2026-03-08", "2026-03-16"],
        ),
        (
            Pattern("weekly", 2, ("Sunday", "Monday"), first_day="Sunday"),
            date(2026, 3, 2),
            ["2026-03-02", "2026-03-15", "2026-03-16"],
        ),
        (
            Pattern("absolute_monthly", 1, day=31),
            date(2026, 1, 31),
            ["2026-01-31", "2026-02-28", "2026-03-31"],
        ),
        (
            Pattern("relative_monthly", 1, ("Weekday",), week="Last"),
            date(2026, 1, 1),
            ["2026-01-30", "2026-02-27", "2026-03-31"],
        ),
        (
            Pattern("relative_monthly", 3, ("Tuesday",), week="Second"),
            date(2026, 1, 1),
            ["2026-01-13", "2026-04-14", "2026-07-14"],
        ),
        (
            Pattern("absolute_yearly", day=29, month=2),
            date(2026, 1, 1),
            ["2026-02-28", "2027-02-28", "2028-02-29"],
        ),
        (
            Pattern("relative_yearly", 1, ("Day",), week="First", month=5),
            date(2026, 6, 1),
            ["2027-05-01", "2028-05-01", "2029-05-01"],
        ),
    ],
)
def test_the_days_of_a_pattern(pattern: Pattern, start: date, expected: list[str]) -> None:
    assert [day.isoformat() for day in days(Recurrence(pattern, start, count=3))] == expected


def test_a_series_ends_on_its_last_day_included() -> None:
    rule = Recurrence(Pattern("daily"), date(2026, 3, 1), end=date(2026, 3, 3))

    assert [day.day for day in days(rule)] == [1, 2, 3]


def test_every_windows_zone_is_known_and_an_unknown_one_is_refused() -> None:
    assert all(zone(name) for name in windows())
    with pytest.raises(Refused, match="The time zone 'Mars' is not known"):
        zone("Mars")


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("Central Standard Time (Mexico)", "America/Mexico_City"),
        ("Central Asia Standard Time", "Asia/Bishkek"),
        ("Qyzylorda Standard Time", "Asia/Qyzylorda"),
        ("AUS Central Standard Time", "Australia/Darwin"),
        ("W. Europe Standard Time", "Europe/Berlin"),
    ],
)
def test_a_zone_of_outlook_is_the_one_of_its_place(name: str, place: str) -> None:
    assert zone(name) == ZoneInfo(place)


def test_every_windows_zone_has_rules() -> None:
    assert all(-13 <= rules(name, 2026).standard / timedelta(hours=1) <= 14 for name in windows())


@pytest.mark.parametrize(
    ("name", "months"),
    [
        ("W. Europe Standard Time", [3, 10]),
        ("New Zealand Standard Time", [4, 9]),
        ("India Standard Time", []),
        ("Lord Howe Standard Time", [4, 10]),
    ],
)
def test_the_rules_of_a_zone(name: str, months: list[int]) -> None:
    assert [shift.month for shift in rules(name, 2026).shifts] == months


def test_every_kind_lists_its_fields_in_the_order_of_the_schema() -> None:
    types = {"item": "ItemType", "message": "MessageType", "event": "CalendarItemType", "contact": "ContactItemType", "task": "TaskType", "list": "DistributionListType", "post": "PostItemType", "meeting_request": "MeetingRequestMessageType", "meeting_response": "MeetingResponseMessageType", "meeting_cancellation": "MeetingCancellationMessageType"}  # fmt: skip

    for kind, name in types.items():
        order = [member for member in schema().members(name) if not member.startswith("@")]
        places = [order.index(field.tag) for field in fields.TABLES[kind]]
        assert places == sorted(places), kind


def test_rolling_back_brings_everything_back_and_no_number_twice() -> None:
    made = world()
    anna = made.mailboxes[ANNA]
    add_mail(anna, "x@elsewhere.test", "Before", "")
    before = made.snapshot()
    later = add_mail(anna, "x@elsewhere.test", "After", "")

    made.rollback(before)
    again = add_mail(made.mailboxes[ANNA], "x@elsewhere.test", "Again", "")

    inbox = made.mailboxes[ANNA].role("inbox")
    assert [item.values["subject"] for item in made.mailboxes[ANNA].contents(inbox)] == ["Before", "Again"]
    assert again.id > later.id


def test_a_snapshot_can_be_gone_back_to_more_than_once() -> None:
    made = world()
    before = made.snapshot()

    for _ in range(2):
        add_mail(made.mailboxes[ANNA], "x@elsewhere.test", "Gone", "")
        made.rollback(before)

    assert made.mailboxes[ANNA].contents(made.mailboxes[ANNA].role("inbox")) == []


def test_a_log_gives_pages_at_the_cost_of_a_page() -> None:
    log = ChangeLog()
    for number in range(1, 1001):
        log.arrived(number, number)

    first = log.page(Cursor(), 10)
    rest = log.page(first.cursor, 2000)

    assert [item for _, item in first.changes] == list(range(1000, 990, -1))
    assert (len(rest.changes), rest.last, first.last) == (990, True, False)
    assert log.page(rest.cursor, 10).changes == ()


def test_mail_for_an_unknown_colleague_comes_back() -> None:
    made = world()
    anna = made.mailboxes[ANNA]
    draft = Draft(
        "message",
        {
            "subject": "Hello",
            "to": (made.named(made.mailboxes[BEN]).__class__("nobody@example.com"),),
            "body": Body("x"),
        },
    )

    posting.send(made, anna, draft, save=None)

    (report,) = anna.contents(anna.role("inbox"))
    assert report.item_class == "REPORT.IPM.Note.NDR"
    assert report.values["subject"] == "Undeliverable: Hello"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no header",
        b"Subject: =?utf-8?q?=FF?=\r\nFrom: <<>>\r\nDate: never\r\nContent-Type: text/plain; charset=nonsense\r\n\r\n\xff",
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x",
    ],
)
def test_any_bytes_are_read_as_a_message(data: bytes) -> None:
    assert mime.read(data).mime == data


def test_a_sample_has_mail_meetings_contacts_and_tasks() -> None:
    made = world()

    fill(made)

    counts = {
        role: len(made.mailboxes[BEN].contents(made.mailboxes[BEN].role(role)))
        for role in ("inbox", "calendar", "contacts", "tasks")
    }
    assert all(counts.values())


def test_a_file_keeps_everything_but_events(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.sqlite"
    first = Sandbox(World(SetClock()), Listening(database=path))
    first.world.add_user(ANNA, PASSWORD)
    first.world.add_user(BEN, PASSWORD)
    with first:
        client = Client(first.endpoints.ews, ANNA, PASSWORD)
        kept, _ = client.note("Kept")
        gone, _ = client.note("Gone")
        state = client.sync().text("//m:SyncState")
        client.delete(gone)
        start = datetime(2026, 3, 4, 9, tzinfo=UTC)
        first.call(
            lambda: add_meeting(
                first.world, first.world.mailboxes[ANNA], "Plan", (start, start + timedelta(hours=1)), [BEN]
            )
        )

    second = Sandbox(World(SetClock()), Listening(database=path))
    with second:
        client = Client(second.endpoints.ews, ANNA, PASSWORD)
        changes = client.sync(state=state)

        assert client.get(kept).subjects() == ["Kept"]
        assert changes.all("//t:Delete/t:ItemId/@Id") == [gone]
        assert client.find("calendar", base="Default").subjects() == ["Plan"]
        assert [line.to for line in second.world.ledger] == [BEN]
        assert client.note("New")[0] not in {kept, gone}


def test_a_file_that_holds_users_is_not_filled_again(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.sqlite"
    for _ in range(2):
        sandbox = Sandbox(World(SetClock()), Listening(database=path))
        if not sandbox.world.mailboxes:
            sandbox.world.add_user(ANNA, PASSWORD)
        with sandbox:
            assert list(sandbox.world.mailboxes) == [ANNA]


def test_a_value_that_many_items_share_costs_no_more_than_one_that_few_do() -> None:
    made = world()
    anna = made.mailboxes[ANNA]
    shared = PropertyName("Boolean", set_id="7b2a1b0e-2c1d-4b3f-9d8e-6a5b4c3d2e1f", name="Ours")

    for _ in range(20_000):
        anna.add(anna.role("inbox"), "message", {"subject": "x"}, extended={shared: "true"})

    assert len(anna.identities.find(shared, "true")) == 20_000
