"""Subscribe, Unsubscribe and GetEvents. GetStreamingEvents is `ews.streaming`; pushes are `ews.pushing`."""

from datetime import timedelta

from procession.sandbox.ews.batch import Call, Operation, folder_of, one
from procession.sandbox.ews.names import Xml, local, m, t
from procession.sandbox.ews.soap import add
from procession.sandbox.ews.states import read_watermark, write_watermark
from procession.sandbox.ews.subscriptions import write_notification
from procession.sandbox.mailbox.store import Mailbox
from procession.sandbox.mailbox.words import Refused

_KINDS = {
    "PullSubscriptionRequest": "pull",
    "PushSubscriptionRequest": "push",
    "StreamingSubscriptionRequest": "streaming",
}


def subscribe(call: Call) -> Xml:
    return one(call, "Subscribe", lambda message: _subscribe(call, message))


def _subscribe(call: Call, message: Xml) -> None:
    request = call.request[0]
    kind = _KINDS[local(request)]
    mailbox, folders = _folders(call, request)
    types = frozenset(child.text for child in request.find(t("EventTypes")))
    more: dict[str, object] = {}
    mark = request.findtext(t("Watermark"))
    if mark:
        more["watermark"] = read_watermark(mark, mailbox.guid)
    if kind == "pull":
        more["timeout"] = timedelta(minutes=int(request.findtext(t("Timeout"))))
    if kind == "push":
        more |= _push(request)
    made = call.face.subscriptions.open(mailbox, kind, folders, types, **more)
    add(message, m("SubscriptionId"), made.id)
    if kind != "streaming":
        add(message, m("Watermark"), write_watermark(mailbox.guid, made.watermark))


def _push(request: Xml) -> dict[str, object]:
    url = (request.findtext(t("URL")) or "").strip()
    if not url.startswith(("http://", "https://")):
        raise Refused("The URL to push to is not usable.", reason="InvalidPushSubscriptionUrl")
    return {
        "url": url,
        "caller_data": request.findtext(t("CallerData")) or "",
        "frequency": timedelta(minutes=int(request.findtext(t("StatusFrequency")))),
    }


def _folders(call: Call, request: Xml) -> tuple[Mailbox, frozenset[int] | None]:
    wanted = request.find(t("FolderIds"))
    if request.get("SubscribeToAllFolders") in {"true", "1"}:
        if wanted is not None:
            raise Refused("Either all folders, or some.", reason="InvalidSubscriptionRequest")
        return call.mailbox, None
    if wanted is None:
        raise Refused("Either all folders, or some.", reason="InvalidSubscriptionRequest")
    found = [folder_of(call, one) for one in wanted]
    return found[0][0], frozenset(folder.id for _, folder in found)


def unsubscribe(call: Call) -> Xml:
    number = (call.request.findtext(m("SubscriptionId")) or "").strip()
    return one(call, "Unsubscribe", lambda _message: call.face.subscriptions.close(number))


def get_events(call: Call) -> Xml:
    def work(message: Xml) -> None:
        subscriptions = call.face.subscriptions
        found = subscriptions.find((call.request.findtext(m("SubscriptionId")) or "").strip())
        if found.kind != "pull":
            raise Refused("The subscription is not one to pull from.", reason="InvalidPullSubscriptionId")
        mailbox = call.world.mailboxes[found.mailbox.lower()]
        found.watermark = read_watermark(call.request.findtext(m("Watermark")) or "", mailbox.guid)
        events, more = subscriptions.pending(found, found.watermark)
        write_notification(message, call.world, found, events, more=more)

    return one(call, "GetEvents", work)


OPERATIONS = (
    Operation("Subscribe", subscribe),
    Operation("Unsubscribe", unsubscribe),
    Operation("GetEvents", get_events),
)
