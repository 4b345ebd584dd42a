"""The processes that come along, run on a real store: what a sales team would see of them."""

from datetime import timedelta
from pathlib import Path

import pytest
from engine_world import NOON
from office import ANNA, Office

from crm.schema import SCHEMA
from procession.compile import load
from procession.dispatch import start_by_hand
from procession.mail import Templates

ROOT = Path(__file__).parents[3]
PLANS = load(ROOT / "processes", Templates(ROOT / "templates"), SCHEMA, ())


@pytest.fixture
def office(tmp_path: Path) -> Office:
    office = Office(tmp_path, plans=dict(PLANS))
    office.given("bob", "user", name="Bob", email="bob@us.example", timezone="Europe/Berlin")
    office.given("acme", "account", name="Acme", owner="bob")
    office.given(
        "ann", "contact", name="Ann", email="ann@acme.example", account="acme", owner="bob", language="de"
    )
    office.given(
        "deal", "opportunity", name="Pumps", amount=120_000, contact="ann", owner="bob", stage="proposal"
    )
    office.nothing_new()
    return office


def told(office: Office, name: str) -> list[str]:
    return [row.text for row in office.history(name)]


def ended(office: Office) -> list[tuple[str, str, str]]:
    return [(instance.process, instance.state, instance.result) for instance in office.instances()]


def test_a_meeting_is_announced_moved_and_cancelled(office: Office):
    office.given(
        "meeting", "activity", type="task", category="Meeting", subject="Kickoff", status="planned",
        start=NOON + timedelta(days=2), contact="ann", opportunity="deal", owner="bob",
    )  # fmt: skip
    office.work()
    office.change("meeting", start=NOON + timedelta(days=3))
    office.work()
    office.change("meeting", status="cancelled")
    office.work(later=timedelta(minutes=3))

    assert {(process, state) for process, state, _ in ended(office)} == {
        ("notify_contact_of_meeting", "completed"),
        ("notify_contact_of_cancelled_meeting", "completed"),
        ("remind_of_meeting", "waiting"),
    }
    assert told(office, "deal") == [
        "E-mail “Termin am Mittwoch, 4. März 2026: Kickoff” to Ann",
        "E-mail “Neuer Termin: Kickoff, Donnerstag, 5. März 2026” to Ann",
        "E-mail “Abgesagt: Kickoff, Donnerstag, 5. März 2026” to Ann",
    ]


def test_a_contact_without_an_address_gets_a_call_instead(office: Office):
    office.given("eve", "contact", name="Eve")
    office.given(
        "meeting", "activity", type="task", category="Meeting", subject="Kickoff", status="planned",
        start=NOON + timedelta(days=2), contact="eve", opportunity="deal", owner="bob",
    )  # fmt: skip
    office.work()

    assert told(office, "deal") == ["Created call “Tell Eve of Kickoff”"]


def test_a_won_opportunity_is_thanked_for_and_handed_over(office: Office):
    office.change("deal", stage="won")
    office.work()

    assert told(office, "deal")[:2] == [
        "E-mail “Danke für Ihr Vertrauen: Pumps” to Ann",
        "Created task “Hand Pumps over to delivery”",
    ]


def test_a_follow_up_waits_as_a_draft_and_a_call_is_planned(office: Office):
    start_by_hand(
        office.ports, PLANS["follow_up_proposal"], {"opportunity": office.known["deal"]}, actor=ANNA
    )
    office.work()

    assert ended(office) == [("follow_up_proposal", "completed", "")]
    assert any("Pumps" in text and "mail" in text for text in told(office, "deal"))
    assert "Created call “Ask Ann about Pumps”" in told(office, "deal")


def test_overdue_tasks_are_told_on_demand(office: Office):
    office.given(
        "late",
        "activity",
        type="call",
        subject="Ring Ann",
        status="planned",
        due=NOON - timedelta(days=3),
        owner="bob",
    )
    office.given(
        "soon",
        "activity",
        type="call",
        subject="Later",
        status="planned",
        due=NOON + timedelta(days=3),
        owner="bob",
    )
    office.nothing_new()

    start_by_hand(office.ports, PLANS["weekly_overdue_tasks_digest"], {}, actor=ANNA)
    office.work()

    assert ended(office) == [("weekly_overdue_tasks_digest", "completed", "")]
    (mail,) = office.post.mails
    assert "1 overdue" in str(mail)
    assert "Ring Ann" in str(mail)
    assert "Later" not in str(mail)


def test_the_digest_says_when_it_does_not_tell_of_all(office: Office):
    due, bob = NOON - timedelta(days=3), office.known["bob"]
    late = [{"type": "call", "subject": f"Call {n}", "due": due, "owner": bob} for n in range(201)]
    with office.ports.store.unit() as unit:
        unit.records.create("activity", late, ANNA)
        unit.commit()
    office.nothing_new()

    start_by_hand(office.ports, PLANS["weekly_overdue_tasks_digest"], {}, actor=ANNA)
    office.work()

    (mail,) = office.post.mails
    assert mail.text.count("Call ") == 200
    assert "- and there may be more: only the first 200 open ones were looked at" in mail.text


def test_a_new_opportunity_brings_its_first_tasks(office: Office):
    office.given(
        "next", "opportunity", name="Valves", amount=10, contact="ann", owner="bob", stage="qualification"
    )
    office.work()

    assert [text for text in told(office, "next") if text.startswith("Created")] == [
        "Created task “Research Valves”",
        "Created call “Call Ann”",
    ]


def test_a_new_contact_is_welcomed_once(office: Office):
    office.given("eve", "contact", name="Eve", email="eve@acme.example", owner="bob")
    office.work()
    office.change("eve", email="eve2@acme.example")
    office.work()

    assert ended(office)[0][:2] == ("welcome_new_contact", "completed")
    assert [state for process, state, _ in ended(office) if process == "welcome_new_contact"] == [
        "completed",
        "stopped",
    ]
    assert sum(text.startswith("E-mail") for text in told(office, "eve")) == 1
