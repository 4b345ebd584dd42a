"""A few child processes of one service: started when they are needed, one for each thread that asks, kept warm."""

import threading
from collections.abc import Callable

from procession.confined.child import Broken, Child, NotStarted
from procession.confined.limits import Limits
from procession.errors import ConfigurationError

Request = Callable[[set[str]], bytes]
"""Written for a child that knows this already; what it will know by the request is added."""


class Pool:
    """Safe to use from several threads. `secrets`: whether a child gets our whole environment."""

    def __init__(self, service: str, limits: Limits, *, secrets: bool = False) -> None:
        self.limits = limits
        self._service, self._secrets = service, secrets
        self._turns = threading.BoundedSemaphore(limits.processes)
        self._lock = threading.Lock()
        self._idle: list[Child] = []

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
                return self._asked(self._taken(), request)
            except Broken as broken:
                if not broken.worth_another_try or (once and not isinstance(broken, NotStarted)):
                    raise
            try:
                return self._asked(self._started(), request)
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
            child = self._taken()
            try:
                said = child.ready()
            except Broken as broken:
                child.kill()
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
                child.kill()
        return answer

    def _taken(self) -> Child:
        with self._lock:
            while self._idle:
                child = self._idle.pop()
                if child.is_alive():
                    return child
                child.kill()  # somebody else ended it
        return self._started()

    def _started(self) -> Child:
        try:
            return Child(self._service, self.limits, secrets=self._secrets)
        except NotStarted as broken:
            raise ConfigurationError(
                f"the process for {self._service} cannot be used: {broken.why}"
            ) from broken

    def _give_back(self, child: Child) -> None:
        with self._lock:
            self._idle.append(child)
