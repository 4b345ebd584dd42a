"""A local inbox: a real SMTP server on loopback that keeps what it gets, for demos, tests and benchmarks.

    with Inbox() as inbox:                      # in a thread of this process
        ...                                     # send to inbox.host, inbox.port
        [mail] = inbox.wait_for(1)
        assert mail.subject == "Meeting on Friday"

    python -m procession.testing.inbox --port 0 --maildir mails     # a process of its own

The process prints one JSON line with its port, and appends one JSON line for each mail to
`mails/accepted.jsonl` before it answers 250: what is not in that file was never accepted, whoever is killed.
"""

import argparse
import asyncio
import json
import os
import ssl
import sys
import threading
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from procession.testing.inbox_server import Accept, Faults, Handler, Phase, Served, protocol
from procession.testing.received import Received

Security = Literal["none", "starttls", "tls"]
PATIENCE = timedelta(seconds=10)


class Inbox:
    """A mail server in a thread, on a free port of 127.0.0.1. Its mails stay readable after it is closed."""

    host = "127.0.0.1"

    def __init__(
        self,
        *,
        users: Mapping[str, str] | None = None,
        security: Security = "none",
        tls: ssl.SSLContext | None = None,
        pipelining: bool = True,
        smtputf8: bool = True,
    ) -> None:
        """Args:
        users: `{name: password}`; if there are any, one must sign in.
        tls: what `security` starttls and tls need (`procession.testing.certificate`).
        """
        self.port = 0
        self.faults = Faults()
        self._mails: list[Received] = []
        self._arrived = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._served = Served()
        handler = Handler(self.faults, self._accept, pipelining=pipelining)
        starttls = tls if security == "starttls" else None
        self._make = protocol(handler, self._served, users=users or {}, tls=starttls, smtputf8=smtputf8)
        self._tls = tls if security == "tls" else None
        self._thread = threading.Thread(target=self._loop.run_forever, name="inbox", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def mails(self) -> list[Received]:
        """What has come so far, oldest first."""
        with self._arrived:
            return list(self._mails)

    @property
    def connections(self) -> int:
        """How many there were, open or not."""
        return self._served.count

    def clear(self) -> None:
        with self._arrived:
            self._mails.clear()

    def wait_for(self, count: int, timeout: timedelta = PATIENCE) -> list[Received]:
        """The mails, as soon as there are `count`.

        Raises:
            TimeoutError: there are fewer when the time is up.
        """
        with self._arrived:
            if not self._arrived.wait_for(lambda: len(self._mails) >= count, timeout.total_seconds()):
                raise TimeoutError(
                    f"{len(self._mails)} of {count} mails came within {timeout.total_seconds():g} s"
                )
            return list(self._mails)

    def refuse_next(self, reply: str, *, times: int = 1, at: Phase = "DATA") -> None:
        """Answer the next `times` commands of this kind with `reply` (`451 4.3.0 later`, `550 5.1.1 no`)."""
        self.faults.refusals[at].extend([reply] * times)

    def refuse_recipient(self, address: str, reply: str = "550 5.1.1 nobody of this name") -> None:
        self.faults.recipients[address] = reply

    def drop_next(self, times: int = 1, *, accepted: bool = True) -> None:
        """Cut the connection after the next mails instead of answering, having taken them or not."""
        self.faults.drops.extend([accepted] * times)

    def cut_connections(self) -> None:
        """Close every open connection, as a server does with idle ones."""
        asyncio.run_coroutine_threadsafe(self._cut(), self._loop).result()

    def _accept(self, mail: Received) -> None:
        with self._arrived:
            self._mails.append(mail)
            self._arrived.notify_all()

    async def _listen(self) -> asyncio.Server:
        return await self._loop.create_server(self._make, self.host, self.port, ssl=self._tls)

    async def _cut(self) -> None:
        self._served.cut()
        await asyncio.sleep(0)

    async def _stop(self) -> None:
        self._server.close()
        await self._cut()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class MailFolder:
    """Keeps accepted mails: a line each in `accepted.jsonl`, their bytes in `new/<number>.eml`."""

    def __init__(self, folder: Path, *, contents: bool = True) -> None:
        (folder / "new").mkdir(parents=True, exist_ok=True)
        self._folder, self._contents = folder, contents
        self._number = sum(1 for _ in (folder / "new").iterdir())
        self._log = os.open(folder / "accepted.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def accept(self, mail: Received) -> None:
        """The line is with the operating system when this returns: killing this process cannot lose it."""
        self._number += 1
        if self._contents:
            (self._folder / "new" / f"{self._number:07}.eml").write_bytes(mail.data)
        line = {
            "at": mail.received_at.timestamp(), "from": mail.sender, "to": mail.recipients,
            "message_id": _header(mail.data, b"message-id"), "bytes": len(mail.data),
        }  # fmt: skip
        os.write(self._log, json.dumps(line).encode() + b"\n")


def _header(data: bytes, name: bytes) -> str:
    """One header's value; headers are few and this is on the way of every mail, so nothing is parsed."""
    for line in data.partition(b"\r\n\r\n")[0].split(b"\r\n"):
        key, _, value = line.partition(b":")
        if key.lower() == name:
            return value.strip().decode("utf-8", "replace")
    return ""


async def serve(host: str, port: int, accept: Accept) -> None:
    """Serve until cancelled; prints `{"host": …, "port": …, "pid": …}` when it listens."""
    make = protocol(Handler(Faults(), accept), Served(), users={}, tls=None)
    server = await asyncio.get_running_loop().create_server(make, host, port)
    where = {"host": host, "port": server.sockets[0].getsockname()[1], "pid": os.getpid()}
    sys.stdout.write(json.dumps(where) + "\n")
    sys.stdout.flush()
    async with server:
        await server.serve_forever()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run as a process of its own until it is interrupted."""
    parser = argparse.ArgumentParser(
        prog="python -m procession.testing.inbox", description="A local mail inbox."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--maildir", type=Path, required=True, help="folder for accepted.jsonl and new/*.eml")
    parser.add_argument("--no-contents", action="store_true", help="keep the lines only, not the mails")
    options = parser.parse_args(arguments)
    folder = MailFolder(options.maildir, contents=not options.no_contents)
    try:
        asyncio.run(serve(options.host, options.port, folder.accept))
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
