"""Faults on demand: each does exactly what it says, for exactly the requests it names."""

import http.client
import re
from datetime import timedelta

import pytest
from exchangelib import Account, Message
from exchangelib.errors import ErrorServerBusy
from sandbox.actors import BEN
from sandbox.client import Client

from procession.sandbox.faults import FaultPlan, read_fault
from procession.sandbox.mailbox.words import Refused
from procession.sandbox.server import Sandbox

DROPPED = (http.client.RemoteDisconnected, ConnectionError)


def subjects(client: Client) -> list[str]:
    return sorted(client.find(base="Default").subjects())


def test_a_connection_that_drops_before_processing_leaves_nothing_behind(
    sandbox: Sandbox, client: Client
) -> None:
    sandbox.faults.add(read_fault("CreateItem=drop"))

    with pytest.raises(DROPPED):
        client.note("Lost")

    assert subjects(client) == []


def test_a_reply_that_drops_leaves_the_work_done(sandbox: Sandbox, client: Client) -> None:
    sandbox.faults.add(read_fault("CreateItem=drop-reply"))

    with pytest.raises(DROPPED):
        client.note("Done, unknown")

    assert subjects(client) == ["Done, unknown"]


def test_only_the_named_requests_fail(sandbox: Sandbox, client: Client) -> None:
    sandbox.faults.add(read_fault("CreateItem#2x2=busy"))

    codes = [
        client.create(f"<t:Message><t:Subject>{number}</t:Subject></t:Message>", folder="inbox").code
        for number in range(4)
    ]

    assert codes == ["NoError", "ErrorServerBusy", "ErrorServerBusy", "NoError"]


def test_a_batch_stops_in_the_middle(sandbox: Sandbox, client: Client) -> None:
    sandbox.faults.add(read_fault("CreateItem=partial:2"))

    reply = client.create(
        "".join(f"<t:Message><t:Subject>{number}</t:Subject></t:Message>" for number in range(4)),
        folder="inbox",
    )

    assert reply.codes == ["NoError", "NoError", "ErrorServerBusy", "ErrorBatchProcessingStopped"]
    assert reply.all("//m:CreateItemResponseMessage/@ResponseClass") == [
        "Success",
        "Success",
        "Error",
        "Warning",
    ]
    assert subjects(client) == ["0", "1"]


@pytest.mark.parametrize(
    ("fault", "status"), [("busy-http:7", 503), ("unauthorized", 401), ("redirect", 302)]
)
def test_http_faults_answer_with_their_status_and_do_nothing(
    sandbox: Sandbox, client: Client, fault: str, status: int
) -> None:
    sandbox.faults.add(read_fault(f"CreateItem={fault}"))

    reply = client.create("<t:Message><t:Subject>No</t:Subject></t:Message>", folder="inbox")

    assert reply.status == status
    assert subjects(client) == []
    expected = {
        503: ("retry-after", "7"),
        401: ("www-authenticate", 'Basic realm="sandbox"'),
        302: ("location", "/ews/genericerrorpage.htm"),
    }
    name, value = expected[status]
    assert reply.headers[name] == value


def test_a_busy_server_says_for_how_long_in_a_soap_fault(sandbox: Sandbox, client: Client) -> None:
    sandbox.faults.add(read_fault("*=busy-fault:1500"))

    reply = client.find()

    assert (reply.status, reply.code) == (500, "ErrorServerBusy")
    assert reply.text("//t:Value[@Name='BackOffMilliseconds']") == "1500"


def test_a_busy_server_says_for_how_long_in_each_response(sandbox: Sandbox, client: Client) -> None:
    sandbox.faults.add(read_fault("FindItem=busy:250"))

    reply = client.find()

    assert (reply.status, reply.code) == (200, "ErrorServerBusy")
    assert reply.text("//m:MessageXml/t:Value[@Name='BackOffMilliseconds']") == "250"


