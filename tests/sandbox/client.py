"""A bare EWS client: XML out, XML in. What exchangelib hides, these tests need to see."""

import base64
import http.client
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from lxml import etree

NS = {
    "s": "http://schemas.xmlsoap.org/soap/envelope/",
    "t": "http://schemas.microsoft.com/exchange/services/2006/types",
    "m": "http://schemas.microsoft.com/exchange/services/2006/messages",
    "e": "http://schemas.microsoft.com/exchange/services/2006/errors",
    "a": "http://schemas.microsoft.com/exchange/2010/Autodiscover",
}
_DECLARED = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in NS.items() if prefix in "stm")


@dataclass
class Reply:
    """An answer: HTTP status, headers, and the document, if it is one."""

    status: int
    headers: dict[str, str]
    data: bytes
    _root: Any = field(default=None, repr=False)

    @property
    def root(self) -> Any:
        if self._root is None:
            self._root = etree.fromstring(self.data)
        return self._root

    def all(self, path: str) -> list[Any]:
        return self.root.xpath(path, namespaces=NS)

    def one(self, path: str) -> Any:
        found = self.all(path)
        assert found, f"no {path} in {self.data[:2000].decode()}"
        return found[0]

    def text(self, path: str) -> str:
        return self.one(path).text or ""

    @property
    def codes(self) -> list[str]:
        return [element.text for element in self.all("//m:ResponseCode")]

    @property
    def code(self) -> str:
        """The only response code; that of a fault, if it is one."""
        found = self.codes or [element.text for element in self.all("//e:ResponseCode")]
        return found[0]

    def id(self, number: int = 0) -> str:
        return self.all("//t:ItemId/@Id")[number]

    def key(self, number: int = 0) -> str:
        return self.all("//t:ItemId/@ChangeKey")[number]

    def ids(self) -> list[str]:
        return self.all("//t:ItemId/@Id")

    def subjects(self) -> list[str]:
        return [element.text for element in self.all("//t:Subject")]


