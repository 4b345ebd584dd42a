"""Bad input gets the error Exchange would give, never a traceback, never a hang; and the server goes on."""

import http.client
import socket
from urllib.parse import urlsplit

import pytest
from sandbox.actors import ANNA
from sandbox.client import Client

from procession.sandbox.server import Sandbox

FIND = "<m:FindItem Traversal='Shallow'><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape><m:ParentFolderIds><t:DistinguishedFolderId Id='inbox'/></m:ParentFolderIds></m:FindItem>"


def still_serves(client: Client) -> bool:
    return client.find().code == "NoError"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not xml",
        b"<a><b></a>",
        b"<?xml version='1.0'?><a/>",
        b"\xff\xfe\x00",
        b"<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'/>",
        b"<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'><s:Body/></s:Envelope>",
        b"<a>" * 5000,
    ],
)
def test_what_is_no_envelope_fails_schema_validation(client: Client, data: bytes) -> None:
    reply = client.raw(data)

    assert (reply.status, reply.code) == (500, "ErrorSchemaValidation")
    assert "Traceback" not in reply.data.decode()
    assert still_serves(client)


def test_a_dtd_is_prohibited(client: Client) -> None:
    data = b"<!DOCTYPE x [<!ENTITY a 'b'>]>" + client.envelope(FIND).removeprefix(
        b'<?xml version="1.0" encoding="utf-8"?>'
    )

    reply = client.raw(data)

    assert reply.code == "ErrorSchemaValidation"
    assert reply.text("//faultstring") == "For security reasons DTD is prohibited in this XML document."


def test_a_billion_laughs_are_not_expanded(client: Client) -> None:
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    data = f'<!DOCTYPE x [<!ENTITY l0 "ha">{entities}]><x>&l9;</x>'.encode()

    reply = client.raw(data)

    assert reply.code == "ErrorSchemaValidation"
    assert still_serves(client)


def test_an_external_entity_is_not_fetched(client: Client, tmp_path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s3cret")

    reply = client.raw(f'<!DOCTYPE x [<!ENTITY f SYSTEM "file://{secret}">]><x>&f;</x>'.encode())

    assert b"s3cret" not in reply.data
    assert reply.code == "ErrorSchemaValidation"


def test_an_unknown_operation_is_an_invalid_request(client: Client) -> None:
    reply = client.send("<m:MakeCoffee/>")

    assert (reply.status, reply.code) == (500, "ErrorInvalidRequest")
    assert reply.text("//faultstring") == "The operation 'MakeCoffee' is not known."


def test_an_operation_that_is_not_served_says_so(client: Client) -> None:
    reply = client.send(
        "<m:GetPasswordExpirationDate><m:MailboxSmtpAddress>anna@example.com</m:MailboxSmtpAddress></m:GetPasswordExpirationDate>"
    )

    assert reply.text("//faultstring") == "The operation 'GetPasswordExpirationDate' is not served here."


@pytest.mark.parametrize(
    "body",
    [
        "<m:FindItem/>",
        "<m:GetItem><m:ItemShape><t:BaseShape>Everything</t:BaseShape></m:ItemShape><m:ItemIds><t:ItemId Id='x'/></m:ItemIds></m:GetItem>",
        "<m:SyncFolderItems><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape><m:SyncFolderId><t:DistinguishedFolderId Id='inbox'/></m:SyncFolderId><m:MaxChangesReturned>513</m:MaxChangesReturned></m:SyncFolderItems>",
        "<m:CreateItem><m:Items><t:Message><t:Start>now</t:Start></t:Message></m:Items></m:CreateItem>",
    ],
)
def test_what_the_schema_does_not_allow_is_refused(client: Client, body: str) -> None:
    reply = client.send(body)

    assert (reply.status, reply.code) == (500, "ErrorSchemaValidation")
    assert reply.text("//faultstring").startswith("The request failed schema validation: ")


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("", "ErrorInvalidIdEmpty"),
        ("x", "ErrorInvalidIdMalformed"),
        ("AAMk", "ErrorInvalidIdMalformed"),
        ("AAMkAD" * 20, "ErrorInvalidIdMalformed"),
        ("/w==", "ErrorInvalidIdMalformed"),
    ],
)
def test_an_id_that_is_none_is_malformed(client: Client, value: str, code: str) -> None:
    assert client.get(value).code == code


def test_an_id_of_something_gone_is_not_found(client: Client) -> None:
    item, _ = client.note()
    client.delete(item)

    assert client.get(item).code == "ErrorItemNotFound"
    assert client.delete(item).code == "ErrorItemNotFound"


