"""Every mail we ship, in every language, for readers in several zones."""

import re
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import mail_world as world
import pytest

from procession.effects import Recipient
from procession.mail import Templates
from procession.mail.invitation import invitation
from procession.records import fields_of
from procession.steps.recipients import sender as sender_of

TEMPLATES = Templates(world.SHIPPED)
EVERY = [
    (name, language)
    for name in TEMPLATES.names()
    for language in ("en-US", "en-GB", *TEMPLATES.languages(name))
]
ZONES = ("Europe/Berlin", "America/Los_Angeles", "Asia/Kolkata", "Pacific/Auckland", "")


def test_the_mails_are_there_in_their_languages() -> None:
    assert {name: TEMPLATES.languages(name) for name in TEMPLATES.names()} == {
        "meeting_cancelled": ("de", "fr"),
        "meeting_moved": ("de", "fr"),
        "meeting_new": ("de", "fr"),
        "meeting_reminder": ("de", "fr"),
        "opportunity_won_thanks": ("de",),
        "proposal_follow_up": ("de",),
        "reply_reminder": ("de",),
        "task_assigned": ("de",),
        "welcome_contact": ("de",),
    }


@pytest.mark.parametrize("name", TEMPLATES.names())
def test_nothing_is_wrong_with_it(name: str) -> None:
    assert [str(problem) for problem in TEMPLATES.problems(name, world.SCOPE)] == []


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(("name", "language"), EVERY)
def test_it_is_written_in_full(name: str, language: str, zone: str) -> None:
    mail = TEMPLATES.render(name, world.names(), language=language, timezone=zone)

    assert mail.language == language
    assert mail.subject == " ".join(mail.subject.split()) != ""
    assert mail.text.endswith("\n")
    assert "\n\n\n" not in mail.text
    assert max(map(len, mail.text.splitlines())) <= 80
    for text in (mail.subject, mail.text, mail.html):
        assert not re.search(r"\{[{%#]|[#%}]\}|None|<Record|activity:17|\u202f|\u2009", text)
    assert "<Press line" not in mail.html
    assert "class=" in mail.html
    assert 'style="' in mail.html


@pytest.mark.parametrize(
    "changes",
    [{}, {"all_day": True}, {"timezone": "Asia/Tokyo"}, {"location": "https://meet.example/" + "x" * 90}],
)
@pytest.mark.parametrize(("name", "language"), EVERY)
def test_it_is_written_when_little_is_known(name: str, language: str, changes: dict[str, Any]) -> None:
    bare = world.bare(**changes)
    opportunity = world.Record(world.Ref("opportunity", 9), {
        "name": "Deal", "amount": None, "currency": None, "close_date": None, "contact": bare.contact, "owner": bare.owner,
    })  # fmt: skip
    contact = world.Record(world.Ref("contact", 5), {
        "name": "Pat", "salutation": None, "first_name": None, "last_name": None, "account": None, "owner": bare.owner,
    })  # fmt: skip

    mail = TEMPLATES.render(
        name, world.names(meeting=bare, task=bare, email=bare, opportunity=opportunity, contact=contact, recipient={"name": "Pat", "email": ""}),
        language=language, timezone="Europe/Berlin",
    )  # fmt: skip

    assert "None" not in mail.subject + mail.text + mail.html


@pytest.mark.parametrize(("name", "language"), EVERY)
def test_the_sender_signs_what_belongs_to_nobody(name: str, language: str) -> None:
    nobodys = world.activity(owner=None, opportunity=None, end=None, location=None)
    opportunity = world.Record(world.Ref("opportunity", 9), {**fields_of(world.OPPORTUNITY), "owner": None})
    contact = world.Record(world.Ref("contact", 5), {**fields_of(world.CONTACT), "owner": None})
    sender = sender_of(None, Recipient("sales@us.example", "The sales team")).about

    mail = TEMPLATES.render(
        name, world.names(meeting=nobodys, email=nobodys, opportunity=opportunity, contact=contact, sender=sender), language=language, timezone="",
    )  # fmt: skip

    if name != "task_assigned":
        assert "The sales team" in mail.text
        assert "The sales team" in mail.html
    assert "Anna Berg" not in mail.text + mail.html


