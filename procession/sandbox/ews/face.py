"""The Exchange face: an HTTP request in, a reply out, faults on the way.

Order: credentials, envelope and schema, faults that strike before, the operation, faults that strike after.
"""

import base64
import binascii
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta

from lxml import etree

from procession.sandbox.ews import soap
from procession.sandbox.ews.batch import Call, Operation, operation_since
from procession.sandbox.ews.names import Xml, local, m, t
from procession.sandbox.ews.operations import OPERATIONS
from procession.sandbox.ews.soap import VERSIONS, Envelope, SoapFault
from procession.sandbox.ews.streaming import stream
from procession.sandbox.ews.subscriptions import Subscriptions
from procession.sandbox.faults import CallFaults, FaultPlan
from procession.sandbox.mailbox import posting
from procession.sandbox.mailbox.store import Mailbox
from procession.sandbox.mailbox.words import Refused
from procession.sandbox.mailbox.world import World
from procession.sandbox.web import Request, Response

BY_NAME: dict[str, Operation] = {operation.element or operation.name: operation for operation in OPERATIONS}
BUSY = "The server cannot service this request right now. Try again later."


@dataclass(slots=True)
class EwsFace:
    """`version` is the newest version served; `delegates` are (user, other mailbox) pairs that may open each other.

    `check_replies` holds every reply against the schema; what fails is listed in `reply_problems`.
    """

    world: World
    faults: FaultPlan
    version: str = "Exchange2016"
    log: Callable[[str], None] | None = None
    check_replies: bool = False
    delegates: set[tuple[str, str]] = field(default_factory=set)
    reply_problems: list[str] = field(default_factory=list)
    subscriptions: Subscriptions = field(init=False)
    seen: list[Xml] | None = None
    """If a list, each reply's body is kept here (for tests)."""

    def __post_init__(self) -> None:
        self.subscriptions = Subscriptions(self.world)

    async def handle(self, request: Request) -> Response:
        """Answer `POST /EWS/Exchange.asmx`."""
        started = time.perf_counter()
        mailbox = self.authenticate(request)
        if mailbox is None:
            return unauthorized()
        if request.method != "POST":
            return Response(200, b"<html><body>The service is running.</body></html>", "text/html")
        if request.too_large:
            return Response(413, b"", "text/plain")
        name, notes = "?", list[str]()
        try:
            envelope = soap.read(request.body)
            name = operation_name(envelope.body)
            found = self.faults.take(name, request.headers.get("x-sandbox-fault", ""))
            response = self.before(found) or self._answer(mailbox, envelope, found, notes)
        except SoapFault as fault:
            response, notes = Response(fault.status, soap.fault(fault)), [fault.code]
        except Refused as refusal:
            whole = SoapFault(refusal.message, code=f"Error{refusal.reason}")
            response, notes = Response(whole.status, soap.fault(whole)), [whole.code]
        if self.log is not None:
            self.log(_line(mailbox, name, response, notes, time.perf_counter() - started))
        return response

    def authenticate(self, request: Request) -> Mailbox | None:
        """Whose Basic credentials a request carries."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            user, _, password = base64.b64decode(token, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        return self.world.logon(user, password)

    def before(self, found: CallFaults) -> Response | None:
        """The answer of a fault that strikes before anything is done.

        Raises:
            SoapFault: of a fault that is one.
        """
        if found.get("drop"):
            return Response(drop=True)
        if fault := found.get("busy-http"):
            return Response(
                503,
                b"Service unavailable",
                "text/plain",
                [("Retry-After", fault.argument)] if fault.argument else [],
            )
        if found.get("unauthorized"):
            return unauthorized()
        if found.get("redirect"):
            return Response(302, b"", "text/html", [("Location", "/ews/genericerrorpage.htm")])
        if fault := found.get("error"):
            raise SoapFault(f"The fault '{fault.argument}' was asked for.", code=fault.argument)
        if fault := found.get("busy-fault"):
            raise SoapFault(BUSY, code="ErrorServerBusy", backoff=int(fault.number))
        if fault := found.get("delay"):
            # Nothing is done: by the time the answer comes, the client has gone.
            return Response(drop=True, delay_seconds=fault.number)
        return None

    def _answer(self, mailbox: Mailbox, envelope: Envelope, found: CallFaults, notes: list[str]) -> Response:
        call = self._call(mailbox, envelope, found)
        call.notes = notes
        version = self._version(envelope)
        if local(envelope.body) == "GetStreamingEvents":
            cut = found.get("cut")
            return Response(
                200, stream(call, self.subscriptions, version), cut=int(cut.number) if cut else None
            )
        with self._circumstances(found):
            body = BY_NAME[local(envelope.body)].run(call)
        self.examine(body)
        return _after(Response(200, soap.reply(body, version)), found)

    @contextmanager
    def _circumstances(self, found: CallFaults) -> Iterator[None]:
        """The clock and the transport as the faults of one request will have them."""
        posting.settle(self.world)
        self.world.skew, self.world.copies_late = _span(found, "skew"), _span(found, "late-copy")
        try:
            yield
        finally:
            self.world.skew = self.world.copies_late = timedelta()

    def _call(self, mailbox: Mailbox, envelope: Envelope, found: CallFaults) -> Call:
        operation = BY_NAME.get(local(envelope.body))
        self._version(envelope)
        rank = VERSIONS[envelope.version][0]
        if operation is None and local(envelope.body) != "GetStreamingEvents":
            raise SoapFault(
                f"The operation '{local(envelope.body)}' is not served here.", code="ErrorInvalidRequest"
            )
        if operation is not None:
            operation_since(operation, rank)
        if envelope.impersonated:
            other = self.world.mailbox(envelope.impersonated)
            if other is None:
                raise SoapFault(
                    "The SMTP address has no mailbox associated with it.", code="ErrorNonExistentMailbox"
                )
            mailbox = other
        return Call(self.world, mailbox, envelope.body, rank, envelope.timezone, found, self)

    def _version(self, envelope: Envelope) -> str:
        """The version to answer as.

        Raises:
            SoapFault: unknown, or newer than this server.
        """
        asked = VERSIONS.get(envelope.version)
        if asked is None or asked[0] > VERSIONS[self.version][0]:
            raise SoapFault("The specified server version is invalid.", code="ErrorInvalidServerVersion")
        return self.version

    def examine(self, body: Xml) -> None:
        """Hold a reply against the schema, if that is asked for."""
        if self.check_replies:
            # A tree of its own: namespaces declared above would otherwise hide from the check.
            copied = etree.fromstring(etree.tostring(body))
            # Exchange writes these two in another namespace than its schema says, and clients read them there.
            for parent, name in (
                ("Notifications", "Notification"),
                ("ErrorSubscriptionIds", "SubscriptionId"),
            ):
                for odd in copied.iterfind(f".//{m(parent)}/{m(name)}"):
                    odd.tag = t(name)
            if not soap.schema().validate(copied):
                self.reply_problems.append(f"{local(body)}: {soap.schema().error_log[0].message}")
            if self.seen is not None:
                self.seen.append(copied)


def operation_name(body: Xml) -> str:
    """What an operation is called in logs and faults: `GetUserAvailability`, though its element ends in Request."""
    known = BY_NAME.get(local(body))
    return known.name if known is not None else local(body)


def _span(found: CallFaults, kind: str) -> timedelta:
    fault = found.get(kind)
    return timedelta(seconds=fault.number) if fault else timedelta()


def _after(response: Response, found: CallFaults) -> Response:
    """What strikes when everything is done."""
    if found.get("drop-reply"):
        return replace(response, drop=True)
    if fault := found.get("delay-reply"):
        response = replace(response, delay_seconds=fault.number)
    if fault := found.get("cut"):
        response = replace(response, cut=int(fault.number))
    return response


def broken() -> Response:
    """The answer to a request that finds a mistake of the sandbox's own."""
    return Response(
        500, soap.fault(SoapFault("An internal server error occurred.", code="ErrorInternalServerError"))
    )


def unauthorized() -> Response:
    return Response(401, b"", "text/plain", [("WWW-Authenticate", 'Basic realm="sandbox"')])


def _line(mailbox: Mailbox, name: str, response: Response, notes: list[str], seconds: float) -> str:
    how = "dropped" if response.drop else str(response.status)
    return f"ews {mailbox.address} {name} {how} {seconds * 1000:.1f} ms {' '.join(notes)}".rstrip()
