"""What is not about items: names, ids, free and busy times, zones, absence, Autodiscover, versions, impersonation."""

import base64
from datetime import timedelta

import pytest
from exchangelib import (
    IMPERSONATION,
    Account,
    CalendarItem,
    Configuration,
    Contact,
    Credentials,
    EWSDateTime,
    FailFast,
    OofSettings,
    Version,
)
from exchangelib.autodiscover.protocol import AutodiscoverProtocol
from exchangelib.indexed_properties import EmailAddress
from exchangelib.properties import EWS_ID, HEX_ENTRY_ID, AlternateId
from exchangelib.version import EXCHANGE_2016
from lxml import etree
from sandbox.actors import ANNA, BEN, PASSWORD
from sandbox.client import NS, Client, folder_xml

from procession.sandbox.mailbox.world import World
from procession.sandbox.server import Listening, Sandbox, SystemClock


def at(account: Account, day: int, hour: int) -> EWSDateTime:
    return EWSDateTime(2026, 3, day, hour, tzinfo=account.default_timezone)


def test_names_are_found_in_the_directory_and_in_contacts(anna: Account) -> None:
    Contact(
        account=anna,
        folder=anna.contacts,
        display_name="Benedikt Weber",
        email_addresses=[EmailAddress(email="bw@x.test", label="EmailAddress1")],
    ).save()

    found = anna.protocol.resolve_names(["ben"], search_scope="ActiveDirectoryContacts")

    assert {box.email_address for box in found} == {BEN, "bw@x.test"}
    assert anna.protocol.resolve_names(["zebra"])[0].__class__.__name__ == "ErrorNameResolutionNoResults"


def test_an_id_is_converted_there_and_back(anna: Account, client: Client) -> None:
    item, _ = client.note("x")

    (entry,) = anna.protocol.convert_ids(
        [AlternateId(id=item, format=EWS_ID, mailbox=ANNA)], destination_format=HEX_ENTRY_ID
    )
    (back,) = anna.protocol.convert_ids(
        [AlternateId(id=entry.id, format=HEX_ENTRY_ID, mailbox=ANNA)], destination_format=EWS_ID
    )

    assert len(bytes.fromhex(entry.id)) == 70
    assert back.id == item


def test_free_and_busy_times_of_several_people(anna: Account, ben: Account) -> None:
    CalendarItem(
        account=ben,
        folder=ben.calendar,
        subject="Private",
        start=at(ben, 4, 10),
        end=at(ben, 4, 11),
        legacy_free_busy_status="OOF",
        sensitivity="Private",
    ).save()

    busy, free = anna.protocol.get_free_busy_info(
        [(ben, "Required", False), (anna, "Organizer", False)],
        start=at(anna, 4, 9),
        end=at(anna, 4, 12),
        merged_free_busy_interval=30,
    )

    assert (busy.merged, free.merged) == ("003300", "000000")
    assert [(event.start, event.busy_type, event.details.subject) for event in busy.calendar_events] == [
        (at(anna, 4, 10), "OOF", None)
    ]


def test_somebody_unknown_is_neither_free_nor_busy(client: Client) -> None:
    reply = client.send(
        "<m:GetUserAvailabilityRequest><m:MailboxDataArray><t:MailboxData><t:Email><t:Address>no@example.com</t:Address></t:Email><t:AttendeeType>Required</t:AttendeeType></t:MailboxData></m:MailboxDataArray>"
        "<t:FreeBusyViewOptions><t:TimeWindow><t:StartTime>2026-03-04T00:00:00</t:StartTime><t:EndTime>2026-03-05T00:00:00</t:EndTime></t:TimeWindow></t:FreeBusyViewOptions></m:GetUserAvailabilityRequest>"
    )

    assert reply.code == "ErrorMailRecipientNotFound"


def test_time_zones_have_their_rules(anna: Account) -> None:
    ((definition,),) = [
        list(anna.protocol.get_timezones(timezones=[anna.default_timezone], return_full_timezone_data=True))
    ]

    assert definition.id == "W. Europe Standard Time"
    assert {period.name: period.bias for period in definition.periods} == {
        "Standard": timedelta(hours=-1),
        "Daylight": timedelta(hours=-2),
    }


def test_an_absence_is_kept(anna: Account) -> None:
    anna.oof_settings = OofSettings(
        state="Enabled", external_audience="All", internal_reply="Away", external_reply="Away too"
    )

    assert (anna.oof_settings.state, anna.oof_settings.internal_reply) == ("Enabled", "Away")


def autodiscover(sandbox: Sandbox) -> AutodiscoverProtocol:
    url = sandbox.endpoints.ews.replace("/EWS/Exchange.asmx", "/autodiscover/autodiscover.svc")
    return AutodiscoverProtocol(
        Configuration(
            service_endpoint=url,
            credentials=Credentials(ANNA, PASSWORD),
            auth_type="basic",
            version=Version(EXCHANGE_2016),
            retry_policy=FailFast(),
        )
    )