def test_a_meeting_is_written_as_its_reader_reads_it() -> None:
    def when(language: str, zone: str, **changes: Any) -> str:
        names = world.names(meeting=world.activity(**changes))
        text = TEMPLATES.render("meeting_new", names, language=language, timezone=zone).text
        [line] = [line for line in text.splitlines() if re.match(r" +(When|Wann|Quand):", line)]
        return line.split(":", 1)[1].strip()

    assert when("en-GB", "Europe/London") == "Friday, 6 March 2026, 09:00–10:30 (GMT)"
    assert when("en-US", "America/New_York") == "Friday, March 6, 2026, 4:00 – 5:30 AM (EST)"
    assert when("de-AT", "Europe/Vienna") == "Freitag, 6. März 2026, 10:00–11:30 Uhr (MEZ)"
    assert when("fr", "Europe/Paris") == "vendredi 6 mars 2026, 10:00 – 11:30 (UTC+01:00)"
    assert when("es", "Europe/Madrid") == "Friday, March 6, 2026, 10:00 – 11:30 AM (GMT+01:00)"
    midnight = world.START.replace(hour=23) - timedelta(days=1)
    days = {"all_day": True, "start": midnight, "end": midnight + timedelta(days=1)}
    assert when("en-GB", "America/New_York", **days) == "Friday, 6 March 2026"
    days["end"] = midnight + timedelta(days=2)
    assert when("de", "Asia/Tokyo", **days) == "Freitag, 6. März 2026 – Samstag, 7. März 2026"


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/Los_Angeles", "Asia/Tokyo", None])
@pytest.mark.parametrize("reader", [*ZONES, "Pacific/Kiritimati", "Pacific/Pago_Pago"])
@pytest.mark.parametrize("name", ["meeting_new", "meeting_moved", "meeting_cancelled", "meeting_reminder"])
def test_an_all_day_meeting_is_on_the_day_of_its_calendar_file_whoever_reads_it(
    name: str, reader: str, zone: str | None
) -> None:
    """RFC 5545, 3.3.4: a day floats."""
    midnight = datetime(2026, 12, 7, tzinfo=ZoneInfo(zone or "UTC"))
    days = {"all_day": True, "start": midnight, "end": midnight + timedelta(days=1), "timezone": zone or ""}
    meeting = world.activity(**days, **({} if zone else {"owner": None}))

    mail = TEMPLATES.render(name, world.names(meeting=meeting), language="en-GB", timezone=reader)
    file = invitation(meeting, sender=Recipient("bob@us.example", "Bob"), to=())

    assert b"DTSTART;VALUE=DATE:20261207\r\n" in file.content
    for text in (mail.text, mail.html):
        assert "Monday, 7 December 2026" in text
        assert not re.search(r"\b[68] December", text)
    assert "7 December 2026" in mail.subject


@pytest.mark.parametrize(("salutation", "language", "greeting"), [
    ("Frau", "de", "Guten Tag Frau Becker,"), ("Dr.", "de", "Guten Tag Ann Becker,"), ("Madame", "fr", "Bonjour Madame Becker,"),
    ("Frau", "fr", "Bonjour Ann Becker,"), ("Ms", "en", "Hello Ann,"),
])  # fmt: skip
def test_people_are_greeted_as_their_language_does(salutation: str, language: str, greeting: str) -> None:
    contact = world.Record(
        world.Ref("contact", 3), {**dict(fields_of(world.CONTACT)), "salutation": salutation}
    )

    mail = TEMPLATES.render(
        "meeting_new", world.names(meeting=world.activity(contact=contact)), language=language, timezone="UTC"
    )

    assert mail.text.startswith(f"{greeting}\n")
    assert f"{greeting}</p>" in mail.html


def test_what_records_say_is_escaped_in_html_and_not_in_text() -> None:
    mail = TEMPLATES.render(
        "task_assigned", world.names(task=world.activity(body="1 < 2\n& so on")), language="en", timezone=""
    )

    assert "1 &lt; 2<br>\n&amp; so on" in mail.html
    assert "1 < 2\n& so on" in mail.text


def test_styles_for_small_and_dark_screens_stay_in_the_head() -> None:
    html = TEMPLATES.render("meeting_new", world.names(), language="en", timezone="").html

    assert "@media (max-width: 520px)" in html
    assert "@media (prefers-color-scheme: dark)" in html
    assert "<!--[if mso]>" in html
    assert "box-sizing" not in html.partition("</style>")[0]


def test_a_mail_follows_the_references_its_languages_need() -> None:
    meeting = frozenset({("meeting", "contact"), ("meeting", "owner")})

    assert TEMPLATES.reads("meeting_new", world.SCOPE) == meeting
    assert TEMPLATES.reads("welcome_contact", world.SCOPE) == {("contact", "owner")}
    assert TEMPLATES.reads("proposal_follow_up", world.SCOPE) == {
        ("opportunity", "contact"),
        ("opportunity", "owner"),
    }