def test_exchangelib_reads_the_back_off(sandbox: Sandbox, anna: Account) -> None:
    sandbox.faults.add(read_fault("FindItem=busy-fault:2000"))

    with pytest.raises(ErrorServerBusy) as raised:
        anna.inbox.all().count()

    assert raised.value.back_off == 2.0


def test_any_error_can_be_asked_for_as_a_fault_or_inside(sandbox: Sandbox, client: Client) -> None:
    sandbox.faults.add(read_fault("FindItem=error:ErrorInternalServerTransientError"))
    sandbox.faults.add(read_fault("FindItem#2=inner:ErrorMailboxStoreUnavailable"))

    whole, inner = client.find(), client.find()

    assert (whole.status, whole.code) == (500, "ErrorInternalServerTransientError")
    assert (inner.status, inner.code) == (200, "ErrorMailboxStoreUnavailable")


def test_a_request_may_carry_its_own_fault(client: Client) -> None:
    client.note("Here")

    failed = client.raw(client.envelope("<m:GetFolder><m:FolderShape><t:BaseShape>IdOnly</t:BaseShape></m:FolderShape><m:FolderIds><t:DistinguishedFolderId Id='inbox'/></m:FolderIds></m:GetFolder>"), headers={"X-Sandbox-Fault": "busy-fault:5"})  # fmt: skip

    assert failed.code == "ErrorServerBusy"
    assert client.find().code == "NoError"


def test_a_delayed_request_does_nothing_and_a_delayed_reply_comes_late(
    sandbox: Sandbox, client: Client
) -> None:
    sandbox.faults.add(read_fault("CreateItem=delay:0.01"))
    sandbox.faults.add(read_fault("CreateItem#2=delay-reply:0.01"))

    with pytest.raises(DROPPED):
        client.note("First")
    client.note("Second")

    assert subjects(client) == ["Second"]


def test_a_stale_read_answers_what_was_there_before(sandbox: Sandbox, client: Client) -> None:
    item, key = client.note("Old")
    client.set_subject(item, key, "New")
    sandbox.faults.add(read_fault("GetItem=stale"))

    sandbox.faults.add(read_fault("FindItem=stale"))

    assert client.get(item).subjects() == subjects(client) == ["Old"]
    assert client.get(item).subjects() == subjects(client) == ["New"]


def test_a_sync_state_is_refused_on_demand(sandbox: Sandbox, client: Client) -> None:
    state = client.sync().text("//m:SyncState")
    sandbox.faults.add(read_fault("SyncFolderItems=bad-state"))

    assert client.sync(state=state).code == "ErrorInvalidSyncStateData"
    assert client.sync(state=state).code == "NoError"


def test_a_page_comes_twice_on_demand(sandbox: Sandbox, client: Client) -> None:
    item, _ = client.note("Once")
    sandbox.faults.add(read_fault("SyncFolderItems=same-page"))

    first = client.sync()
    second = client.sync(state=first.text("//m:SyncState"))

    assert (first.ids(), first.text("//m:IncludesLastItemInRange")) == ([item], "false")
    assert (second.ids(), second.text("//m:IncludesLastItemInRange")) == ([item], "true")


def test_a_poison_item_fails_alone(sandbox: Sandbox, client: Client) -> None:
    ids = [client.note(subject)[0] for subject in ("Good", "Bad apple", "Fine")]
    sandbox.faults.add(read_fault("GetItemx*=poison:Bad"))

    assert client.get(*ids).codes == ["NoError", "ErrorItemCorrupt", "NoError"]
    assert client.get(*ids).codes == ["NoError", "ErrorItemCorrupt", "NoError"]


def test_a_clock_can_be_wrong_for_one_request(sandbox: Sandbox, client: Client) -> None:
    sandbox.faults.add(read_fault("CreateItem=skew:3600"))

    ids = [client.note(subject)[0] for subject in ("Ahead", "On time")]
    created = [client.get(item).text("//t:DateTimeCreated") for item in ids]

    assert created == ["2026-03-02T10:00:00Z", "2026-03-02T09:00:00Z"]
    assert sandbox.world.skew == timedelta()


