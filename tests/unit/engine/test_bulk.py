"""One urgent meeting among many: whose mail goes first is told by their order, never by the time."""

from datetime import timedelta
from pathlib import Path

import pytest
from office import ANNA, Office

from crm.importing import Options, import_csv
from crm.store import CrmStore
from procession.engine import Engine
from procession.ports import MOST_BULK, Actor

MANY = 3_000
NOTIFY = """
    process: notify
    inputs: {meeting: {type: record, of: activity}}
    triggers: [{record: activity, events: [added, modified], if: record.is_meeting}]
    key: "{{ meeting.id }}"
    mode: MODE
    steps:
      - {id: invite, send_email: {to: ann@acme.example, subject: "{{ trigger.event }} {{ meeting.subject }}", text: Hello}}
"""


@pytest.fixture
def busy(office: Office) -> Office:
    office.nothing_new()
    office.deploy(NOTIFY.replace("MODE", "restart"))
    return office


def meetings(office: Office, count: int, subject: str = "Imported", by: Actor = ANNA) -> None:
    row = {
        "type": "task", "category": "meeting", "subject": subject, "status": "planned",
        "start": office.clock.now() + timedelta(days=3),
    }  # fmt: skip
    with office.ports.store.unit() as unit:
        refs = unit.records.create("activity", [row] * count, by)
        unit.commit()
    office.known |= {f"{subject} {number}": ref for number, ref in enumerate(refs)}


def subjects(office: Office) -> list[str]:
    return [mail.subject for mail in office.post.mails]


def until_all_are_sent(engine: Engine) -> None:
    while engine.tick():
        pass


def test_an_urgent_meeting_waits_for_one_batch_at_most(busy: Office) -> None:
    engine = busy.engine()
    meetings(busy, MANY)
    engine.tick()
    engine.tick()
    before = len(subjects(busy))

    meetings(busy, 1, "Urgent")
    engine.tick()

    assert before == 2 * MOST_BULK
    assert subjects(busy)[before] == "added Urgent"
    assert len(subjects(busy)) <= before + 1 + MOST_BULK


def test_who_saves_one_of_the_many_is_told_in_order_and_at_once(busy: Office) -> None:
    busy.deploy(NOTIFY.replace("MODE", "parallel"))
    engine = busy.engine()
    meetings(busy, MANY)
    engine.tick()

    busy.change("Imported 2900", subject="Urgent")
    engine.tick()

    assert subjects(busy)[MOST_BULK : MOST_BULK + 2] == ["added Urgent", "modified Urgent"]


def test_what_is_ready_of_a_record_does_not_wait_behind_what_is_saved_of_it_later(busy: Office) -> None:
    busy.deploy(NOTIFY.replace("MODE", "parallel"))
    meetings(busy, 2 * MOST_BULK)
    planner = busy.engine()
    planner.rooms = tuple  # nobody works
    until_all_are_sent(planner)

    busy.change("Imported 399", subject="Urgent")
    busy.engine().tick()

    assert subjects(busy)[:2] == ["added Urgent", "modified Urgent"]


def test_what_bulk_waits_for_does_not_make_it_urgent(busy: Office) -> None:
    busy.plans.clear()
    busy.deploy(NOTIFY.replace("MODE", "parallel").replace("steps:", "steps:\n      - {id: pause, wait: 1h}"))
    meetings(busy, 30)
    until_all_are_sent(busy.engine())
    busy.clock.at += timedelta(hours=2)
    busy.deploy(NOTIFY.replace("MODE", "parallel").replace("process: notify", "process: other"))
    engine = busy.engine()
    meetings(busy, 1, "Urgent")

    engine.tick()

    assert subjects(busy)[0] == "added Urgent"


# --- imports


@pytest.fixture
def store(busy: Office) -> CrmStore:
    store = busy.ports.store
    assert isinstance(store, CrmStore)
    return store


def file_of(folder: Path, count: int) -> Path:
    rows = (f"meeting,Imported {number},2026-03-09T10:00:00Z\n" for number in range(count))
    path = folder / "meetings.csv"
    path.write_text("Type,Subject,Start\n" + "".join(rows))
    return path


def test_no_process_starts_of_half_an_import(busy: Office, store: CrmStore, tmp_path: Path) -> None:
    engine, seen = busy.engine(), []

    def work(done: int, _of: int) -> None:
        if MANY < done < 2 * MANY:
            meetings(busy, 1, "Urgent")
            until_all_are_sent(engine)
            seen.append(set(subjects(busy)))

    import_csv(store, "activity", file_of(tmp_path, MANY), ANNA, Options(progress=work))

    assert seen == [{"added Urgent"}] * 2
    engine.tick()
    assert len(subjects(busy)) == 2 + MOST_BULK


def test_an_import_that_was_killed_starts_nothing_and_is_gone_on_with(
    busy: Office, store: CrmStore, tmp_path: Path
) -> None:
    def killed(done: int, _of: int) -> None:
        if done == 1_100 + 1_000:
            raise SystemExit

    file = file_of(tmp_path, 1_100)
    with pytest.raises(SystemExit):
        import_csv(store, "activity", file, ANNA, Options(progress=killed))
    until_all_are_sent(busy.engine())
    assert subjects(busy) == []

    done = import_csv(store, "activity", file, ANNA)

    until_all_are_sent(busy.engine())
    assert (done.saved, done.earlier) == (1_100, 1_000)
    assert sorted(subjects(busy)) == sorted(f"added Imported {number}" for number in range(1_100))
