"""The calendar file of a meeting, read back by icalendar, and its zones by dateutil."""

from datetime import UTC, date, datetime, timedelta
from io import StringIO
from zoneinfo import ZoneInfo

import mail_world as world
import pytest
from dateutil.tz import tzical
from icalendar import Calendar, Event, Timezone

from procession.effects import Attachment, Recipient
from procession.errors import PermanentError
from procession.mail import Templates, invitation
from procession.mail.vtimezone import vtimezone
from procession.records import Record, fields_of

ANNA, ANN = Recipient("anna@us.example", "Anna Berg"), Recipient("ann@acme.example", "Ann Becker")


def invite(meeting: Record, *to: Recipient) -> Attachment:
    return invitation(meeting, sender=ANNA, to=to or (ANN,))


def event(file: Attachment) -> Event:
    [found] = Calendar.from_ical(file.content).walk("VEVENT")
    assert isinstance(found, Event)
    return found


def test_it_says_what_when_where_and_who() -> None:
    file = invite(world.activity(subject="Kick-off; größer, besser", location="Werk 2\nMünchen"))

    found = event(file)
    assert (file.name, file.media_type, file.parameters) == (
        "invitation.ics", "text/calendar", {"method": "REQUEST", "charset": "utf-8"},
    )  # fmt: skip
    assert found["summary"] == "Kick-off; größer, besser"
    assert found["location"] == "Werk 2\nMünchen"
    assert b"Bring <tea>." not in file.content
    assert found.start == datetime(2026, 3, 6, 10, tzinfo=ZoneInfo("Europe/Berlin"))
    assert found.end - found.start == timedelta(minutes=90)
    assert found["organizer"] == "mailto:anna@us.example"
    assert found["organizer"].params["CN"] == "Anna Berg"
    assert found["attendee"] == "mailto:ann@acme.example"
    assert found["attendee"].params["RSVP"] == "TRUE"
    assert found["status"] == "CONFIRMED"


def test_lines_are_short_and_end_in_crlf() -> None:
    content = invite(world.activity(subject="ä" * 300)).content

    assert content.endswith(b"END:VCALENDAR\r\n")
    assert max(map(len, content.split(b"\r\n"))) <= 75


def test_a_changed_meeting_keeps_its_uid_and_raises_its_sequence() -> None:
    new = event(invite(world.activity()))
    moved = event(invite(world.activity(modified_at=world.START + timedelta(hours=1))))

    assert new["uid"] == moved["uid"] == world.UID
    assert (int(new["sequence"]), int(moved["sequence"])) == (0, 3600)


@pytest.mark.parametrize("address", ["anna@us.example", "bob@uk.example", "crm@elsewhere.example"])
def test_the_uid_is_that_of_the_record_whoever_sends_it(address: str) -> None:
    file = invitation(world.activity(), sender=Recipient(address, "Anna"), to=[ANN])

    assert event(file)["uid"] == world.UID


def test_a_uid_from_outside_is_kept_as_it_is() -> None:
    outside = "040000008200E00074C5B7101A82E008;X=1,\\n@Exchange"

    assert event(invite(world.activity(uid=outside)))["uid"] == outside


def test_a_meeting_that_version_0_1_wrote_down_keeps_the_uid_that_it_sent() -> None:
    """The last values of a record that was deleted, kept in an event or an instance: they know of no UID."""
    kept = Record(
        world.Ref("activity", 17), {n: v for n, v in fields_of(world.activity()).items() if n != "uid"}
    )

    assert event(invite(kept))["uid"] == "activity-17@us.example"


def test_an_e_mail_has_no_uid_so_nobody_can_be_invited_to_it() -> None:
    with pytest.raises(PermanentError, match=r"^activity:17 has no calendar UID: it is an e-mail$"):
        invite(world.activity(type="email", uid=""))


def test_a_cancelled_meeting_is_taken_out_of_the_calendar() -> None:
    file = invite(world.activity(status="cancelled"))

    assert file.parameters["method"] == "CANCEL"
    assert event(file)["status"] == "CANCELLED"