def test_the_copy_of_a_sent_mail_can_come_late(sandbox: Sandbox, client: Client, bens_client: Client) -> None:
    to = f"<t:ToRecipients><t:Mailbox><t:EmailAddress>{BEN}</t:EmailAddress></t:Mailbox></t:ToRecipients>"
    draft = client.create(f"<t:Message><t:Subject>Late</t:Subject>{to}</t:Message>")
    sandbox.faults.add(read_fault("SendItem=late-copy:60"))

    client.send(
        f"<m:SendItem SaveItemToFolder='true'><m:ItemIds><t:ItemId Id='{draft.id()}' ChangeKey='{draft.key()}'/></m:ItemIds></m:SendItem>"
    )
    before = client.find("sentitems").ids()
    sandbox.world.clock.advance(seconds=60)
    after = client.find("sentitems", base="Default").subjects()

    assert (before, after) == ([], ["Late"])
    assert bens_client.find(base="Default").subjects() == ["Late"]
    assert client.find("drafts").ids() == []


def test_a_reply_can_end_in_the_middle(sandbox: Sandbox, client: Client) -> None:
    sandbox.faults.add(read_fault("FindItem=cut:200"))

    with pytest.raises(http.client.IncompleteRead):
        client.find()


def test_a_stream_can_end_in_the_middle_of_a_document(sandbox: Sandbox, client: Client) -> None:
    subscribed = client.send(
        "<m:Subscribe><m:StreamingSubscriptionRequest><t:FolderIds><t:DistinguishedFolderId Id='inbox'/></t:FolderIds>"
        "<t:EventTypes><t:EventType>CreatedEvent</t:EventType></t:EventTypes></m:StreamingSubscriptionRequest></m:Subscribe>"
    )
    sandbox.faults.add(read_fault("GetStreamingEvents=cut:300"))

    with pytest.raises(http.client.IncompleteRead) as cut:
        client.send(
            f"<m:GetStreamingEvents><m:SubscriptionIds><t:SubscriptionId>{subscribed.text('//m:SubscriptionId')}</t:SubscriptionId></m:SubscriptionIds>"
            "<m:ConnectionTimeout>1</m:ConnectionTimeout></m:GetStreamingEvents>"
        )

    assert len(cut.value.partial) == 300
    assert not cut.value.partial.endswith(b"Envelope>")


def test_exchangelib_sends_a_create_again_after_a_lost_reply_and_the_sandbox_shows_it(
    sandbox: Sandbox, anna: Account, ben: Account
) -> None:
    sandbox.faults.add(read_fault("CreateItem=drop-reply"))

    with pytest.raises(Exception, match="Connection aborted|Remote end closed|disconnected"):  # noqa: RUF043
        Message(account=anna, subject="Twice?", to_recipients=[BEN]).send()

    assert ben.inbox.filter(subject="Twice?").count() == 1
    assert [line.to for line in sandbox.world.ledger] == [BEN]


def test_the_same_plan_fails_the_same_requests_every_time() -> None:
    def run() -> list[bool]:
        plan = FaultPlan()
        plan.add(read_fault("GetItem#3x2=busy"))
        return [bool(plan.take("GetItem").found) for _ in range(6)]

    assert run() == run() == [False, False, True, True, False, False]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nonsense", "'nonsense' is not a fault."),
        ("GetItem=explode", "There is no fault 'explode'."),
        ("GetItem=poison", "The fault 'poison' needs an argument."),
        ("GetItem=delay:soon", "The argument of 'delay' is a number, not 'soon'."),
    ],
)
def test_a_fault_that_is_none_says_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(Refused, match=re.escape(message)):
        read_fault(text)
