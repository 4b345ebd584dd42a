"""An engine hears that somebody committed something, without asking the journal many times a second."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event
from store_world import EVENT, do

from crm.store import CrmStore

pytestmark = pytest.mark.about("connections")

SOON = 10.0
A_MOMENT = 0.3


@contextmanager
def notified(store: CrmStore) -> Iterator[list[str]]:
    """How often somebody is, meanwhile."""
    said: list[str] = []

    def note(*args: Any) -> None:
        if args[2].startswith("NOTIFY"):
            said.append(args[2])

    event.listen(store._engine, "before_cursor_execute", note)
    yield said
    event.remove(store._engine, "before_cursor_execute", note)


@contextmanager
def hearing(store: CrmStore) -> Iterator[threading.Event]:
    """Set whenever something new is told of; what is told when somebody begins to listen is over."""
    heard = threading.Event()
    with store.news(heard.set):
        assert heard.wait(SOON)
        heard.clear()
        yield heard


def test_an_event_that_is_committed_is_told_of_at_once(store: CrmStore) -> None:
    with hearing(store) as heard:
        do(store, "append", [EVENT])

        assert heard.wait(SOON)


def test_each_one_is_told_of(store: CrmStore) -> None:
    with hearing(store) as heard:
        for _ in range(3):
            do(store, "append", [EVENT])

            assert heard.wait(SOON)
            heard.clear()


def test_nothing_is_told_of_while_nobody_commits(store: CrmStore) -> None:
    with hearing(store) as heard, store.unit() as unit:
        unit.journal.append([EVENT])

        assert not heard.wait(A_MOMENT)


def test_nobody_is_told_when_it_is_over(store: CrmStore) -> None:
    with hearing(store) as heard:
        pass
    do(store, "append", [EVENT])

    assert not heard.wait(A_MOMENT)
    assert "news" not in {thread.name for thread in threading.enumerate()}


def test_a_unit_notifies_once_however_many_events_it_writes(store: CrmStore) -> None:
    """Each NOTIFY takes a lock of the whole cluster until its unit has committed. SQLite needs none."""
    with notified(store) as said, store.unit() as unit:
        unit.journal.append([EVENT])
        unit.journal.append([EVENT])
        unit.commit()
    with notified(store) as nothing, store.unit() as unit:
        unit.journal.dispatched([1], EVENT.at)
        unit.commit()

    assert said == (["NOTIFY procession"] if store._engine.dialect.name == "postgresql" else [])
    assert nothing == []
