"""Subscriptions: pull, push and streaming give the same events, once each, in order."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue

import pytest
from exchangelib import Account, Message
from exchangelib.services import SendNotification
from lxml import etree
from sandbox.actors import ANNA, BEN, START
from sandbox.client import Client, folder_xml

from procession.sandbox.mailbox.contents import add_mail
from procession.sandbox.server import Sandbox

ALL = ("CopiedEvent", "CreatedEvent", "DeletedEvent", "ModifiedEvent", "MovedEvent", "NewMailEvent")


def kinds(notification) -> list[str]:
    return [event.ELEMENT_NAME for event in notification.events]


def pull(client: Client, timeout: int = 10):
    types = "".join(f"<t:EventType>{name}</t:EventType>" for name in ALL)
    reply = client.send(
        f"<m:Subscribe><m:PullSubscriptionRequest><t:FolderIds>{folder_xml('inbox')}</t:FolderIds><t:EventTypes>{types}</t:EventTypes>"
        f"<t:Timeout>{timeout}</t:Timeout></m:PullSubscriptionRequest></m:Subscribe>"
    )
    return reply.text("//m:SubscriptionId"), reply.text("//m:Watermark")


def events(client: Client, subscription: str, watermark: str):
    return client.send(
        f"<m:GetEvents><m:SubscriptionId>{subscription}</m:SubscriptionId><m:Watermark>{watermark}</m:Watermark></m:GetEvents>"
    )


def test_a_pull_gives_each_event_once(anna: Account, ben: Account) -> None:
    with anna.inbox.pull_subscription() as (subscription, watermark):
        Message(account=ben, subject="Hello", to_recipients=[ANNA]).send()
        anna.inbox.get(subject="Hello").delete()

        first = list(anna.inbox.get_events(subscription, watermark))
        again = list(anna.inbox.get_events(subscription, first[-1].events[-1].watermark))

    assert [kind for notification in first for kind in kinds(notification)] == [
        "CreatedEvent",
        "NewMailEvent",
        "DeletedEvent",
    ]
    assert [kind for notification in again for kind in kinds(notification)] == ["StatusEvent"]


def test_a_move_and_a_copy_name_where_the_item_was(client: Client) -> None:
    item, _ = client.note("x", folder="junkemail")
    subscription, watermark = pull(client)

    for name in ("CopyItem", "MoveItem"):
        client.send(
            f"<m:{name}><m:ToFolderId>{folder_xml('inbox')}</m:ToFolderId><m:ItemIds><t:ItemId Id='{item}'/></m:ItemIds></m:{name}>"
        )
    reply = events(client, subscription, watermark)

    assert (
        reply.all("//t:CopiedEvent/t:OldItemId/@Id") == reply.all("//t:MovedEvent/t:OldItemId/@Id") == [item]
    )
    assert reply.all("//t:MovedEvent/t:ItemId/@Id") != [item]


def test_a_watermark_starts_a_subscription_in_the_past(client: Client) -> None:
    _, watermark = pull(client)
    item, _ = client.note("before")

    reply = client.send(
        f"<m:Subscribe><m:PullSubscriptionRequest SubscribeToAllFolders='true'><t:EventTypes><t:EventType>CreatedEvent</t:EventType></t:EventTypes>"
        f"<t:Watermark>{watermark}</t:Watermark><t:Timeout>10</t:Timeout></m:PullSubscriptionRequest></m:Subscribe>"
    )
    seen = events(client, reply.text("//m:SubscriptionId"), watermark)

    assert seen.all("//t:CreatedEvent/t:ItemId/@Id") == [item]


def test_a_subscription_that_is_not_used_expires(client: Client, sandbox: Sandbox) -> None:
    subscription, watermark = pull(client, timeout=1)

    sandbox.world.clock.advance(minutes=2)

    assert events(client, subscription, watermark).code == "ErrorExpiredSubscription"
    assert events(client, subscription, watermark).code == "ErrorSubscriptionNotFound"
    assert sandbox.world.clock.now() > START


def test_a_watermark_that_is_none_and_too_many_subscriptions_are_refused(
    client: Client, sandbox: Sandbox
) -> None:
    subscription, _ = pull(client)
    sandbox.site.ews.subscriptions.limit = 1

    assert events(client, subscription, "AAAA").code == "ErrorInvalidWatermark"
    types = "<t:EventTypes><t:EventType>CreatedEvent</t:EventType></t:EventTypes>"
    assert (
        client.send(
            f"<m:Subscribe><m:StreamingSubscriptionRequest SubscribeToAllFolders='true'>{types}</m:StreamingSubscriptionRequest></m:Subscribe>"
        ).code
        == "ErrorExceededSubscriptionCount"
    )
    sandbox.site.ews.subscriptions.limit = 5000
    assert (
        client.send(
            f"<m:Unsubscribe><m:SubscriptionId>{subscription}</m:SubscriptionId></m:Unsubscribe>"
        ).code
        == "NoError"
    )
    assert (
        client.send(
            f"<m:Unsubscribe><m:SubscriptionId>{subscription}</m:SubscriptionId></m:Unsubscribe>"
        ).code
        == "ErrorSubscriptionNotFound"
    )


def test_a_stream_gives_what_happens_while_it_is_open(anna: Account, sandbox: Sandbox) -> None:
    with anna.inbox.streaming_subscription() as subscription:
        arriving = threading.Timer(
            0.1,
            lambda: sandbox.call(
                lambda: add_mail(sandbox.world.mailboxes[ANNA], "x@elsewhere.test", "Streamed", "")
            ),
        )
        arriving.start()

        (notification,) = list(
            anna.inbox.get_streaming_events(subscription, connection_timeout=1, max_notifications_returned=1)
        )

    arriving.join()
    assert kinds(notification) == ["CreatedEvent", "NewMailEvent"]
    assert notification.subscription_id == subscription


def test_a_stream_of_an_unknown_subscription_says_which(client: Client) -> None:
    reply = client.send(
        "<m:GetStreamingEvents><m:SubscriptionIds><t:SubscriptionId>nobody</t:SubscriptionId></m:SubscriptionIds>"
        "<m:ConnectionTimeout>1</m:ConnectionTimeout></m:GetStreamingEvents>"
    )

    assert (reply.code, reply.all("//m:ErrorSubscriptionIds/m:SubscriptionId/text()")) == (
        "ErrorSubscriptionNotFound",
        ["nobody"],
    )


class Subscriber(ThreadingHTTPServer):
    """A server that notifications are pushed to; it answers OK until it is told otherwise."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Receive)
        self.received: Queue[bytes] = Queue()
        self.answer = "OK"


