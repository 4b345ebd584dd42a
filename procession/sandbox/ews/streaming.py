"""GetStreamingEvents: one HTTP reply that goes on, a SOAP document for each burst of events.

Documents come one after another without a frame. Events of a burst are put together; while nothing happens
a status event keeps the connection alive.
"""

import asyncio
from collections.abc import AsyncIterator

from procession.sandbox.ews import soap
from procession.sandbox.ews.batch import Call
from procession.sandbox.ews.names import Xml, m
from procession.sandbox.ews.soap import add, element
from procession.sandbox.ews.subscriptions import Subscription, Subscriptions, write_notification
from procession.sandbox.mailbox.words import Refused

HEARTBEAT_SECONDS = 20.0
GATHER_SECONDS = 0.02
MOST = 200


async def stream(call: Call, subscriptions: Subscriptions, version: str) -> AsyncIterator[bytes]:
    """The documents of one streaming connection, until its time is over."""
    loop = asyncio.get_running_loop()
    wanted = [(one.text or "").strip() for one in call.request.find(m("SubscriptionIds"))]
    until = loop.time() + 60 * int(call.request.findtext(m("ConnectionTimeout")))
    woken = asyncio.Event()
    subscriptions.woken.append(woken.set)
    try:
        found, missing = _find(call, subscriptions, wanted)
        if missing:
            yield _document(_error(missing), call, version)
            return
        yield _document(_message("OK"), call, version)
        while loop.time() < until:
            woken.clear()
            try:
                reply = _burst(call, subscriptions, found)
            except Refused as refusal:
                yield _document(_error([one.id for one in found], refusal), call, version)
                return
            if reply is not None:
                yield _document(reply, call, version)
            elif not await _wait(woken, min(HEARTBEAT_SECONDS, until - loop.time())):
                yield _document(_heartbeat(call, found), call, version)
        yield _document(_message("Closed"), call, version)
    finally:
        subscriptions.woken.remove(woken.set)


async def _wait(woken: asyncio.Event, seconds: float) -> bool:
    """Wait for an event, and a little longer for those that come with it."""
    try:
        async with asyncio.timeout(max(seconds, 0.0)):
            await woken.wait()
    except TimeoutError:
        return False
    await asyncio.sleep(GATHER_SECONDS)
    return True


def _find(
    call: Call, subscriptions: Subscriptions, wanted: list[str]
) -> tuple[list[Subscription], list[str]]:
    found, missing = [], []
    for number in wanted[:MOST]:
        subscription = subscriptions.active.get(number)
        if (
            subscription is None
            or subscription.kind != "streaming"
            or subscription.mailbox != call.mailbox.address
        ):
            missing.append(number)
        else:
            found.append(subscription)
    return found, missing


def _burst(call: Call, subscriptions: Subscriptions, found: list[Subscription]) -> Xml | None:
    """A reply with everything that is pending, or None."""
    pending = [(one, *subscriptions.pending(one, one.watermark)) for one in found]
    if not any(events for _, events, _ in pending):
        return None
    response, message = _open()
    notifications = add(message, m("Notifications"))
    for subscription, events, more in pending:
        if events:
            write_notification(notifications, call.world, subscription, events, more=more)
    return response


def _open() -> tuple[Xml, Xml]:
    response = element("GetStreamingEventsResponse")
    message = add(
        add(response, m("ResponseMessages")),
        m("GetStreamingEventsResponseMessage"),
        None,
        ResponseClass="Success",
    )
    add(message, m("ResponseCode"), "NoError")
    return response, message


def _message(status: str) -> Xml:
    response, message = _open()
    add(message, m("ConnectionStatus"), status)
    return response


def _heartbeat(call: Call, found: list[Subscription]) -> Xml:
    response, message = _open()
    notifications = add(message, m("Notifications"))
    for subscription in found:
        write_notification(notifications, call.world, subscription, (), more=False)
    return response


def _error(numbers: list[str], refusal: Refused | None = None) -> Xml:
    refusal = refusal or Refused("The subscription was not found.", reason="SubscriptionNotFound")
    response, message = _open()
    message.set("ResponseClass", "Error")
    message.remove(message[0])
    add(message, m("MessageText"), refusal.message)
    add(message, m("ResponseCode"), f"Error{refusal.reason}")
    add(message, m("DescriptiveLinkKey"), "0")
    rows = add(message, m("ErrorSubscriptionIds"))
    for number in numbers:
        add(rows, m("SubscriptionId"), number)
    return response


def _document(body: Xml, call: Call, version: str) -> bytes:
    if call.face is not None:
        call.face.examine(body)
    return soap.reply(body, version)
