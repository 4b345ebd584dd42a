"""A few child processes of one service: started when they are needed, one for each thread that asks, kept warm."""

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue

from procession.confined.child import Broken, Child, NotStarted
from procession.confined.limits import Limits
from procession.errors import ConfigurationError

Request = Callable[[set[str]], bytes]
"""Written for a child that knows this already; what it will know by the request is added."""

PATIENCE_SECONDS = 0.25
"""So long one waits for a child that another thread asks, and while none gets ready, before one starts one's own."""


class Pool:
    """Safe to use from several threads. `secrets`: whether a child gets our whole environment. `repeatable`: a request may be
    made twice, so that a new child answers one before anybody waits for it: its first one may take a second."""

    def __init__(
        self, service: str, limits: Limits, *, secrets: bool = False, repeatable: bool = False
    ) -> None:
        self.limits, self._repeatable = limits, repeatable
        self._service, self._secrets = service, secrets
        self._turns = _Turns(limits.processes)
        self._lock = threading.Lock()
        self._idle: list[Child] = []
        self._busy, self._is_hatching = 0, False
        self._queue: deque[SimpleQueue[Child]] = deque()
        """Those who wait for a child that another thread asks just now."""

    def warm_up(self) -> None:
        """Start a child if there is none; it gets ready while others go on."""
        with self._lock:
            if not self._idle:
                self._idle.append(self._started())

    def ask(self, request: Request, *, once: bool = False) -> bytes:
        """What a child answers. A request with which one broke is tried once more, alone in a fresh one, if it may not
        have been its fault; unless it is to be made `once`.

        Raises:
            Broken: the request broke the child.
            ConfigurationError: no child can be started.
        """
        with self._turns:
            try:
                return self._asked(self._taken(request), request)
            except Broken as broken:
                if not broken.worth_another_try or (once and not isinstance(broken, NotStarted)):
                    raise
            try:
                return self._asked(self._new(), request)
            except NotStarted as broken:
                raise ConfigurationError(
                    f"the process for {self._service} cannot be used: {broken.why}"
                ) from broken

    def greeting(self) -> bytes:
        """What a child says when it is ready.

        Raises:
            ConfigurationError: none can be started.
        """
        with self._turns:
            child = self._idle_one() or self._new()
            try:
                said = child.ready()
            except Broken as broken:
                self._lose(child)
                raise ConfigurationError(
                    f"the process for {self._service} cannot be used: {broken.why}"
                ) from broken
            self._give_back(child)
            return said

    def pids(self) -> list[int]:
        """Of the children that have nothing to do."""
        with self._lock:
            return [child.pid for child in self._idle]

    def close(self) -> None:
        """End the children; others start when they are needed."""
        with self._lock:
            ended, self._idle = self._idle, []
        for child in ended:
            child.stop()

    def _asked(self, child: Child, request: Request) -> bytes:
        is_sound = False
        try:
            answer = child.ask(request(child.known))
            is_sound = True
        finally:
            if is_sound:
                self._give_back(child)
            else:
                self._lose(child)
        return answer

    def _taken(self, request: Request) -> Child:
        """One that has nothing to do, else the next one that has answered, else one of one's own."""
        if child := self._idle_one():
            return child
        with self._lock:
            if not (self._repeatable and self._busy):
                slot = None
            else:
                slot = SimpleQueue[Child]()
                self._queue.append(slot)
        if slot is None:
            return self._new()
        self._hatch(request)
        while True:
            with suppress(Empty):
                return slot.get(timeout=PATIENCE_SECONDS)
            with self._lock:
                if slot in self._queue and not self._is_hatching:
                    self._queue.remove(slot)
                    break
        return self._new()

    def _idle_one(self) -> Child | None:
        with self._lock:
            while self._idle:
                child = self._idle.pop()
                if child.is_alive():
                    self._busy += 1
                    return child
                child.kill()  # somebody else ended it
        return None

    def _hatch(self, request: Request) -> None:
        """Beside those at work, start another child; it joins them when it has answered this."""
        with self._lock:
            if self._is_hatching or self._busy >= self.limits.processes:
                return
            self._is_hatching = True

        def hatch() -> None:
            child = None
            try:
                child = self._new()
                child.ask(request(child.known))
            except (Broken, ConfigurationError):
                if child:
                    self._lose(child)  # who needs it meets the same error
            else:
                self._give_back(child)
            finally:
                self._is_hatching = False

        threading.Thread(target=hatch, name="a child that gets ready", daemon=True).start()

    def _new(self) -> Child:
        child = self._started()
        with self._lock:
            self._busy += 1
        return child

    def _started(self) -> Child:
        try:
            return Child(self._service, self.limits, secrets=self._secrets)
        except NotStarted as broken:
            raise ConfigurationError(
                f"the process for {self._service} cannot be used: {broken.why}"
            ) from broken

    def _give_back(self, child: Child) -> None:
        with self._lock:
            if self._queue:
                self._queue.popleft().put(child)
            else:
                self._busy -= 1
                self._idle.append(child)

    def _lose(self, child: Child) -> None:
        with self._lock:
            self._busy -= 1
        child.kill()


class _Turns:
    """So many at once, in the order in which they came: who asks a thousand times in a row lets others in between."""

    def __init__(self, free: int) -> None:
        self._free, self._lock = free, threading.Lock()
        self._waiting: deque[threading.Event] = deque()

    def __enter__(self) -> None:
        with self._lock:
            if self._free:
                self._free -= 1
                return
            mine = threading.Event()
            self._waiting.append(mine)
        mine.wait()

    def __exit__(self, *_: object) -> None:
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._free += 1
