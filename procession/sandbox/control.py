"""Acting on a running sandbox from outside: mail and meetings added, faults set, the ledger read.

`POST /sandbox/add-mail` and the like take and give JSON; credentials are those of any user. It is what
`procession sandbox add-mail` talks to, and what tests in other languages use.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from procession.sandbox.ews.face import EwsFace, unauthorized
from procession.sandbox.faults import read_fault
from procession.sandbox.mailbox import contents
from procession.sandbox.mailbox.store import Mailbox
from procession.sandbox.mailbox.words import Refused
from procession.sandbox.web import Request, Response


@dataclass(slots=True)
class Control:
    """The control face; it shares users, faults and world with the Exchange face."""

    face: EwsFace

    def handle(self, request: Request) -> Response:
        mailbox = self.face.authenticate(request)
        if mailbox is None:
            return unauthorized()
        action = ACTIONS.get(request.path.rpartition("/")[2])
        if action is None:
            return _json(404, {"error": f"There is no '{request.path}'.", "actions": sorted(ACTIONS)})
        try:
            return _json(200, action(self.face, mailbox, _given(request)))
        except (Refused, ValueError, KeyError, TypeError) as error:
            return _json(400, {"error": str(error)})


def _given(request: Request) -> dict[str, Any]:
    given = json.loads(request.body or b"{}")
    if not isinstance(given, dict):
        raise Refused("A JSON object is expected.")
    return given


def _json(status: int, value: object) -> Response:
    return Response(status, json.dumps(value, default=str).encode(), "application/json")


def _moment(face: EwsFace, text: str | None) -> datetime:
    if not text:
        return face.world.moment().replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    value = datetime.fromisoformat(text)
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)


def _add_mail(face: EwsFace, mailbox: Mailbox, given: Mapping[str, Any]) -> dict[str, Any]:
    to = face.world.mailbox(given["to"]) if given.get("to") else mailbox
    if to is None:
        raise Refused(f"There is no user {given['to']}.")
    sender = str(given.get("from") or "customer@elsewhere.test")
    item = contents.add_mail(to, sender, str(given.get("subject") or "A mail"), str(given.get("text") or ""))
    return {"message_id": item.values["message_id"], "to": to.address}


def _add_meeting(face: EwsFace, mailbox: Mailbox, given: Mapping[str, Any]) -> dict[str, Any]:
    owner = face.world.mailbox(given["organizer"]) if given.get("organizer") else mailbox
    if owner is None:
        raise Refused(f"There is no user {given['organizer']}.")
    start = _moment(face, given.get("start"))
    item = contents.add_meeting(
        face.world,
        owner,
        str(given.get("subject") or "A meeting"),
        (start, start + timedelta(minutes=float(given.get("minutes") or 60))),
        [str(address) for address in given.get("attendees") or ()],
    )
    return {"uid": item.values["uid"], "organizer": owner.address, "start": item.values["start"].isoformat()}


def _fault(face: EwsFace, _mailbox: Mailbox, given: Mapping[str, Any]) -> dict[str, Any]:
    if given.get("clear"):
        face.faults.clear()
    for text in given.get("faults") or ():
        face.faults.add(read_fault(str(text)))
    return {"faults": [asdict(fault) for fault in face.faults.faults]}


def _ledger(face: EwsFace, _mailbox: Mailbox, _given: Mapping[str, Any]) -> dict[str, Any]:
    return {"ledger": [asdict(line) for line in face.world.ledger]}


ACTIONS: Mapping[str, Callable[[EwsFace, Mailbox, Mapping[str, Any]], dict[str, Any]]] = {
    "add-mail": _add_mail,
    "add-meeting": _add_meeting,
    "faults": _fault,
    "ledger": _ledger,
}