class _Receive(BaseHTTPRequestHandler):
    server: Subscriber

    def do_POST(self) -> None:
        self.server.received.put(self.rfile.read(int(self.headers["Content-Length"])))
        status = SendNotification.OK if self.server.answer == "OK" else SendNotification.UNSUBSCRIBE
        data = (
            '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><m:SendNotificationResult '
            'xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages">'
            f"<m:SubscriptionStatus>{status}</m:SubscriptionStatus></m:SendNotificationResult></s:Body></s:Envelope>"
        ).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def subscriber() -> Iterator[Subscriber]:
    server = Subscriber()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_push_goes_to_the_subscriber_until_it_unsubscribes(
    anna: Account, ben: Account, subscriber: Subscriber, sandbox: Sandbox
) -> None:
    url = f"http://127.0.0.1:{subscriber.server_port}/"
    anna.inbox.subscribe_to_push(callback_url=url)

    Message(account=ben, subject="Pushed", to_recipients=[ANNA]).send()
    first = subscriber.received.get(timeout=10)
    subscriber.answer = "Unsubscribe"
    Message(account=ben, subject="Pushed too", to_recipients=[ANNA]).send()
    subscriber.received.get(timeout=10)

    service = SendNotification(protocol=None)
    (notification,) = list(service.parse(first))
    assert kinds(notification) == ["CreatedEvent", "NewMailEvent"]
    assert etree.fromstring(first) is not None
    for _ in range(200):
        if not sandbox.call(lambda: sandbox.site.ews.subscriptions.active):
            break
        threading.Event().wait(0.01)
    assert sandbox.site.ews.subscriptions.active == {}
    assert BEN