def test_ids_of_folders_and_items_are_not_mixed_up(client: Client) -> None:
    item, _ = client.note()
    folder = client.send(
        "<m:GetFolder><m:FolderShape><t:BaseShape>IdOnly</t:BaseShape></m:FolderShape><m:FolderIds><t:DistinguishedFolderId Id='inbox'/></m:FolderIds></m:GetFolder>"
    ).all("//t:FolderId/@Id")[0]

    assert client.get(folder).code == "ErrorCannotUseFolderIdForItemId"
    assert client.find(item).code == "ErrorCannotUseItemIdForFolderId"


def test_another_users_item_is_not_given_out(client: Client, bens_client: Client) -> None:
    item, _ = bens_client.note("Ben's own")

    assert client.get(item).code == "ErrorAccessDenied"


def test_wrong_credentials_are_unauthorized(sandbox: Sandbox) -> None:
    for user, password in ((ANNA, "wrong"), ("nobody@example.com", "secret"), ("", "")):
        reply = Client(sandbox.endpoints.ews, user, password).find()
        assert (reply.status, reply.headers["www-authenticate"]) == (401, 'Basic realm="sandbox"')


def test_no_credentials_and_broken_ones_are_unauthorized(client: Client) -> None:
    assert client.raw(client.envelope(FIND), auth=False).status == 401
    assert client.raw(client.envelope(FIND), headers={"Authorization": "Basic %%%"}).status == 401
    assert client.raw(client.envelope(FIND), headers={"Authorization": "Bearer x"}).status == 401


def test_a_body_of_a_hundred_megabytes_is_too_large_and_the_server_goes_on(client: Client) -> None:
    reply = client.raw(b"x" * (100 * 1024 * 1024))

    assert reply.status == 413
    assert still_serves(client)


def test_an_attachment_beyond_the_limit_is_refused_alone(client: Client) -> None:
    import base64

    item, key = client.note()
    content = base64.b64encode(b"x" * (36 * 1024 * 1024)).decode()

    reply = client.send(
        f"<m:CreateAttachment><m:ParentItemId Id='{item}'/><m:Attachments><t:FileAttachment><t:Name>a</t:Name><t:Content>{content}</t:Content></t:FileAttachment></m:Attachments></m:CreateAttachment>"
    )

    assert reply.code == "ErrorAttachmentSizeLimitExceeded"
    assert client.get(item).key() == key


def test_an_unknown_version_is_refused(client: Client) -> None:
    client.version = "Exchange2030"

    reply = client.find()

    assert reply.code == "ErrorInvalidServerVersion"


def test_impersonating_nobody_is_refused(client: Client) -> None:
    header = "<t:ExchangeImpersonation><t:ConnectingSID><t:PrimarySmtpAddress>nobody@example.com</t:PrimarySmtpAddress></t:ConnectingSID></t:ExchangeImpersonation>"

    assert client.send(FIND, header=header).code == "ErrorNonExistentMailbox"


def test_other_paths_and_methods_do_not_break_it(client: Client) -> None:
    assert client.raw(b"", path="/nowhere").status == 404
    assert client.raw(b"", method="GET").status == 200
    assert client.raw(b"{", path="/sandbox/add-mail").status == 400
    assert client.raw(b"{}", path="/sandbox/nothing").status == 404
    assert still_serves(client)


@pytest.mark.parametrize(
    "data",
    [
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"POST /EWS/Exchange.asmx HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
    ],
)
def test_what_is_no_http_is_a_bad_request(client: Client, data: bytes) -> None:
    parts = urlsplit(client.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        connection.sendall(data)
        answer = connection.recv(1000)

    assert answer.startswith(b"HTTP/1.1 400")
    assert still_serves(client)


def test_a_client_that_leaves_in_the_middle_does_no_harm(client: Client) -> None:
    parts = urlsplit(client.url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port)
    connection.putrequest("POST", parts.path)
    connection.putheader("Content-Length", "1000")
    connection.endheaders(b"half")
    connection.close()

    assert still_serves(client)


def test_text_that_xml_cannot_hold_is_left_out_of_replies(sandbox: Sandbox, client: Client) -> None:
    from procession.sandbox.mailbox.contents import add_mail

    sandbox.call(
        lambda: add_mail(sandbox.world.mailboxes[ANNA], "x@elsewhere.test", "Bell \x07 here", "null \x00 too")
    )

    assert client.get(client.find().id()).subjects() == ["Bell  here"]
