"""One child process as its parent sees it: started, asked, watched, ended.

The child's standard input is a pipe that only this process holds. When this process is gone, even by kill -9, the kernel
closes it and kills the child, whatever that is at (`inside`).
"""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress

import psutil

from procession.confined.channel import LOOK_SECONDS, MOST_BYTES, Channel, TooLong
from procession.confined.limits import NO_MEMORY, Limits

MB = 1_000_000
START_SECONDS = 60
"""It takes a quarter of a second; a machine may be busy."""
STOP_SECONDS = 1
PROGRAM = "import sys; sys.path[:] = sys.argv[3:]; from procession.confined.inside import main; main(*sys.argv[1:3])"
SECRETS_STAY = re.compile(
    r"PATH|HOME|LANG|LC_.*|TMPDIR|TEMP|TMP|SYSTEMROOT|PYTHON.*|VIRTUAL_ENV|LD_.*|DYLD_.*"
)
"""Variables of ours that a child gets which needs no secret."""


class Broken(Exception):
    """The child did not answer, and must not be asked again. `worth_another_try`: it may not have been the request's
    fault."""

    def __init__(self, why: str, *, worth_another_try: bool, is_timeout: bool = False) -> None:
        super().__init__(why)
        self.why, self.worth_another_try, self.is_timeout = why, worth_another_try, is_timeout


class NotStarted(Broken):
    """It was never ready for a request."""


class Child:
    """`greeting` is what it said when it was ready; None before that. `known` is what its users note of it."""

    def __init__(self, service: str, limits: Limits, *, secrets: bool) -> None:
        """Start it, and return at once.

        Raises:
            NotStarted: the system starts no process.
        """
        self._limits, self._answered, self._bytes_at_start = limits, 0, 0
        self._secrets = secrets
        self.greeting: bytes | None = None
        self.known: set[str] = set()
        ours, its = socket.socketpair()
        with its:
            try:
                self._process = subprocess.Popen(  # noqa: S603  # this Python, our module
                    [sys.executable, "-P", "-c", PROGRAM, service, str(its.fileno()), *_import_path()],
                    env=None if secrets else _without_secrets(),
                    pass_fds=[its.fileno()],
                    stdin=subprocess.PIPE,
                    stdout=_STDERR if secrets else subprocess.DEVNULL,  # `--json` is ours alone
                    stderr=None if secrets else subprocess.DEVNULL,
                    start_new_session=True,  # Ctrl-C is the parent's
                )
            except OSError as error:
                ours.close()
                raise NotStarted(f"it cannot be started: {error}", worth_another_try=False) from error
        self._channel = Channel(ours)

    def is_alive(self) -> bool:
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        return self._process.pid

    def ready(self) -> bytes:
        """Its greeting, once it is ready.

        Raises:
            NotStarted: it ended instead.
        """
        if self.greeting is None:
            until = time.monotonic() + START_SECONDS

            def watch() -> None:
                if time.monotonic() > until:
                    raise NotStarted(f"it did not start in {START_SECONDS} s", worth_another_try=True)

            try:
                self.greeting = self._channel.receive(watch)
            except (EOFError, OSError, TooLong) as error:
                raise NotStarted(
                    f"{self._how_it_ended()} while it started", worth_another_try=True
                ) from error
            self._bytes_at_start = self._bytes()
        return self.greeting

    def ask(self, request: bytes) -> bytes:
        """Raises:
        Broken: it ended, or took more than it may.
        """
        self.ready()
        if len(request) > MOST_BYTES:
            raise Broken("too much would have to be handed over for it", worth_another_try=False)
        watch = _Watch(self)
        try:
            self._channel.send(request, watch)
            answer = self._channel.receive(watch)
        except TooLong as error:
            raise Broken("its answer is too long", worth_another_try=False) from error
        except (EOFError, OSError) as error:
            raise Broken(self._how_it_ended(), worth_another_try=True) from error
        self._answered += 1
        return answer

    def look(self) -> None:
        """Raises:
        Broken: it has ended (and what it started holds on to its end of the channel), or has taken more memory than it
            may. What earlier requests left behind counts too, so one that was not the first deserves another try.
        """
        if not self.is_alive():
            raise Broken(self._how_it_ended(), worth_another_try=True)
        if self._bytes() > self._bytes_at_start + self._limits.memory_mb * MB:
            limit = f"{self._limits.memory_mb} MB ({self._limits.settings}.memory_mb)"
            raise Broken(f"it takes more memory than {limit}", worth_another_try=self._answered > 0)

    def cpu_seconds(self) -> float:
        try:
            times = psutil.Process(self.pid).cpu_times()
        except psutil.Error:
            return 0
        return float(times.user + times.system)

    @property
    def limits(self) -> Limits:
        return self._limits

    def _bytes(self) -> int:
        try:
            return int(psutil.Process(self.pid).memory_info().rss)
        except psutil.Error:
            return 0

    def _how_it_ended(self) -> str:
        try:
            code = self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            return "its process closed all its files"
        if code == NO_MEMORY:
            return "there is no memory left for it"
        if code in (-signal.SIGKILL, -signal.SIGTERM):
            return f"its process was killed ({signal.Signals(-code).name})"
        if code < 0:
            return f"its process crashed ({signal.Signals(-code).name})"
        return f"its process ended (exit code {code})"

    def kill(self) -> None:
        """With all that it started."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        self._close()

    def stop(self) -> None:
        """What an application runs in it may have something to write down when it ends."""
        if self._secrets and self.greeting is not None:
            self._channel.close()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_SECONDS)
        self.kill()

    def _close(self) -> None:
        self._channel.close()
        if self._process.stdin:
            self._process.stdin.close()


class _Watch:
    """Looks at a child that has a request."""

    def __init__(self, child: Child) -> None:
        self._child, self._began = child, time.monotonic()
        self._looked = self._began
        self._cpu: float | None = None

    def __call__(self) -> None:
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        if self._cpu is None:
            self._cpu = self._child.cpu_seconds()
        seconds, settings = self._child.limits.timeout_seconds, self._child.limits.settings
        if now - self._began > seconds:
            raise Broken(
                f"it takes longer than {seconds:g} s ({settings}.timeout_seconds)",
                worth_another_try=self._child.cpu_seconds() - self._cpu < seconds / 2,  # it hardly ran
                is_timeout=True,
            )
        self._child.look()


_STDERR = 2


def _import_path() -> list[str]:
    """What this process imports from: not in an environment variable, which programs that a function starts would see."""
    return [os.path.abspath(entry) for entry in sys.path]  # noqa: PTH100  # "" is this folder


def _without_secrets() -> dict[str, str]:
    """An environment. It goes by the zones of tzdata, which are the same on every machine."""
    passed_on = {name: value for name, value in os.environ.items() if SECRETS_STAY.fullmatch(name)}
    return {**passed_on, "PYTHONTZPATH": ""}