def test_without_anyone_to_ask_it_is_for_information() -> None:
    assert invitation(world.activity(), sender=ANNA, to=()).parameters["method"] == "PUBLISH"


@pytest.mark.parametrize(("days", "end"), [(1, date(2026, 3, 7)), (3, date(2026, 3, 9))])
def test_an_all_day_meeting_has_days_and_no_times(days: int, end: date) -> None:
    midnight = datetime(2026, 3, 6, tzinfo=ZoneInfo("Europe/Berlin")).astimezone(UTC)

    file = invite(world.activity(all_day=True, start=midnight, end=midnight + timedelta(days=days)))

    found = event(file)
    assert (found["dtstart"].dt, found["dtend"].dt) == (date(2026, 3, 6), end)
    assert b"VTIMEZONE" not in file.content


@pytest.mark.parametrize("end", [None, world.START, world.START - timedelta(hours=1)])
def test_a_meeting_without_a_later_end_has_none_in_the_calendar(end: datetime | None) -> None:
    found = event(invite(world.activity(end=end)))

    assert "dtend" not in found


def test_the_zone_is_the_owners_where_the_meeting_has_none() -> None:
    owner = Record(world.Ref("user", 1), {"name": "Bob", "timezone": "America/New_York"})

    file = invite(world.activity(timezone=None, owner=owner))

    assert b"DTSTART;TZID=America/New_York:20260306T040000\r\n" in file.content


def test_a_meeting_in_utc_needs_no_description_of_its_zone() -> None:
    content = invite(world.activity(timezone=None)).content

    assert b"DTSTART:20260306T090000Z\r\n" in content
    assert b"VTIMEZONE" not in content


def test_a_meeting_without_a_start_invites_nobody() -> None:
    with pytest.raises(PermanentError, match=r"^activity:17 has no start, so nobody can be invited to it$"):
        Templates.of_files({}).invitation(world.activity(start=None), sender=ANNA, to=(ANN,))


@pytest.mark.parametrize("name", ["Ann\r\nX-EVIL:1", 'Ann "the boss"', "Ann;CN=Eve:mailto:eve@evil.example"])
def test_a_name_cannot_break_out_of_its_line(name: str) -> None:
    file = invite(world.activity(subject=name, location=name), Recipient("ann@acme.example", name))

    found = event(file)
    assert found["attendee"] == "mailto:ann@acme.example"
    assert "X-EVIL" not in found


ZONES = (
    "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Australia/Sydney", "Australia/Lord_Howe", "Asia/Kolkata",
    "Africa/Casablanca", "Europe/Dublin", "Pacific/Norfolk", "Asia/Tehran", "America/Asuncion",
)  # fmt: skip


@pytest.mark.parametrize("name", ZONES)
def test_a_zone_is_described_as_it_is_all_through_the_year(name: str) -> None:
    described = Timezone.from_ical(vtimezone(name, 2026))

    zone = tzical(StringIO(described.to_ical().decode())).get(name)
    moments = [datetime(2026, 1, 1, 4) + timedelta(hours=6 * step) for step in range(1459)]
    assert [moment.replace(tzinfo=zone).utcoffset() for moment in moments] == [
        moment.replace(tzinfo=ZoneInfo(name)).utcoffset() for moment in moments
    ]


def test_a_zone_with_a_yearly_change_has_one_rule_each_way() -> None:
    described = Timezone.from_ical(vtimezone("Europe/Berlin", 2026))

    assert [part.name for part in described.subcomponents] == ["DAYLIGHT", "STANDARD"]
    assert [part["rrule"].to_ical() for part in described.subcomponents] == [
        b"FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3",
        b"FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10",
    ]


@pytest.mark.parametrize("name", ["UTC", "", "Mars/Olympus"])
def test_utc_is_not_described(name: str) -> None:
    assert vtimezone(name, 2026) == b""
