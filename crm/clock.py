"""What time it is: the machine's, or on PostgreSQL the database server's, so that several machines agree."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, exc, func, select

MEASURED_EVERY_SECONDS = 60.0


class SystemClock:
    """The time of the machine."""

    def now(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251 - this is the Clock


class DatabaseClock:
    """The time of the database server: the machine's, and by how much the server's differs, measured once a minute.
    So what is due is due on all machines at the same moment, whatever their clocks say. While the server does not answer,
    the last measurement holds.

    Args:
        monotonic: seconds that only go forward.
    """

    def __init__(
        self, engine: Engine, machine: SystemClock | None = None, monotonic: Callable[[], float] = time.monotonic
    ) -> None:  # fmt: skip
        self._engine, self._machine, self._monotonic = engine, machine or SystemClock(), monotonic
        self._lock = threading.Lock()
        self._measured: float | None = None
        self._ahead = timedelta(0)

    def now(self) -> datetime:
        return self._machine.now() + self.ahead()

    def ahead(self) -> timedelta:
        """By how much the server's clock is ahead of the machine's; negative if it is behind."""
        with self._lock:
            now = self._monotonic()
            if self._measured is None or now - self._measured > MEASURED_EVERY_SECONDS:
                self._measured = now
                self._measure()
            return self._ahead

    def _measure(self) -> None:
        """Half of the time that the question takes is the way back."""
        try:
            with self._engine.connect() as connection:
                before = self._machine.now()
                theirs: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
                after = self._machine.now()
        except exc.SQLAlchemyError:
            return
        self._ahead = theirs.astimezone(UTC) - before - (after - before) / 2
