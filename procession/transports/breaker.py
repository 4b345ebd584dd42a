"""Whether the mail server is to be asked at all just now.

Each mail to a server that does not answer costs a time-out. So after a few in a row the next ones are put off at once,
for a time that doubles; then one mail tries, and if the server answers it, all go again. Any answer will do, a refusal too.
Once one was not answered, no more are under way than it takes to be sure, so all of them together cost one time-out.

While one tries, the others wait for it for a moment: a server that is well has answered by then, and who is put off may
have had its last try. The pauses end at a minute. While one lasts, a server that is back is not asked, and a step that has no try left then fails; a
longer one would spare little, as each is followed by a whole time-out of one mail.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from math import ceil

from procession.errors import (
    ConfigurationError,
    NotAsked,
    TransportDeferred,
    TransportRefused,
    Unanswered,
    UnknownOutcome,
)

log = logging.getLogger(__name__)

IN_A_ROW = 3
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 5.0, 60.0
MOMENT_SECONDS = 2.0

UNANSWERED = (Unanswered, UnknownOutcome)
ANSWERED = (TransportDeferred, TransportRefused, ConfigurationError)


@dataclass(slots=True)
class _Pause:
    """`ends` by the monotonic clock; `probe` is the mail that tries then, or None; `hopeless` once others waited for it in
    vain."""

    seconds: float
    ends: float
    probe: object = None
    hopeless: bool = False


class Breaker:
    """Safe to use from several threads.

    Args:
        server: its name in messages.
        monotonic: seconds.
        moment: how many seconds others wait, by the world's clock, for one that tries.
    """

    def __init__(
        self, server: str, *, monotonic: Callable[[], float] = time.monotonic, moment: float = MOMENT_SECONDS
    ) -> None:
        self._server, self._monotonic, self._moment = server, monotonic, moment
        self._lock = threading.Condition()
        self._unanswered = self._under_way = 0
        self._pause: _Pause | None = None

    def check(self) -> None:
        """For a mail that may have to wait for its turn before it is handed over.

        Raises:
            NotAsked: it would be put off now.
        """
        with self._lock:
            self._check()

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Around one hand-over. Waits while those under way may show whether there is any use.

        Raises:
            NotAsked: the server is not to be asked now.
        """
        mail = object()
        self._admit(mail)
        try:
            yield
        except UNANSWERED:
            self._count(mail)
            raise
        except ANSWERED:
            self._close()
            raise
        else:
            self._close()
        finally:
            self._leave(mail)

    def _check(self) -> None:
        if self._pause is None:
            return
        left = self._pause.ends - self._monotonic()
        if left <= 0 and not self._pause.hopeless:
            return
        then = f"the next one tries it in {ceil(left)} s" if left > 0 else "another one tries it now"
        raise NotAsked(
            f"{self._server} did not answer the last {self._unanswered} mails, so this one was not handed over: {then}",
            hint="Look at the mail server; `procession doctor` says whether it answers.",
        )

    def _admit(self, mail: object) -> None:
        with self._lock:
            self._lock.wait_for(self._is_clear)
            self._check()
            self._wait_a_moment()
            self._check()
            self._under_way += 1
            if self._pause:
                self._pause.probe = mail

    def _is_clear(self) -> bool:
        """Whether what becomes of those under way makes no difference to the next one."""
        return bool(self._pause) or not self._unanswered or self._unanswered + self._under_way < IN_A_ROW

    def _wait_a_moment(self) -> None:
        """For the one that tries. Who waits in vain is the last to wait for it."""
        while (pause := self._pause) and (probe := pause.probe) and not pause.hopeless:
            if not self._lock.wait_for(partial(self._is_decided, pause, probe), self._moment):
                pause.hopeless = True

    def _is_decided(self, pause: _Pause, probe: object) -> bool:
        return self._pause is not pause or pause.probe is not probe

    def _count(self, mail: object) -> None:
        """One more that was not answered. Those that were under way when the pause began do not make it longer."""
        with self._lock:
            if self._pause and self._pause.probe is not mail:
                return
            self._unanswered += 1
            if self._pause:
                seconds = min(self._pause.seconds * 2, LONGEST_PAUSE_SECONDS)
            elif self._unanswered >= IN_A_ROW:
                seconds = FIRST_PAUSE_SECONDS
                log.warning("%s did not answer %s mails in a row: others wait", self._server, IN_A_ROW)
            else:
                return
            self._pause = _Pause(seconds, self._monotonic() + seconds)

    def _close(self) -> None:
        with self._lock:
            if self._pause:
                log.info("%s answers again", self._server)
            self._pause, self._unanswered = None, 0

    def _leave(self, mail: object) -> None:
        """If it was the one that tries, and did not get as far as the server (an address that is none), another one does."""
        with self._lock:
            self._under_way -= 1
            if self._pause and self._pause.probe is mail:
                self._pause.probe, self._pause.hopeless = None, False
            self._lock.notify_all()
