"""Whether Prefect is to be asked at all just now.

Open after a failure: work goes on without Prefect at once, instead of waiting for it each time. A probe in the
background closes it; the longer Prefect keeps failing, the longer the pauses between tries.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from flows import words
from flows.client import SIGNALS, UNREACHABLE
from flows.server import healthy
from procession.errors import ProcessionError, Unforeseen, foreseen

log = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 60.0


class Breaker:
    """Safe to use from several threads.

    Args:
        url: of the API it stands before.
        answers: whether that API can be asked again; without it, whether something answers at `url`.
        closed: how it begins.
    """

    def __init__(self, url: str, answers: Callable[[], bool] | None = None, *, closed: bool = True) -> None:
        self.url = url
        self.answers = answers or (lambda: healthy(url))
        self._lock = threading.Lock()
        self._open_until: float | None = None if closed else time.monotonic()
        self._pause = FIRST_PAUSE_SECONDS

    @property
    def open(self) -> bool:
        return self._open_until is not None

    def trip(self, why: object) -> None:
        """Open it. `why` is for the log."""
        with self._lock:
            if self._open_until is None:
                log.warning("going on without Prefect, which shows the runs later: %s", why)
            self._open_until = time.monotonic() + self._pause
            self._pause = min(self._pause * 2, LONGEST_PAUSE_SECONDS)

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Around whatever a thread asks of Prefect: a failure opens the breaker, and no failure ends the thread."""
        try:
            with foreseen("what goes on with Prefect"):
                try:
                    yield
                except SIGNALS as signal:
                    log.info("Prefect ended a run: %s", signal)
                except UNREACHABLE as error:
                    self.trip(words.discreet(f"{type(error).__name__}: {error}"))
        except Unforeseen as error:
            log.exception("%s", error.message)  # the sentence, and then the traceback
            self.trip("see above")
        except (
            ProcessionError
        ) as error:  # the store does not answer: the loop of the engine says so, and waits
            log.warning("%s", error)

    def worth_a_try(self) -> bool:
        """Whether the pause is over."""
        until = self._open_until
        return until is not None and time.monotonic() >= until

    def try_now(self) -> None:
        """The server was started anew: what went wrong before says nothing of it."""
        with self._lock:
            self._pause = FIRST_PAUSE_SECONDS
            if self._open_until is not None:
                self._open_until = time.monotonic()

    def close(self) -> None:
        with self._lock:
            if self._open_until is not None:
                log.info("Prefect answers again")
            self._open_until = None

    def proved(self) -> None:
        """A run went well from its beginning to its end: the next failure is a first one again."""
        self._pause = FIRST_PAUSE_SECONDS
