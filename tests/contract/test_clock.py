"""All engines on one PostgreSQL go by its server's clock, whatever the clocks of their machines say."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import create_engine

from crm.clock import DatabaseClock, SystemClock
from crm.store import open_store


class Machine(SystemClock):
    """A machine whose clock is wrong."""

    def __init__(self, ahead: timedelta) -> None:
        self.wrong = ahead

    def now(self) -> datetime:
        return datetime.now(UTC) + self.wrong


@pytest.mark.external_service
@pytest.mark.parametrize("wrong", [timedelta(minutes=10), timedelta(minutes=-10), timedelta(0)])
def test_a_machine_whose_clock_is_wrong_goes_by_the_clock_of_the_server(
    postgresql_url: str, wrong: timedelta
) -> None:
    engine = create_engine(postgresql_url.replace("postgresql://", "postgresql+psycopg://"))
    clock = DatabaseClock(engine, Machine(wrong))

    off = clock.now() - datetime.now(UTC)

    engine.dispose()
    assert abs(off) < timedelta(seconds=1)
    assert abs(clock.ahead() + wrong) < timedelta(seconds=1)


@pytest.mark.external_service
def test_it_is_measured_once_a_minute_and_the_last_measurement_holds_while_nobody_answers(
    postgresql_url: str,
) -> None:
    engine = create_engine(postgresql_url.replace("postgresql://", "postgresql+psycopg://"))
    machine, at = Machine(timedelta(0)), [0.0]
    clock = DatabaseClock(engine, machine, lambda: at[0])
    assert abs(clock.ahead()) < timedelta(seconds=1)

    machine.wrong = timedelta(minutes=10)
    at[0] = 59.0
    assert abs(clock.ahead()) < timedelta(seconds=1)
    at[0] = 61.0
    assert abs(clock.ahead() + machine.wrong) < timedelta(seconds=1)
    engine.dispose()

    gone = create_engine("postgresql+psycopg://nobody@127.0.0.1:9/none", connect_args={"connect_timeout": 1})
    lonely = DatabaseClock(gone, machine, lambda: at[0])
    assert lonely.ahead() == timedelta(0)


@pytest.mark.external_service
def test_a_store_on_postgresql_has_the_clock_of_its_server(postgresql_url: str) -> None:
    store = open_store(postgresql_url)

    assert isinstance(store.clock, DatabaseClock)
    store.close()
