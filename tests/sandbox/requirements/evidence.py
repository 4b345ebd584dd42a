"""What the documents of the scenario show, in the terms of `evidence.tsv`.

Each row of that file names a requirement and what shows that it holds:

    type          a document has the member of the complex type, and the schema gives it that type
    extends       a document has a value of the complex type, which extends the other
    returned      a reply has the member
    reply         the operation answers with its response element
    header        the reply says in a header which server version it is
    success       the operation answers Success and NoError
    unsuccessful  the operation, asked for something that is not there, answers Error in the same element
    kept          what a request set is what the reply gives
    fixed         the property cannot be set: ErrorInvalidPropertySet, in CreateItem and in UpdateItem
    implemented   a reply has the element, which only some versions have
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lxml import etree
from sandbox.client import NS, Client, folder_xml, set_field
from sandbox.requirements import scenario
from sandbox.requirements.schema_walk import Row, schema

ANNA, BEN, PASSWORD = "anna@example.com", "ben@example.com", "secret"
KEPT = {"ContactItemType": scenario.CONTACT, "CalendarItemType": scenario.EVENT.format(rule=""), "TaskType": scenario.TASK.format(rule=""), "ItemType": scenario.MESSAGE, "MessageType": scenario.MESSAGE}  # fmt: skip
FIXED = {
    "ItemId": "<t:ItemId Id='AAMk'/>",
    "ParentFolderId": "<t:ParentFolderId Id='AAMk'/>",
    "DateTimeReceived": "<t:DateTimeReceived>2026-01-01T00:00:00Z</t:DateTimeReceived>",
    "Size": "<t:Size>1</t:Size>",
    "DateTimeSent": "<t:DateTimeSent>2026-01-01T00:00:00Z</t:DateTimeSent>",
    "DateTimeCreated": "<t:DateTimeCreated>2026-01-01T00:00:00Z</t:DateTimeCreated>",
    "DisplayTo": "<t:DisplayTo>x</t:DisplayTo>",
    "EffectiveRights": "<t:EffectiveRights><t:CreateAssociated>true</t:CreateAssociated><t:CreateContents>true</t:CreateContents><t:CreateHierarchy>true</t:CreateHierarchy><t:Delete>true</t:Delete><t:Modify>true</t:Modify><t:Read>true</t:Read></t:EffectiveRights>",
    "LastModifiedName": "<t:LastModifiedName>x</t:LastModifiedName>",
    "WebClientReadFormQueryString": "<t:WebClientReadFormQueryString>x</t:WebClientReadFormQueryString>",
    "InstanceKey": "<t:InstanceKey>AAAA</t:InstanceKey>",
    "NormalizedBody": "<t:NormalizedBody BodyType='Text'>x</t:NormalizedBody>",
    "Preview": "<t:Preview>x</t:Preview>",
    "TextBody": "<t:TextBody BodyType='Text'>x</t:TextBody>",
    "IconIndex": "<t:IconIndex>Default</t:IconIndex>",
}
IMPLEMENTED = (
    "IsAssociated", "WebClientReadFormQueryString", "ReturnNewItemIds", "Attachments", "ReminderNextTime", "ConversationId", "UniqueBody", "Flag",
    "StoreEntryId", "InstanceKey", "MarkAllItemsAsReadResponseMessage", "ViewPrivateItems", "HasPicture", "StartTimeZone", "EndTimeZone",
    "IntendedFreeBusyStatus", "IsOrganizer", "DistributionList", "Delete", "ConferenceType", "NormalizedBody", "Preview", "TextBody",
)  # fmt: skip


@dataclass
class Evidence:
    """`replies` are envelopes by operation; `refused` those of an unsuccessful request; the rest as above."""

    rows: set[Row]
    replies: dict[str, Any]
    refused: dict[str, Any]
    kept: set[tuple[str, str]]
    fixed: set[str]
    implemented: set[str]


def collect(url: str) -> Evidence:
    anna, ben = scenario.recorder(url, ANNA, PASSWORD), scenario.recorder(url, BEN, PASSWORD)
    scenario.run(anna, ben)
    documents = anna.documents + ben.documents
    replies = {**ben.replies, **anna.replies}
    answered = {
        etree.QName(element).localname for document in replies.values() for element in document.iter()
    }
    answered |= {etree.QName(element).localname for document in documents for element in document.iter()}
    client = Client(url, ANNA, PASSWORD)
    return Evidence(
        set(scenario.rows(documents)), replies, dict(_refused(client)), set(_kept(client)), set(_fixed(client)),
        {name for name in IMPLEMENTED if name in answered},
    )  # fmt: skip


def _refused(client: Client) -> Iterator[tuple[str, Any]]:
    """Each operation asked for something that was deleted."""
    item, key = client.note("Gone")
    client.delete(item)
    shape, ids = (
        "<t:BaseShape>IdOnly</t:BaseShape>",
        f"<m:ItemIds><t:ItemId Id='{item}' ChangeKey='{key}'/></m:ItemIds>",
    )
    made = client.send(
        f"<m:CreateFolder><m:ParentFolderId>{folder_xml('inbox')}</m:ParentFolderId><m:Folders><t:Folder><t:DisplayName>Gone</t:DisplayName></t:Folder></m:Folders></m:CreateFolder>"
    )
    folder = folder_xml(made.all("//t:FolderId/@Id")[0])
    client.send(
        f"<m:DeleteFolder DeleteType='HardDelete'><m:FolderIds>{folder}</m:FolderIds></m:DeleteFolder>"
    )
    folders, to = (
        f"<m:FolderIds>{folder}</m:FolderIds>",
        f"<m:ToFolderId>{folder_xml('inbox')}</m:ToFolderId>",
    )
    updates = f"<t:Updates>{set_field('item:Subject', 'Message', '<t:Subject>x</t:Subject>')}</t:Updates>"
    renamed = "<t:Updates><t:SetFolderField><t:FieldURI FieldURI='folder:DisplayName'/><t:Folder><t:DisplayName>x</t:DisplayName></t:Folder></t:SetFolderField></t:Updates>"
    bodies = {
        "GetItem": f"<m:GetItem><m:ItemShape>{shape}</m:ItemShape>{ids}</m:GetItem>",
        "DeleteItem": f"<m:DeleteItem DeleteType='HardDelete'>{ids}</m:DeleteItem>",
        "CopyItem": f"<m:CopyItem>{to}{ids}</m:CopyItem>",
        "MoveItem": f"<m:MoveItem>{to}{ids}</m:MoveItem>",
        "SendItem": f"<m:SendItem SaveItemToFolder='false'>{ids}</m:SendItem>",
        "UpdateItem": f"<m:UpdateItem ConflictResolution='AutoResolve' MessageDisposition='SaveOnly'><m:ItemChanges><t:ItemChange><t:ItemId Id='{item}' ChangeKey='{key}'/>{updates}</t:ItemChange></m:ItemChanges></m:UpdateItem>",
        "CreateItem": "<m:CreateItem><m:Items><t:Message><t:Subject>x</t:Subject></t:Message></m:Items></m:CreateItem>",
        "CreateAttachment": f"<m:CreateAttachment><m:ParentItemId Id='{item}'/><m:Attachments><t:FileAttachment><t:Name>x</t:Name><t:Content>YQ==</t:Content></t:FileAttachment></m:Attachments></m:CreateAttachment>",
        "GetAttachment": f"<m:GetAttachment><m:AttachmentIds><t:AttachmentId Id='{item}'/></m:AttachmentIds></m:GetAttachment>",
        "DeleteAttachment": f"<m:DeleteAttachment><m:AttachmentIds><t:AttachmentId Id='{item}'/></m:AttachmentIds></m:DeleteAttachment>",
        "GetFolder": f"<m:GetFolder><m:FolderShape>{shape}</m:FolderShape>{folders}</m:GetFolder>",
        "CreateFolder": f"<m:CreateFolder><m:ParentFolderId>{folder}</m:ParentFolderId><m:Folders><t:Folder><t:DisplayName>x</t:DisplayName></t:Folder></m:Folders></m:CreateFolder>",
        "DeleteFolder": f"<m:DeleteFolder DeleteType='HardDelete'>{folders}</m:DeleteFolder>",
        "EmptyFolder": f"<m:EmptyFolder DeleteType='HardDelete' DeleteSubFolders='true'>{folders}</m:EmptyFolder>",
        "CopyFolder": f"<m:CopyFolder>{to}{folders}</m:CopyFolder>",
        "MoveFolder": f"<m:MoveFolder>{to}{folders}</m:MoveFolder>",
        "UpdateFolder": f"<m:UpdateFolder><m:FolderChanges><t:FolderChange>{folder}{renamed}</t:FolderChange></m:FolderChanges></m:UpdateFolder>",
        "MarkAllItemsAsRead": f"<m:MarkAllItemsAsRead><m:ReadFlag>true</m:ReadFlag><m:SuppressReadReceipts>true</m:SuppressReadReceipts>{folders}</m:MarkAllItemsAsRead>",
    }  # fmt: skip
    for name, body in bodies.items():
        yield name, client.send(body).root


def _kept(client: Client) -> Iterator[tuple[str, str]]:
    """(type, element) of what comes back as it was set."""
    declared = " ".join(f'xmlns:{prefix}="{NS[prefix]}"' for prefix in "tm")
    for name, text in KEPT.items():
        created = client.create(
            text,
            folder={"ContactItemType": "contacts", "CalendarItemType": "calendar", "TaskType": "tasks"}.get(
                name, "drafts"
            ),
        )
        back = client.get(created.id()).one("//m:Items/*")
        given = etree.fromstring(text.replace(">", f" {declared}>", 1))
        for element in given:
            tag = etree.QName(element).localname
            found = back.find(f"{{{NS['t']}}}{tag}")
            if found is not None and _same(element, found) and tag in schema().members(name):
                yield name, tag


def _same(given: Any, found: Any) -> bool:
    if len(given):
        # Lists keep their entries; what the server adds to an entry does not matter.
        texts = [leaf.text for leaf in given.iter() if not len(leaf) and leaf.text]
        return set(texts) <= {leaf.text for leaf in found.iter()}
    wanted, got = (given.text or "").strip(), (found.text or "").strip()
    if etree.QName(given).localname == "Body":
        # The store makes a document of a piece of HTML.
        return wanted in got
    return wanted == got


def _fixed(client: Client) -> Iterator[str]:
    item, key = client.note("Fixed")
    for name, xml in FIXED.items():
        made = client.create(f"<t:Message>{xml}</t:Message>", folder="inbox")
        changed = client.update(item, key, set_field(f"item:{name}", "Message", xml))
        if made.code == changed.code == "ErrorInvalidPropertySet":
            yield name
