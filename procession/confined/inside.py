"""The program of a child process: it answers one request after the other until its parent is gone."""

import fcntl
import os
import resource
import select
import signal
import socket
import sys
from collections.abc import Callable

from procession.confined.channel import Channel

Answer = Callable[[bytes], bytes]


def main(service: str, number: str) -> None:
    """Args:
    service: `mails`, or `functions:MODULE:NAME`.
    number: of the file to talk over, a socket.
    """
    _end_with_parent()
    _keep_quiet()
    os.set_inheritable(int(number), False)
    channel = Channel(socket.socket(fileno=int(number)))
    greeting, answer = _served(service)
    try:
        channel.send(greeting)
        while True:
            channel.send(answer(channel.receive()))
    except (EOFError, OSError):
        return  # the parent has no more to ask


def _served(service: str) -> tuple[bytes, Answer]:
    """What it says first, and what answers its requests. Only here is imported what is needed for it."""
    kind, _, address = service.partition(":")
    if kind == "mails":
        from procession.confined.filling import filling

        return b"", filling()
    from procession.confined.calling import calling

    return calling(address)


def _end_with_parent() -> None:
    """Standard input is a pipe that only the parent holds. When it closes, the kernel kills this process and all that
    it started: nothing in here has to run for that, which may be busy for ever in a library."""
    pipe = os.dup(sys.stdin.fileno())
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, sys.stdin.fileno())
    os.close(nothing)
    if sys.platform == "linux":
        fcntl.fcntl(pipe, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(pipe, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(pipe, fcntl.F_SETFL, fcntl.fcntl(pipe, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([pipe], [], [], 0)[0]:  # it was closed before that
        raise SystemExit


def _keep_quiet() -> None:
    """Who stops the engine may signal all its processes, and this one ends when the engine has done with it. A handler,
    since what is ignored would be ignored by programs that a function starts, too. A crash leaves no core file."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
