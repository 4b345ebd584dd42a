"""All engines on one PostgreSQL go by its server's clock, whatever the clocks of their machines say."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event, func, select

from crm.clock import DatabaseClock, SystemClock
from crm.database import engine_of
from crm.store import CrmStore, open_store
from procession.errors import ConfigurationError

SECOND = timedelta(seconds=1)
pytestmark = pytest.mark.external_service


class Elapsed:
    """Seconds that go on when they are told to."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def elapsed() -> Elapsed:
    return Elapsed()


@pytest.fixture
def store(postgresql_url: str, elapsed: Elapsed) -> Iterator[CrmStore]:
    engine = engine_of(postgresql_url)
    with engine.connect() as connection:
        clock = DatabaseClock(connection, elapsed)
    opened = CrmStore(engine, clock)
    yield opened
    opened.close()


@pytest.fixture
def asked(store: CrmStore) -> list[str]:
    """What the server is asked; and each time a connection is taken."""
    said: list[str] = []
    event.listen(store._engine, "before_cursor_execute", lambda *args: said.append(args[2]))
    event.listen(store._engine, "checkout", lambda *_args: said.append("a connection"))
    return said


def server(store: CrmStore) -> datetime:
    with store._engine.connect() as connection:
        answer: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
    return answer.astimezone(UTC)


@pytest.mark.parametrize("step", [timedelta(hours=1), timedelta(hours=-1)])
def test_a_step_of_the_machine_s_clock_changes_nothing(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch, step: timedelta
) -> None:
    store = open_store(postgresql_url)
    store.clock.now()
    right = SystemClock.now

    monkeypatch.setattr(SystemClock, "now", lambda machine: right(machine) + step)

    assert abs(store.clock.now() - server(store)) < SECOND
    store.close()


def test_it_is_the_time_that_the_server_said_and_what_has_passed_since(
    store: CrmStore, elapsed: Elapsed
) -> None:
    began = store.clock.now()
    assert began <= server(store) < began + 10 * SECOND

    elapsed.seconds += 59

    assert store.clock.now() - began == 59 * SECOND


def test_the_server_is_asked_once_a_minute_by_a_unit_that_begins(
    store: CrmStore, elapsed: Elapsed, asked: list[str]
) -> None:
    for _ in range(2):
        elapsed.seconds += 61
        for _ in range(3):
            with store.unit():
                pass

    assert [one for one in asked if "clock_timestamp" in one] == [
        "SELECT clock_timestamp() AS clock_timestamp_1"
    ] * 2
    assert store.clock.now() <= server(store) < store.clock.now() + 10 * SECOND


def test_who_wants_the_time_waits_for_nobody_though_all_connections_are_in_use(
    store: CrmStore, elapsed: Elapsed, asked: list[str]
) -> None:
    with ExitStack() as open_units:
        for _ in range(30):
            open_units.enter_context(store.unit())
        elapsed.seconds += 61
        asked.clear()
        store.clock.now()

    assert asked == []


def test_while_the_server_does_not_answer_time_goes_on_and_the_next_unit_asks_again(
    store: CrmStore, elapsed: Elapsed
) -> None:
    began = store.clock.now()
    elapsed.seconds += 61

    def refuse(*_args: object) -> None:
        raise ConfigurationError("The database cannot be used: it is away")

    event.listen(store._engine, "before_cursor_execute", refuse)
    with pytest.raises(ConfigurationError, match="it is away"), store.unit():
        pass
    event.remove(store._engine, "before_cursor_execute", refuse)
    assert store.clock.now() - began == 61 * SECOND

    with store.unit():
        pass
    assert store.clock.now() - began < 61 * SECOND


def test_a_store_on_postgresql_has_the_clock_of_its_server(postgresql_url: str) -> None:
    store = open_store(postgresql_url)

    assert isinstance(store.clock, DatabaseClock)
    assert abs(store.clock.now() - server(store)) < SECOND
    store.close()
