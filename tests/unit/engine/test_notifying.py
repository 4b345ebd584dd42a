"""Mails to colleagues: to everybody who is meant, and those of many instances at once."""

from collections import Counter
from typing import Any

from office import ANNA, Office
from sqlalchemy import event

from procession.dispatch import start_by_hand


def colleagues(office: Office, team: str, count: int) -> None:
    users = [{"name": f"{team} {n}", "email": f"{team}{n}@us.example", "team": team} for n in range(count)]
    with office.ports.store.unit() as unit:
        unit.records.create("user", users, ANNA)
        unit.commit()


def notify(office: Office, to: str, times: int) -> None:
    plan = office.deploy(f"""
        process: tell
        triggers: [{{manual: {{}}}}]
        mode: parallel
        steps: [{{notify: {{to: {to}, text: Hello}}}}]
    """)
    for _ in range(times):
        start_by_hand(office.ports, plan, {}, actor=ANNA)
    office.work()


def test_all_of_a_big_team_are_told(office: Office) -> None:
    colleagues(office, "sales", 120)

    notify(office, "sales", 1)

    assert len({recipient for mail in office.post.mails for recipient in mail.recipients}) == 120


def test_the_mails_of_many_instances_are_queued_together(office: Office) -> None:
    colleagues(office, "sales", 3)
    said: Counter[str] = Counter()

    def note(*args: Any) -> None:
        said[" ".join(args[2].split()[:3])] += 1

    event.listen(office.ports.store._engine, "before_cursor_execute", note)  # type: ignore[attr-defined]  # a real one
    notify(office, "sales", 20)

    assert len(office.post.mails) == 60
    assert said["INSERT INTO email_message"] == 1
