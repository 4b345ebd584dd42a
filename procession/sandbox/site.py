"""What is served where: the paths of the web server, and the mail faces beside it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from procession.sandbox.ews.face import EwsFace
from procession.sandbox.faults import FaultPlan
from procession.sandbox.mailbox.world import World
from procession.sandbox.web import Request, Response


@dataclass(slots=True)
class Site:
    """The faces of a sandbox. `root` is the web server's address, known when it listens."""

    world: World
    faults: FaultPlan
    version: str
    log: Callable[[str], None] | None
    check_replies: bool
    root: str = ""
    ews: EwsFace = field(init=False)

    def __post_init__(self) -> None:
        self.ews = EwsFace(self.world, self.faults, self.version, self.log, self.check_replies)

    async def handle(self, request: Request) -> Response:
        path = request.path.lower()
        if path == "/ews/exchange.asmx":
            return await self.ews.handle(request)
        return Response(404, b"Not found", "text/plain")

    def mail_faces(self, _how: object) -> list[object]:
        return []