@dataclass
class Client:
    url: str
    address: str
    password: str
    version: str = "Exchange2016"

    def raw(
        self,
        data: bytes,
        *,
        method: str = "POST",
        path: str = "",
        headers: dict[str, str] | None = None,
        auth: bool = True,
    ) -> Reply:
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 0, timeout=20)
        token = base64.b64encode(f"{self.address}:{self.password}".encode()).decode()
        own = {
            "Content-Type": "text/xml; charset=utf-8",
            **({"Authorization": f"Basic {token}"} if auth else {}),
            **(headers or {}),
        }
        try:
            connection.request(method, path or parts.path, data, own)
            answer = connection.getresponse()
            return Reply(
                answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
            )
        finally:
            connection.close()

    def send(self, body: str, *, header: str = "", headers: dict[str, str] | None = None) -> Reply:
        """Post an operation's element in an envelope."""
        return self.raw(self.envelope(body, header=header), headers=headers)

    def envelope(self, body: str, *, header: str = "") -> bytes:
        return (
            f'<?xml version="1.0" encoding="utf-8"?><s:Envelope {_DECLARED}><s:Header>'
            f'<t:RequestServerVersion Version="{self.version}"/>{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>'
        ).encode()

    # What most tests need

    def create(
        self,
        items: str,
        *,
        folder: str = "",
        attributes: str = 'MessageDisposition="SaveOnly" SendMeetingInvitations="SendToNone"',
    ) -> Reply:
        saved = f"<m:SavedItemFolderId>{folder_xml(folder)}</m:SavedItemFolderId>" if folder else ""
        return self.send(f"<m:CreateItem {attributes}>{saved}<m:Items>{items}</m:Items></m:CreateItem>")

    def note(self, subject: str = "A note", more: str = "", *, folder: str = "inbox") -> tuple[str, str]:
        """A saved message: its id and change key."""
        reply = self.create(f"<t:Message><t:Subject>{subject}</t:Subject>{more}</t:Message>", folder=folder)
        assert reply.code == "NoError", reply.data
        return reply.id(), reply.key()

    def get(self, *ids: str, base: str = "AllProperties", extra: str = "", shape: str = "") -> Reply:
        wanted = "".join(one if one.startswith("<") else f'<t:ItemId Id="{one}"/>' for one in ids)
        additional = f"<t:AdditionalProperties>{extra}</t:AdditionalProperties>" if extra else ""
        return self.send(
            f"<m:GetItem><m:ItemShape><t:BaseShape>{base}</t:BaseShape>{shape}{additional}</m:ItemShape><m:ItemIds>{wanted}</m:ItemIds></m:GetItem>"
        )

    def update(self, item: str, key: str, updates: str, *, resolution: str = "NeverOverwrite", attributes: str = 'MessageDisposition="SaveOnly" SendMeetingInvitationsOrCancellations="SendToNone"') -> Reply:  # fmt: skip
        changed = f' ChangeKey="{key}"' if key else ""
        return self.send(
            f'<m:UpdateItem ConflictResolution="{resolution}" {attributes}><m:ItemChanges><t:ItemChange><t:ItemId Id="{item}"{changed}/>'
            f"<t:Updates>{updates}</t:Updates></t:ItemChange></m:ItemChanges></m:UpdateItem>"
        )

    def set_subject(self, item: str, key: str, subject: str, **more: Any) -> Reply:
        return self.update(
            item, key, set_field("item:Subject", "Message", f"<t:Subject>{subject}</t:Subject>"), **more
        )

    def delete(self, *ids: str, how: str = "HardDelete", attributes: str = 'SendMeetingCancellations="SendToNone" AffectedTaskOccurrences="AllOccurrences"') -> Reply:  # fmt: skip
        wanted = "".join(f'<t:ItemId Id="{one}"/>' for one in ids)
        return self.send(
            f'<m:DeleteItem DeleteType="{how}" {attributes}><m:ItemIds>{wanted}</m:ItemIds></m:DeleteItem>'
        )

    def sync(self, folder: str = "inbox", state: str = "", *, limit: int = 512, base: str = "IdOnly", ignore: str = "", extra: str = "", shape: str = "") -> Reply:  # fmt: skip
        additional = f"<t:AdditionalProperties>{extra}</t:AdditionalProperties>" if extra else ""
        given = f"<m:SyncState>{state}</m:SyncState>" if state else ""
        skipped = f'<m:Ignore><t:ItemId Id="{ignore}"/></m:Ignore>' if ignore else ""
        return self.send(
            f"<m:SyncFolderItems><m:ItemShape><t:BaseShape>{base}</t:BaseShape>{shape}{additional}</m:ItemShape>"
            f"<m:SyncFolderId>{folder_xml(folder)}</m:SyncFolderId>{given}{skipped}"
            f"<m:MaxChangesReturned>{limit}</m:MaxChangesReturned></m:SyncFolderItems>"
        )

    def find(self, folder: str = "inbox", *, base: str = "IdOnly", view: str = "", restriction: str = "", order: str = "", extra: str = "", traversal: str = "Shallow", query: str = "") -> Reply:  # fmt: skip
        additional = f"<t:AdditionalProperties>{extra}</t:AdditionalProperties>" if extra else ""
        restricted = f"<m:Restriction>{restriction}</m:Restriction>" if restriction else ""
        sorted_by = f"<m:SortOrder>{order}</m:SortOrder>" if order else ""
        asked = f"<m:QueryString>{query}</m:QueryString>" if query else ""
        return self.send(
            f'<m:FindItem Traversal="{traversal}"><m:ItemShape><t:BaseShape>{base}</t:BaseShape>{additional}</m:ItemShape>{view}{restricted}{sorted_by}'
            f"<m:ParentFolderIds>{folder_xml(folder)}</m:ParentFolderIds>{asked}</m:FindItem>"
        )


def folder_xml(folder: str) -> str:
    """A distinguished name, or an id (which is longer than any name)."""
    return f'<t:FolderId Id="{folder}"/>' if len(folder) > 40 else f'<t:DistinguishedFolderId Id="{folder}"/>'


def field_uri(uri: str) -> str:
    return f'<t:FieldURI FieldURI="{uri}"/>'


def set_field(uri: str, element: str, value: str) -> str:
    return f"<t:SetItemField>{field_uri(uri)}<t:{element}>{value}</t:{element}></t:SetItemField>"


def append_field(uri: str, element: str, value: str) -> str:
    return f"<t:AppendToItemField>{field_uri(uri)}<t:{element}>{value}</t:{element}></t:AppendToItemField>"


def delete_field(uri: str) -> str:
    return f"<t:DeleteItemField>{field_uri(uri)}</t:DeleteItemField>"
