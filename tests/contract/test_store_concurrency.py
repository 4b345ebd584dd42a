"""Engines side by side on one store: threads with a store each meet at a barrier and want the same at once."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import text
from store_world import (
    bury,
    claim,
    do,
    fence,
    new_engine,
    release,
    running,
    tokens,
    wait_of,
    wait_until_somebody_waits,
)

import crm.database
import crm.store
from crm.store import CrmStore, open_store
from procession.effects import Recipient, SendMail
from procession.errors import TemporaryError
from procession.ports import Actor, Definition, End, Envelope, Event, QueuedMail, Released, Start, Store
from procession.records import Ref

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
ANNA = Actor("user", "anna")
EVENT = Event(0, NOW, "manual", process="notify")
START = Start("notify", "d1", "Notify", "17", "single", {}, {"id": "saved"})
ENGINES = 6

T = TypeVar("T")


@pytest.fixture
def together(again: Callable[[], Store]) -> Callable[[Callable[[Store, int], T]], list[T]]:
    """Calls a function in as many threads as there are engines, each with its own store, all at once."""
    stores = [again() for _ in range(ENGINES)]

    def run(do: Callable[[Store, int], T]) -> list[T]:
        barrier = threading.Barrier(ENGINES)

        def one(number: int) -> T:
            barrier.wait()
            return do(stores[number], number)

        with ThreadPoolExecutor(ENGINES) as pool:
            return list(pool.map(one, range(ENGINES)))

    return run


Together = Callable[[Callable[[Store, int], object]], list[object]]


def start(store: Store, wish: Start) -> int | None:
    with store.unit() as unit:
        (number,) = unit.journal.start([wish], NOW)
        unit.commit()
    return number


def append(store: Store, *events: Event) -> list[int | None]:
    with store.unit() as unit:
        numbers = unit.journal.append(events)
        unit.commit()
    return numbers


def live(store: Store) -> list[int]:
    with store.unit(write=False) as unit:
        return [one.id for one in unit.journal.instances(states=["ready", "running", "incident"])]


def claim_all(store: Store, _number: int) -> list[int]:
    """Everything there is to claim, a few at a time."""
    won: list[int] = []
    engine = new_engine(store)
    while True:
        with store.unit() as unit:
            claimed = unit.journal.claim(engine, NOW, 7)
            unit.commit()
        if not claimed:
            return won
        won += [one.id for one in claimed]


def test_a_key_is_given_to_one_of_many_starts(store: Store, together: Together) -> None:
    answers = together(lambda mine, _number: start(mine, START))

    assert len([number for number in answers if number]) == 1
    assert len(live(store)) == 1


def test_an_event_that_all_engines_dispatch_starts_one_instance(store: Store, together: Together) -> None:
    (event_id,) = append(store, EVENT)
    wish = replace(START, mode="parallel", event_id=event_id)

    answers = together(lambda mine, _number: start(mine, wish))

    assert len([number for number in answers if number]) == 1


def test_of_restarts_by_many_engines_that_of_the_latest_event_lives(store: Store, together: Together) -> None:
    events = append(store, *[EVENT] * ENGINES)
    wish = replace(START, mode="restart")

    answers = together(lambda mine, number: start(mine, replace(wish, event_id=events[number])))

    assert live(store) == [answers[-1]]


def test_each_instance_is_claimed_by_one_engine(store: Store, together: Together) -> None:
    with store.unit() as unit:
        numbers = unit.journal.start([replace(START, key=str(key)) for key in range(200)], NOW)
        unit.commit()

    claimed = together(claim_all)

    assert sorted(number for some in claimed for number in some) == numbers  # type: ignore[attr-defined]


def test_each_mail_is_claimed_by_one_engine(store: Store, together: Together) -> None:
    mails = [mail(number) for number in range(50)]
    with store.unit() as unit:
        numbers = [one.id for one in unit.outbox.queue(mails, NOW)]
        unit.commit()

    def claim(mine: Store, number: int) -> list[int]:
        won: list[int] = []
        for one in numbers:
            with mine.unit() as unit:
                won += unit.outbox.claim([one], number, NOW)
                unit.commit()
        return won

    claimed = together(claim)

    assert sorted(number for some in claimed for number in some) == numbers  # type: ignore[attr-defined]


def mail(number: int) -> QueuedMail:
    recipient = Recipient("ann@x.example")
    return QueuedMail(
        SendMail(f"<{number}@us.example>", recipient, (recipient,), "Hi", "text"), b"mime", ANNA
    )


def test_a_message_id_that_all_engines_queue_is_one_mail(store: Store, together: Together) -> None:
    def queue(mine: Store, number: int) -> tuple[int, bool]:
        with mine.unit() as unit:
            _, envelope = unit.outbox.queue([mail(1000 + number), mail(1)], NOW)
            unit.commit()
        return envelope.id, envelope.fresh

    answers = together(queue)

    assert len({number for number, _ in answers}) == 1  # type: ignore[attr-defined]
    assert sorted(fresh for _, fresh in answers) == [False] * (ENGINES - 1) + [True]  # type: ignore[attr-defined]
    with store.unit(write=False) as unit:
        assert len(unit.records.find("activity", {})) == ENGINES + 1


def test_a_dedupe_key_that_all_engines_append_is_one_event(store: Store, together: Together) -> None:
    keyed = [replace(EVENT, dedupe_key=f"daily {day}") for day in range(10)]

    answers = together(lambda mine, number: append(mine, *(keyed if number % 2 else reversed(keyed))))

    new = [number for answer in answers for number in answer if number]  # type: ignore[attr-defined]
    assert len(new) == 10
    with store.unit() as unit:
        assert sorted(new) == [event.id for event in unit.journal.pending(100)]


def test_versions_that_are_published_at_once_have_numbers_of_their_own(together: Together) -> None:
    def publish(mine: Store, number: int) -> int:
        with mine.unit() as unit:
            answer = unit.journal.publish(Definition("notify", f"digest {number % 3}"))
            unit.commit()
        return answer

    assert sorted(together(publish)) == [1, 1, 2, 2, 3, 3]  # type: ignore[type-var]


def test_records_that_are_changed_from_both_ends_at_once_are_all_changed(
    store: Store, together: Together, refs: dict[str, Ref]
) -> None:
    people = [ref for ref in refs.values() if ref.entity == "contact"]

    def change(mine: Store, number: int) -> None:
        for turn in range(5):
            order = people if number % 2 else people[::-1]
            with mine.unit() as unit:
                unit.records.update([(ref, {"job_title": f"{number} {turn}"}) for ref in order], ANNA)
                unit.commit()

    together(change)

    with store.unit() as unit:
        changes = [event for event in unit.journal.pending(1000, up_to=10_000) if event.type == "modified"]
    assert len(changes) == ENGINES * 5 * len(people)


def test_records_that_are_created_at_once_have_numbers_of_their_own(together: Together) -> None:
    def create(mine: Store, number: int) -> list[Ref]:
        with mine.unit() as unit:
            made = unit.records.create("contact", [{"name": f"{number} {one}"} for one in range(20)], ANNA)
            unit.commit()
        return made

    made = [ref for answer in together(create) for ref in answer]  # type: ignore[attr-defined]

    assert len(set(made)) == 20 * ENGINES


def test_an_engine_that_was_taken_for_dead_is_fenced_off_by_the_one_that_took_over(
    store: Store, again: Callable[[], Store]
) -> None:
    other = again()
    slow = running(store)

    bury(other, 1)
    assert release(other).ready == (slow.id,)
    (quick,) = claim(other, new_engine(other))

    assert fence(store, slow) == set()
    assert fence(other, quick) == {quick.id}


def test_two_threads_of_one_engine_are_told_apart_by_their_tokens(store: Store, together: Together) -> None:
    """What the first had was given back, and the second claimed it: only that one may write for it."""
    engine = new_engine(store)
    slow = [running(store, replace(START, key=str(key)), engine) for key in range(4)]
    do(store, "give_back", tokens(*slow))
    quick = claim(store, engine)

    answers = together(lambda mine, number: fence(mine, *(quick if number % 2 else slow)))

    assert answers == [set(), {one.id for one in slow}] * (ENGINES // 2)


def test_of_all_engines_one_becomes_the_planner(store: Store, together: Together) -> None:
    engines = [new_engine(store) for _ in range(ENGINES)]

    epochs = together(lambda mine, number: do(mine, "lead", engines[number]))

    (epoch,) = (one for one in epochs if one is not None)
    glance = do(store, "glance", NOW)
    assert (glance.planner, glance.epoch) == (engines[epochs.index(epoch)], epoch)


def test_of_all_that_find_an_engine_dead_one_buries_it(store: Store, together: Together) -> None:
    dead = new_engine(store)

    answers = together(lambda mine, _number: do(mine, "bury", {dead: 0}))

    assert sorted(map(len, answers)) == [0] * (ENGINES - 1) + [1]  # type: ignore[arg-type]


def test_a_beat_that_comes_while_others_bury_either_counts_or_is_told_that_it_is_late(
    store: Store, together: Together
) -> None:
    engine = new_engine(store)

    answers = together(
        lambda mine, number: do(mine, "bury", {engine: 0}) if number % 2 else do(mine, "beat", engine)
    )

    is_buried = any(answers[1::2])
    assert is_buried == (do(store, "engines") == [])
    assert set(answers[::2]) == {not is_buried}


# --- locks


@pytest.fixture
def on_postgresql(postgresql_url: str) -> Iterator[CrmStore]:
    store = open_store(postgresql_url)
    yield store
    store.close()


@pytest.mark.external_service
def test_engines_dispatch_different_events_at_the_same_time(on_postgresql: CrmStore) -> None:
    numbers = append(on_postgresql, *[EVENT] * 6)

    with on_postgresql.unit() as one, on_postgresql.unit() as two:
        first, second = one.journal.pending(3), two.journal.pending(10)

    assert [event.id for event in (*first, *second)] == numbers


@pytest.mark.external_service
def test_fenced_instances_are_locked_until_the_unit_ends(on_postgresql: CrmStore) -> None:
    number = start(on_postgresql, START) or 0
    claim(on_postgresql, new_engine(on_postgresql), number)
    lock = text("SELECT id FROM instance WHERE id = :number FOR UPDATE NOWAIT")

    with on_postgresql.unit() as unit:
        assert unit.journal.fence({number: 1}) == {number}
        with (
            on_postgresql._engine.connect() as other,
            pytest.raises(TemporaryError, match="busy for too long"),
        ):
            other.execute(lock, {"number": number})


@pytest.mark.external_service
def test_the_server_ends_units_of_a_process_that_was_put_to_sleep(on_postgresql: CrmStore) -> None:
    with on_postgresql._engine.connect() as connection:
        shown = [
            connection.scalar(text(f"SHOW {name}"))
            for name in ("idle_in_transaction_session_timeout", "transaction_timeout")
        ]

    assert shown == ["2min", "15min"]


@pytest.mark.external_service
def test_an_engine_that_waited_for_a_stop_request_heeds_it(on_postgresql: CrmStore) -> None:
    number = start(on_postgresql, START) or 0
    claim(on_postgresql, new_engine(on_postgresql), number)

    def fence() -> set[int]:
        with on_postgresql.unit() as mine:
            answer = mine.journal.fence({number: 1})
            mine.commit()
        return answer

    with ThreadPoolExecutor(1) as pool, on_postgresql.unit() as unit:
        unit.journal.ask_to_stop([number], "by anna", NOW)
        fenced = pool.submit(fence)
        wait_until_somebody_waits(on_postgresql)
        unit.commit()
        assert fenced.result() == set()

    with on_postgresql.unit(write=False) as unit:
        (found,) = unit.journal.instances(ids=[number])
    assert (found.state, found.result) == ("cancelled", "by anna")


@pytest.mark.external_service
def test_a_restart_that_waited_for_the_end_of_a_segment_cancels_the_retry(on_postgresql: CrmStore) -> None:
    number = start(on_postgresql, START) or 0
    claim(on_postgresql, new_engine(on_postgresql), number)

    with ThreadPoolExecutor(1) as pool, on_postgresql.unit() as unit:
        unit.journal.fence({number: 1})
        unit.journal.save_waits([wait_of(number)])
        unit.journal.end([End(number, "waiting")], NOW)
        restarted = pool.submit(start, on_postgresql, replace(START, mode="restart"))
        wait_until_somebody_waits(on_postgresql)
        unit.commit()
        second = restarted.result()

    assert live(on_postgresql) == [second]
    with on_postgresql.unit(write=False) as unit:
        (old,) = unit.journal.instances(ids=[number])
    assert (old.state, old.result) == ("cancelled", "superseded")


@pytest.mark.external_service
def test_a_hand_takes_no_mail_that_somebody_else_queued_meanwhile(on_postgresql: CrmStore) -> None:
    """What is said to be in hand is what the rows say."""

    def queue(*numbers: int) -> list[Envelope]:
        with on_postgresql.unit() as mine:
            envelopes = mine.outbox.queue([mail(number) for number in numbers], NOW, engine=1, hands=1)
            mine.commit()
        return envelopes

    with ThreadPoolExecutor(1) as pool, on_postgresql.unit() as unit:
        unit.outbox.queue([mail(1)], NOW)
        queued = pool.submit(queue, 1, 2)
        wait_until_somebody_waits(on_postgresql)
        unit.commit()
        answer = queued.result()

    with on_postgresql.unit(write=False) as unit:
        rows = unit.outbox.envelopes([one.id for one in answer])
    assert [replace(one, fresh=False) for one in answer] == rows
    assert [one.state for one in answer] == ["queued", "sending"]


@pytest.mark.external_service
def test_who_takes_over_planning_waits_for_what_the_old_planner_is_writing(on_postgresql: CrmStore) -> None:
    old, new = new_engine(on_postgresql), new_engine(on_postgresql)
    epoch = do(on_postgresql, "lead", old)
    bury(on_postgresql, old)

    with ThreadPoolExecutor(1) as pool, on_postgresql.unit() as unit:
        assert unit.journal.leads(old, epoch)
        taken = pool.submit(do, on_postgresql, "lead", new)
        wait_until_somebody_waits(on_postgresql)
        unit.journal.append([EVENT])
        unit.commit()
        later = taken.result()

    assert later > epoch
    assert not do(on_postgresql, "leads", old, epoch)
    assert len(do(on_postgresql, "pending", 10)) == 1


@pytest.mark.external_service
def test_a_successor_is_not_begun_while_its_predecessor_s_end_is_being_written(
    on_postgresql: CrmStore,
) -> None:
    first, other = running(on_postgresql), new_engine(on_postgresql)
    second = start(on_postgresql, replace(START, mode="restart")) or 0

    with on_postgresql.unit() as unit:
        unit.journal.fence(tokens(first))
        assert claim(on_postgresql, other, second) == []
        unit.commit()

    assert [one.id for one in claim(on_postgresql, other, second)] == [second]


@pytest.mark.external_service
def test_a_restart_that_waited_for_the_end_of_its_waiting_predecessor_is_not_lost(
    on_postgresql: CrmStore,
) -> None:
    """The key went back meanwhile to the one that runs."""
    restart = replace(START, mode="restart")
    first = running(on_postgresql, restart)
    second = start(on_postgresql, restart) or 0

    with ThreadPoolExecutor(1) as pool, on_postgresql.unit() as unit:
        unit.journal.ask_to_stop([second], "by anna", NOW)
        restarted = pool.submit(start, on_postgresql, restart)
        wait_until_somebody_waits(on_postgresql)
        unit.commit()
        third = restarted.result()

    assert third is not None
    assert fence(on_postgresql, first) == set()
    assert live(on_postgresql) == [third]


@pytest.mark.external_service
def test_who_cancels_a_successor_holds_nothing_that_its_predecessor_waits_for(
    on_postgresql: CrmStore,
) -> None:
    engine = new_engine(on_postgresql)
    first = running(on_postgresql, START, engine)
    second = start(on_postgresql, replace(START, mode="restart")) or 0
    other = running(on_postgresql, replace(START, key="18"), engine)

    with ThreadPoolExecutor(1) as pool, on_postgresql.unit() as unit:
        assert unit.journal.fence({first.id: first.fencing_token}) == set()
        asked = pool.submit(do, on_postgresql, "ask_to_stop", [second, other.id], "by anna", NOW)
        wait_until_somebody_waits(on_postgresql)
        assert unit.journal.fence(tokens(other)) == {other.id}
        unit.commit()
        assert asked.result() == 2


@pytest.mark.external_service
def test_instances_that_were_claimed_differently_often_are_fenced_in_the_order_of_their_numbers(
    on_postgresql: CrmStore,
) -> None:
    engine = new_engine(on_postgresql)
    first = running(on_postgresql, START, engine)
    do(on_postgresql, "give_back", tokens(first))
    (first,) = claim(on_postgresql, engine, first.id)
    second = running(on_postgresql, replace(START, key="18"), engine)

    with ThreadPoolExecutor(1) as pool, on_postgresql.unit() as unit:
        assert unit.journal.fence(tokens(first)) == {first.id}
        fenced = pool.submit(fence, on_postgresql, first, second)
        wait_until_somebody_waits(on_postgresql)
        assert unit.journal.fence(tokens(second)) == {second.id}
        unit.commit()
        assert fenced.result() == {first.id, second.id}


@pytest.mark.external_service
def test_flow_runs_are_noted_in_the_order_of_the_numbers_of_their_instances(on_postgresql: CrmStore) -> None:
    first, second = running(on_postgresql), running(on_postgresql, replace(START, key="18"))

    with ThreadPoolExecutor(1) as pool, on_postgresql.unit() as unit:
        unit.journal.fence(tokens(first))
        seen = pool.submit(
            do, on_postgresql, "seen_in_prefect", {second.id: "run of second", first.id: "run of first"}
        )
        wait_until_somebody_waits(on_postgresql)
        unit.journal.fence(tokens(second))
        unit.commit()
        seen.result()

    with on_postgresql.unit(write=False) as unit:
        assert unit.journal.running_in_prefect() == {first.id: "run of first", second.id: "run of second"}


@pytest.mark.external_service
def test_what_the_dead_left_is_not_taken_back_from_one_that_writes_just_now(on_postgresql: CrmStore) -> None:
    """Whoever holds a lock is not dead."""
    one = running(on_postgresql)
    bury(on_postgresql, 1)

    with on_postgresql.unit() as unit:
        assert unit.journal.fence(tokens(one)) == {one.id}
        assert release(on_postgresql) == Released()
        unit.commit()

    assert release(on_postgresql).ready == (one.id,)


def test_a_sqlite_file_that_somebody_else_writes_for_too_long_is_busy(
    empty_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crm.database, "BUSY_SECONDS", 0.01)
    (tmp_path / "store.sqlite").write_bytes(empty_database.read_bytes())
    store = open_store(f"sqlite:///{tmp_path / 'store.sqlite'}")
    other = sqlite3.connect(tmp_path / "store.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(TemporaryError, match="The database was busy for too long"), store.unit():
        pass

    other.close()
    store.close()


def test_threads_of_one_process_do_not_wait_for_their_turn_for_ever(
    empty_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crm.store, "BUSY_SECONDS", 0.01)
    (tmp_path / "store.sqlite").write_bytes(empty_database.read_bytes())
    store = open_store(f"sqlite:///{tmp_path / 'store.sqlite'}")

    with store.unit():  # noqa: SIM117 - the inner one must fail
        with pytest.raises(TemporaryError, match="busy for too long"), store.unit():
            pass

    store.close()
