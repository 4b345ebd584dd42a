"""The SMTP server behind `procession.testing.inbox`, on aiosmtpd: what it answers, and when it fails on purpose."""

import asyncio
import re
import ssl
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from typing_extensions import override

from procession.testing.received import Received

_ADDRESS = re.compile(r"<([\w.+-]+@[\w.-]+)>(.*)", re.DOTALL)
OK = "250 2.0.0 accepted"
Phase = Literal["MAIL", "RCPT", "DATA"]


@dataclass(slots=True)
class Faults:
    """What goes wrong next. `refusals[phase]` are replies to give in turn instead of accepting; `recipients`
    are addresses that are always refused; `drops` says for coming mails whether to note them (True) or lose
    them (False) before the connection is cut without an answer; `delay` holds every answer to DATA back."""

    refusals: dict[Phase, deque[str]] = field(
        default_factory=lambda: {"MAIL": deque(), "RCPT": deque(), "DATA": deque()}
    )
    recipients: dict[str, str] = field(default_factory=dict)
    drops: deque[bool] = field(default_factory=deque)
    delay: timedelta = timedelta()


Accept = Callable[[Received], None]
"""Called with every accepted mail, before the server says so."""


class Served:
    """The connections that are open, and the count of all there were."""

    def __init__(self) -> None:
        self.count = 0
        self._transports: set[asyncio.BaseTransport] = set()

    def add(self, transport: asyncio.BaseTransport) -> None:
        self._transports.add(transport)
        self.count += 1

    def remove(self, transport: asyncio.BaseTransport | None) -> None:
        if transport:
            self._transports.discard(transport)

    def cut(self) -> None:
        for transport in self._transports:
            transport.close()


class Handler:
    """aiosmtpd's hooks."""

    def __init__(self, faults: Faults, accept: Accept, *, pipelining: bool = True) -> None:
        self._faults, self._accept, self._pipelining = faults, accept, pipelining

    async def handle_EHLO(  # noqa: N802  named and called by aiosmtpd
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        return [*responses[:-1], "250-PIPELINING", responses[-1]] if self._pipelining else responses

    async def handle_MAIL(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if refusal := self._refusal("MAIL"):
            return refusal
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 sender ok"

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if refusal := self._faults.recipients.get(address) or self._refusal("RCPT"):
            return refusal
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 recipient ok"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """The answer; "" to cut the connection instead."""
        if self._faults.delay:
            await asyncio.sleep(self._faults.delay.total_seconds())
        if refusal := self._refusal("DATA"):
            return refusal
        drop, noted = bool(self._faults.drops), True
        if drop:
            noted = self._faults.drops.popleft()
        if noted:
            self._accept(_received(envelope))
        return "" if drop else OK

    def _refusal(self, phase: Phase) -> str:
        coming = self._faults.refusals[phase]
        return coming.popleft() if coming else ""


class QuickSmtp(SMTP):
    """Reads a message in one piece and an address by a pattern: most of the time aiosmtpd takes for a mail."""

    line_length_limit = 2**26

    def __init__(self, handler: Handler, served: Served, **options: Any) -> None:
        super().__init__(handler, **options)
        self._served = served

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._served.add(transport)
        super().connection_made(transport)

    @override
    def connection_lost(self, error: Exception | None) -> None:
        self._served.remove(self.transport)
        super().connection_lost(error)

    @override
    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        """Usual addresses without the standard library's parser of headers."""
        usual = _ADDRESS.match(arg or "")
        return (usual[1], usual[2]) if usual else super()._getaddr(arg)

    @override
    async def smtp_DATA(self, arg: str) -> None:
        if await self.check_helo_needed() or await self.check_auth_needed("DATA"):
            return
        envelope = self.envelope
        if envelope is None or not envelope.rcpt_tos or arg:
            await self.push("503 5.5.1 DATA comes after an accepted recipient, alone on its line")
            return
        await self.push("354 go ahead, and end with a dot on a line of its own")
        envelope.content = await _message(self._reader)
        answer = await self._call_handler_hook("DATA")
        self._set_post_data_state()  # type: ignore[no-untyped-call]  # aiosmtpd
        if answer:
            await self.push(answer)
        elif isinstance(self.transport, asyncio.Transport):
            self.transport.abort()


async def _message(reader: asyncio.StreamReader) -> bytes:
    """Up to the lone dot, which may come at once; doubled dots made single (RFC 5321, 4.5.2)."""
    first = await reader.readexactly(1)
    if first in b".\r":
        lines = [first + await reader.readuntil(b"\r\n")]
        while lines[-1] != b".\r\n":
            lines.append(await reader.readuntil(b"\r\n"))
        data = b"".join(lines[:-1])
    else:
        data = first + (await reader.readuntil(b"\r\n.\r\n"))[:-3]
    data = data.replace(b"\r\n..", b"\r\n.")
    return data.removeprefix(b".") if data.startswith(b"..") else data


def _received(envelope: Envelope) -> Received:
    content, recipients = envelope.content, tuple(envelope.rcpt_tos)
    data = content if isinstance(content, bytes) else b""
    return Received(envelope.mail_from or "", recipients, data, datetime.fromtimestamp(time.time(), UTC))


def protocol(
    handler: Handler,
    served: Served,
    *,
    users: Mapping[str, str],
    tls: ssl.SSLContext | None,
    smtputf8: bool = True,
) -> Callable[[], QuickSmtp]:
    """Makes the protocol of each connection. Users must sign in, if there are any; with `tls`, after STARTTLS."""

    def authenticate(
        _server: Any, _session: Any, _envelope: Any, _mechanism: str, credentials: Any
    ) -> AuthResult:
        known = isinstance(credentials, LoginPassword) and users.get(credentials.login.decode()) == (
            credentials.password.decode()
        )
        return AuthResult(success=known, handled=False)

    def make() -> QuickSmtp:
        return QuickSmtp(
            handler, served, hostname="inbox.localhost", ident="Procession inbox", enable_SMTPUTF8=smtputf8,
            auth_required=bool(users), auth_require_tls=bool(tls) or not users, authenticator=authenticate if users else None,
            tls_context=tls, require_starttls=bool(tls), loop=asyncio.get_running_loop(),
        )  # fmt: skip

    return make
