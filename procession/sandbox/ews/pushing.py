"""Push subscriptions: notifications posted to the subscriber's URL, who says whether to go on."""

import asyncio
import urllib.error
import urllib.request

from lxml import etree

from procession.sandbox.ews import soap
from procession.sandbox.ews.names import m
from procession.sandbox.ews.soap import add, element
from procession.sandbox.ews.subscriptions import Subscription, Subscriptions, write_notification
from procession.sandbox.mailbox.words import Refused

GATHER_SECONDS = 0.05
ANSWER_SECONDS = 10.0
TRIES = 3


async def push(subscriptions: Subscriptions, version: str) -> None:
    """Serve every push subscription, until cancelled."""
    woken = asyncio.Event()
    subscriptions.woken.append(woken.set)
    failures: dict[str, int] = {}
    try:
        while True:
            await woken.wait()
            await asyncio.sleep(GATHER_SECONDS)
            woken.clear()
            for subscription in [one for one in subscriptions.active.values() if one.kind == "push"]:
                await _serve(subscriptions, subscription, version, failures)
    finally:
        subscriptions.woken.remove(woken.set)


async def _serve(
    subscriptions: Subscriptions, subscription: Subscription, version: str, failures: dict[str, int]
) -> None:
    try:
        events, more = subscriptions.pending(subscription, subscription.watermark)
    except Refused:
        subscriptions.active.pop(subscription.id, None)
        return
    if not events:
        return
    before = subscription.watermark
    root = element("SendNotification")
    message = add(
        add(root, m("ResponseMessages")), m("SendNotificationResponseMessage"), None, ResponseClass="Success"
    )
    add(message, m("ResponseCode"), "NoError")
    write_notification(message, subscriptions.world, subscription, events, more=more)
    answer = await asyncio.to_thread(_post, subscription.url, soap.reply(root, version))
    if answer == "OK":
        failures.pop(subscription.id, None)
        return
    subscription.watermark = before
    failures[subscription.id] = failures.get(subscription.id, 0) + 1
    if answer == "Unsubscribe" or failures[subscription.id] >= TRIES:
        subscriptions.active.pop(subscription.id, None)


def _post(url: str, data: bytes) -> str:
    """What the subscriber answers: OK, Unsubscribe, or nothing that can be understood."""
    request = urllib.request.Request(url, data, {"Content-Type": "text/xml; charset=utf-8"})  # noqa: S310 - http and https only, see Subscribe
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as reply:  # noqa: S310 - http and https only, see Subscribe
            root = soap.parse(reply.read())
    except (OSError, urllib.error.URLError, soap.SoapFault, etree.XMLSyntaxError):
        return ""
    return root.findtext(f".//{m('SubscriptionStatus')}") or ""
