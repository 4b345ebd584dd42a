"""How many mails a second: a token bucket that holds one second's worth."""

import threading
import time
from collections.abc import Callable


class Pace:
    """`per_second` 0 is no limit. A burst of up to one second's worth is let through at once."""

    def __init__(
        self,
        per_second: float,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._per_second, self._monotonic, self._sleep = per_second, monotonic, sleep
        self._tokens = max(1.0, per_second)
        self._filled_at = monotonic()
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Return when it is this mail's turn."""
        if self._per_second > 0 and (seconds := self._reserve()) > 0:
            self._sleep(seconds)

    def _reserve(self) -> float:
        """Take a token, on credit if there is none; returns the seconds until it will be there."""
        with self._lock:
            now = self._monotonic()
            grown = self._tokens + (now - self._filled_at) * self._per_second
            self._tokens = min(max(1.0, self._per_second), grown) - 1
            self._filled_at = now
            return -self._tokens / self._per_second
