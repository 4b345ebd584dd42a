"""What time it is: the machine's, or on PostgreSQL the database server's, so that several machines agree."""

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, func, select

MEASURED_EVERY_SECONDS = 60.0


class SystemClock:
    """The time of the machine."""

    def now(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251 - this is the Clock


if sys.platform == "linux":

    def seconds() -> float:
        """Seconds that only go forward. `time.monotonic` stands still while a machine sleeps: after that the time would be
        behind by as long as it slept, until the server is asked again. On other systems it is so, which makes things late
        by a minute at most, and never early."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

else:
    seconds = time.monotonic


class DatabaseClock:
    """The time of the database server: what it said last, and the seconds that have passed here since. So what is due
    is due on all machines at the same moment, whatever their clocks say and however they are set.

    The server is asked when units begin, on the connection of the unit, and once before that. `now` asks nobody: it is called
    inside of units, with rows locked, and one that waited there for a connection would wait for those who wait for it.

    Args:
        elapsed: seconds that only go forward.
    """

    def __init__(self, connection: Connection, elapsed: Callable[[], float] = seconds) -> None:
        self._elapsed = elapsed
        self._measured = self._measure(connection)

    def now(self) -> datetime:
        theirs, at = self._measured
        return theirs + timedelta(seconds=self._elapsed() - at)

    def keep_right(self, connection: Connection) -> None:
        """Ask the server, if that was long ago; who wants the time meanwhile goes by what it said before.

        Raises:
            TemporaryError, ConfigurationError: it does not answer; it is asked again the next time.
        """
        _, at = self._measured
        if self._elapsed() - at > MEASURED_EVERY_SECONDS:
            self._measured = self._measure(connection)

    def _measure(self, connection: Connection) -> tuple[datetime, float]:
        """What it said counts from when it was heard: behind the server by the way back, so that nothing is early."""
        theirs: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
        return theirs.astimezone(UTC), self._elapsed()
