"""What is served where: the paths of the web server, the mail faces beside it, and the work that goes on between requests."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from procession.sandbox.control import Control
from procession.sandbox.ews.autodiscover import Autodiscover
from procession.sandbox.ews.face import EwsFace
from procession.sandbox.ews.pushing import push
from procession.sandbox.faults import FaultPlan
from procession.sandbox.imap.face import ImapFace
from procession.sandbox.mailbox.world import World
from procession.sandbox.pop3 import Pop3Face
from procession.sandbox.smtp import SmtpFace
from procession.sandbox.web import Request, Response


@dataclass(slots=True)
class Site:
    """The faces of a sandbox."""

    world: World
    faults: FaultPlan
    version: str
    log: Callable[[str], None] | None
    check_replies: bool
    ews: EwsFace = field(init=False)
    autodiscover: Autodiscover = field(init=False)
    control: Control = field(init=False)
    smtp: SmtpFace = field(init=False)
    imap: ImapFace = field(init=False)
    pop3: Pop3Face = field(init=False)

    def __post_init__(self) -> None:
        self.ews = EwsFace(self.world, self.faults, self.version, self.log, self.check_replies)
        self.autodiscover = Autodiscover(self.ews)
        self.control = Control(self.ews)
        self.smtp = SmtpFace(self.world, self.faults, self.log)
        self.imap = ImapFace(self.world, self.faults, self.log)
        self.pop3 = Pop3Face(self.world, self.faults, self.log)

    async def handle(self, request: Request) -> Response:
        path = request.path.lower()
        if path == "/ews/exchange.asmx":
            return await self.ews.handle(request)
        if path.startswith("/autodiscover/autodiscover."):
            return self.autodiscover.handle(request)
        if path.startswith("/sandbox/"):
            return self.control.handle(request)
        return Response(404, b"Not found", "text/plain")

    def listening_at(self, root: str) -> None:
        """Tell the faces that name their own address where the web server listens."""
        self.autodiscover.url = f"{root}/EWS/Exchange.asmx"

    def background(self) -> list[asyncio.Task[None]]:
        return [asyncio.get_running_loop().create_task(push(self.ews.subscriptions, self.version))]