def test_autodiscover_by_soap_names_the_endpoint(sandbox: Sandbox) -> None:
    found = autodiscover(sandbox).get_user_settings(ANNA)

    assert (found.ews_url, found.user_settings_errors) == (sandbox.endpoints.ews, {})
    assert found.autodiscover_smtp_address == ANNA


def test_autodiscover_by_soap_does_not_know_everybody(sandbox: Sandbox) -> None:
    assert autodiscover(sandbox).get_user_settings("nobody@example.com").error_code == "InvalidUser"


@pytest.mark.parametrize(
    ("address", "expected"),
    [(ANNA, "/EWS/Exchange.asmx"), ("nobody@example.com", "The email address can't be found.")],
)
def test_autodiscover_by_plain_xml(client: Client, address: str, expected: str) -> None:
    data = f'<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"><Request><EMailAddress>{address}</EMailAddress></Request></Autodiscover>'

    reply = client.raw(data.encode(), path="/autodiscover/autodiscover.xml")

    assert expected in reply.data.decode()
    assert etree.fromstring(reply.data) is not None


def test_one_user_may_act_as_another_by_impersonation(sandbox: Sandbox, bens_client: Client) -> None:
    bens_client.note("Ben's")
    configuration = Configuration(
        service_endpoint=sandbox.endpoints.ews,
        credentials=Credentials(ANNA, PASSWORD),
        auth_type="basic",
        version=Version(EXCHANGE_2016),
        retry_policy=FailFast(),
    )

    account = Account(BEN, config=configuration, access_type=IMPERSONATION, autodiscover=False)

    assert [item.subject for item in account.inbox.all().only("subject")] == ["Ben's"]


def test_a_mailbox_of_another_is_opened_only_by_its_delegates(
    sandbox: Sandbox, client: Client, bens_client: Client
) -> None:
    bens_client.note("Ben's")
    wanted = f"<t:DistinguishedFolderId Id='inbox'><t:Mailbox><t:EmailAddress>{BEN}</t:EmailAddress></t:Mailbox></t:DistinguishedFolderId>"
    body = f"<m:GetFolder><m:FolderShape><t:BaseShape>Default</t:BaseShape></m:FolderShape><m:FolderIds>{wanted}</m:FolderIds></m:GetFolder>"

    denied = client.send(body)
    sandbox.site.ews.delegates.add((ANNA, BEN))
    allowed = client.send(body)
    sandbox.site.ews.delegates.clear()

    assert denied.code == "ErrorAccessDenied"
    assert allowed.text("//t:TotalCount") == "1"


@pytest.mark.parametrize(
    ("version", "build", "newer"),
    [("Exchange2010_SP2", "14", "Exchange2013"), ("Exchange2013_SP1", "15", "Exchange2016")],
)
def test_an_older_server_says_so_and_refuses_newer_versions(version: str, build: str, newer: str) -> None:
    sandbox = Sandbox(World(SystemClock()), Listening(version=version, check_replies=True))
    sandbox.world.add_user(ANNA, PASSWORD)
    with sandbox:
        client = Client(sandbox.endpoints.ews, ANNA, PASSWORD, version=version)
        item, _ = client.note(
            "x", "" if build == "14" else "<t:Flag><t:FlagStatus>Flagged</t:FlagStatus></t:Flag>"
        )
        found = client.get(item)
        client.version = newer
        refused = client.find()
        marked = Client(sandbox.endpoints.ews, ANNA, PASSWORD, version=version).send(
            f"<m:MarkAllItemsAsRead><m:ReadFlag>true</m:ReadFlag><m:SuppressReadReceipts>true</m:SuppressReadReceipts><m:FolderIds>{folder_xml('inbox')}</m:FolderIds></m:MarkAllItemsAsRead>"
        )

    assert found.one("//t:ServerVersionInfo").get("MajorVersion") == build
    assert (found.all("//t:Flag") == []) is (build == "14")
    assert refused.code == "ErrorInvalidServerVersion"
    assert (marked.code == "NoError") is (build == "15")


def test_the_server_speaks_tls_with_its_own_certificate(tmp_path) -> None:
    import ssl
    import urllib.request

    from procession.sandbox import certificate

    path = certificate.make(tmp_path, "127.0.0.1", SystemClock().now())
    sandbox = Sandbox(World(SystemClock()), Listening(tls=certificate.context(path)))
    sandbox.world.add_user(ANNA, PASSWORD)
    token = base64.b64encode(f"{ANNA}:{PASSWORD}".encode()).decode()

    with sandbox, urllib.request.urlopen(urllib.request.Request(sandbox.endpoints.ews, headers={"Authorization": f"Basic {token}"}), context=ssl.create_default_context(cafile=str(path)), timeout=10) as reply:  # fmt: skip
        assert reply.status == 200
        assert sandbox.endpoints.ews.startswith("https://")
    assert NS
