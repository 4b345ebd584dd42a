"""The SMTP face: mail in, by aiosmtpd. Local addresses are taken from anybody, others only after AUTH.

A mail taken is delivered at once; an authenticated user sends only as themselves.
"""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from procession.sandbox.faults import CallFaults, FaultPlan
from procession.sandbox.mailbox import posting
from procession.sandbox.mailbox.world import World

SIZE_LIMIT = 35 * 1024 * 1024


@dataclass(slots=True)
class SmtpFace:
    world: World
    faults: FaultPlan
    log: Callable[[str], None] | None = None

    async def serve(self, host: str, port: int, tls: ssl.SSLContext | None) -> asyncio.Server:
        """Listen; with a certificate, STARTTLS is offered."""
        loop = asyncio.get_running_loop()
        return await loop.create_server(lambda: self._protocol(loop, tls), host, port)

    def _protocol(self, loop: asyncio.AbstractEventLoop, tls: ssl.SSLContext | None) -> SMTP:
        return SMTP(
            _Handler(self),
            data_size_limit=SIZE_LIMIT,
            enable_SMTPUTF8=True,
            hostname="sandbox.local",
            ident="Procession sandbox",
            tls_context=tls,
            authenticator=self._authenticate,
            auth_require_tls=False,
            loop=loop,
        )

    def _authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any
    ) -> AuthResult:
        if not isinstance(data, LoginPassword):
            return AuthResult(success=False, handled=False)
        mailbox = self.world.logon(
            data.login.decode("utf-8", "replace"), data.password.decode("utf-8", "replace")
        )
        return AuthResult(success=mailbox is not None, handled=False, auth_data=mailbox)


class _Handler:
    """aiosmtpd's hooks. Each gives the reply line."""

    def __init__(self, face: SmtpFace) -> None:
        self._face = face

    async def handle_MAIL(  # noqa: N802 - named by aiosmtpd
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        early = await _before(server, self._face.faults.take("smtp.MAIL"))
        if early:
            return early
        user: Any = session.auth_data
        if user is not None and address and address.lower() != user.address.lower():
            return "550 5.7.60 SMTP; Client does not have permissions to send as this sender"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 Sender OK"

    async def handle_RCPT(  # noqa: N802 - named by aiosmtpd
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        early = await _before(server, self._face.faults.take("smtp.RCPT"))
        if early:
            return early
        local = address.rpartition("@")[2].lower() in posting.domains(self._face.world)
        if local and self._face.world.mailbox(address) is None:
            return "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup"
        user: Any = session.auth_data
        if not local and user is None:
            return "550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 Recipient OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - named by aiosmtpd
        found = self._face.faults.take("smtp.DATA")
        early = await _before(server, found)
        if early:
            return early
        content = (
            envelope.content if isinstance(envelope.content, bytes) else (envelope.content or "").encode()
        )
        posting.receive(self._face.world, content, envelope.rcpt_tos, sender=envelope.mail_from or "")
        if self._face.log is not None:
            self._face.log(
                f"smtp {envelope.mail_from} DATA {len(content)} bytes for {len(envelope.rcpt_tos)}"
            )
        if found.get("drop-reply"):
            _abort(server)
        if fault := found.get("delay-reply"):
            await asyncio.sleep(fault.number)
        return "250 2.6.0 Queued mail for delivery"


def _abort(server: SMTP) -> None:
    transport: Any = server.transport
    if transport is not None:
        transport.abort()


async def _before(server: SMTP, found: CallFaults) -> str:
    """The reply of a fault that strikes first, or nothing."""
    if found.get("drop"):
        _abort(server)
        return "421 4.3.2 Service not available"
    if fault := found.get("delay"):
        await asyncio.sleep(fault.number)
        _abort(server)
        return "421 4.4.2 Connection timed out"
    if found.get("busy") or found.get("busy-fault") or found.get("busy-http"):
        return "451 4.3.2 The server is busy. Try again later"
    if fault := found.get("error") or found.get("inner"):
        return fault.argument if fault.argument[:3].isdigit() else f"554 5.0.0 {fault.argument}"
    return ""
