"""A small HTTP/1.1 server on h11 and asyncio, which can also misbehave on demand.

Ready-made servers answer every request politely; a fault sandbox must be able to close a connection before,
during and after an answer. So the connection loop is ours and the protocol h11's.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from email.utils import format_datetime

import h11

from procession.ports import Clock

log = logging.getLogger(__name__)

BODY_LIMIT = 64 * 1024 * 1024
"""IIS in front of Exchange takes bodies of up to 64 MB."""
IDLE_SECONDS = 120.0
_CHUNK = 256 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """`headers` by lower-case name; `path` without the query; `too_large` says the body was thrown away."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    too_large: bool = False


@dataclass(slots=True)
class Response:
    """`drop` closes the connection instead of answering; `cut` ends the body after so many bytes and closes."""

    status: int = 200
    body: bytes | AsyncIterator[bytes] = b""
    content_type: str = "text/xml; charset=utf-8"
    headers: list[tuple[str, str]] = field(default_factory=list)
    drop: bool = False
    cut: int | None = None
    delay_seconds: float = 0.0


Handler = Callable[[Request], Awaitable[Response]]


class WebServer:
    """Serves connections of asyncio's `start_server`."""

    def __init__(self, handler: Handler, clock: Clock, broken: Callable[[], Response]) -> None:
        self._handler, self._clock, self._broken = handler, clock, broken

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until either side closes it."""
        try:
            await self._converse(h11.Connection(h11.SERVER), reader, writer)
        except (ConnectionError, TimeoutError, h11.RemoteProtocolError, h11.LocalProtocolError):
            log.debug("a connection ended early")
        except asyncio.CancelledError:
            log.debug("a connection was closed with the server")
        finally:
            writer.close()

    async def _converse(
        self, http: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while True:
            try:
                request = await _read(http, reader, writer)
            except h11.RemoteProtocolError as error:
                await _bad_request(http, writer, error)
                return
            if request is None:
                return
            response = await self._respond(request)
            if response.delay_seconds:
                await asyncio.sleep(response.delay_seconds)
            if response.drop or not await self._answer(http, writer, response):
                writer.transport.abort()
                return
            if http.our_state is h11.MUST_CLOSE or http.their_state is not h11.DONE:
                return
            http.start_next_cycle()

    async def _respond(self, request: Request) -> Response:
        """What the handler says. One request that finds a mistake of ours must not take the others with it."""
        (outcome,) = await asyncio.gather(self._handler(request), return_exceptions=True)
        if isinstance(outcome, Response):
            return outcome
        log.error("a mistake of the sandbox's own", exc_info=outcome)
        return self._broken()

    async def _answer(self, http: h11.Connection, writer: asyncio.StreamWriter, response: Response) -> bool:
        """Send an answer; False when it was cut short."""
        body = response.body
        length = (
            [("Content-Length", str(len(body)))]
            if isinstance(body, bytes)
            else [("Transfer-Encoding", "chunked")]
        )
        date = [("Date", format_datetime(self._clock.now(), usegmt=True)), ("Server", "Microsoft-IIS/10.0")]
        headers = [("Content-Type", response.content_type), *length, *date, *response.headers]
        _send(http, writer, h11.Response(status_code=response.status, headers=headers))
        if isinstance(body, bytes):
            part = body if response.cut is None else body[: response.cut]
            _send(http, writer, h11.Data(data=part))
            await writer.drain()
            if response.cut is not None and response.cut < len(body):
                return False
        elif not await _stream(http, writer, body, response.cut):
            return False
        _send(http, writer, h11.EndOfMessage())
        await writer.drain()
        return True


async def _stream(
    http: h11.Connection, writer: asyncio.StreamWriter, body: AsyncIterator[bytes], cut: int | None
) -> bool:
    sent = 0
    async for piece in body:
        part = piece if cut is None else piece[: max(cut - sent, 0)]
        _send(http, writer, h11.Data(data=part))
        await writer.drain()
        sent += len(piece)
        if cut is not None and sent >= cut:
            return False
        if writer.is_closing():
            return False
    return True


def _send(http: h11.Connection, writer: asyncio.StreamWriter, event: h11.Event) -> None:
    data = http.send(event)
    if data:
        writer.write(data)


async def _bad_request(
    http: h11.Connection, writer: asyncio.StreamWriter, error: h11.RemoteProtocolError
) -> None:
    if http.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
        status = error.error_status_hint or 400
        _send(
            http,
            writer,
            h11.Response(status_code=status, headers=[("Content-Length", "0"), ("Connection", "close")]),
        )
        _send(http, writer, h11.EndOfMessage())
        await writer.drain()


async def _read(
    http: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> Request | None:
    """The next request, or None at the end. A body beyond the limit is read and thrown away, so that the client listens."""
    head: h11.Request | None = None
    parts: list[bytes] = []
    size = 0
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            if http.they_are_waiting_for_100_continue:
                _send(http, writer, h11.InformationalResponse(status_code=100, headers=[]))
            async with asyncio.timeout(IDLE_SECONDS):
                http.receive_data(await reader.read(_CHUNK))
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            size += len(event.data)
            if size <= BODY_LIMIT:
                parts.append(bytes(event.data))
            else:
                parts.clear()
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            return _request(head, b"".join(parts), too_large=size > BODY_LIMIT)
        else:
            return None


def _request(head: h11.Request, body: bytes, *, too_large: bool) -> Request:
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in head.headers}
    path = head.target.decode("latin-1").partition("?")[0]
    return Request(head.method.decode(), path, headers, body, too_large)
