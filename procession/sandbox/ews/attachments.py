"""Attachments as XML: the summary with an item, the whole in GetAttachment, and read from a request."""

import base64
import binascii
from collections.abc import Iterable
from datetime import UTC, datetime

from procession.sandbox.ews import ids
from procession.sandbox.ews.codecs import find_text, moment_text, read_bool
from procession.sandbox.ews.computed import View
from procession.sandbox.ews.fields import KINDS
from procession.sandbox.ews.names import Xml, local, t
from procession.sandbox.ews.soap import add
from procession.sandbox.mailbox.items import ITEM_CLASS, Item
from procession.sandbox.mailbox.words import Attachment, Refused

_NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)
"""An attached item has no history of its own."""
SIZE_LIMIT = 35 * 1024 * 1024
_MORE = frozenset({"AttachmentId", "Name", "ContentType", "ContentId", "ContentLocation", "Size", "LastModifiedTime", "IsInline", "IsContactPhoto", "Content"})  # fmt: skip


def write_summary(parent: Xml, view: View, part: Attachment, *, root: bool = False) -> Xml:
    """An attachment without its content. `root` says also which item it belongs to now (after a change of it)."""
    element = add(parent, t("ItemAttachment" if part.item is not None else "FileAttachment"))
    number = ids.item_id(view.mailbox, view.item.id, None, part.number)
    of_root = {"RootItemId": view.id, "RootItemChangeKey": view.change_key} if root else {}
    add(element, t("AttachmentId"), None, Id=number, **of_root)
    add(element, t("Name"), part.name)
    if part.content_type and part.item is None:
        add(element, t("ContentType"), part.content_type)
    if part.content_id:
        add(element, t("ContentId"), part.content_id)
    if part.content_location:
        add(element, t("ContentLocation"), part.content_location)
    add(element, t("Size"), str(part.size))
    if part.modified is not None:
        add(element, t("LastModifiedTime"), moment_text(part.modified))
    add(element, t("IsInline"), "true" if part.inline else "false")
    if part.item is None:
        add(element, t("IsContactPhoto"), "true" if part.photo else "false")
    return element


def write_content(element: Xml, part: Attachment) -> None:
    add(element, t("Content"), base64.b64encode(part.content).decode())


def read_attachments(parent: Xml | None, view_zone: str = "") -> Iterable[Attachment]:
    """The attachments of a request (numbered 0; the mailbox numbers them).

    Raises:
        Refused: too large, content that is not base64, or a kind of item that cannot be attached.
    """
    for element in parent if parent is not None else ():
        if local(element) == "FileAttachment":
            yield _read_file(element)
        elif local(element) == "ItemAttachment":
            yield _read_item(element, view_zone)
        else:
            raise Refused("Reference attachments are not supported.", reason="InvalidRequest")


def _read_file(element: Xml) -> Attachment:
    content = element.find(t("Content"))
    try:
        data = base64.b64decode(content.text or "" if content is not None else "")
    except binascii.Error:
        raise Refused("The content of an attachment is base64.", reason="InvalidValueForProperty") from None
    if len(data) > SIZE_LIMIT:
        raise Refused(
            "The attachment size exceeds the allowable limit.", reason="AttachmentSizeLimitExceeded"
        )
    inline, photo = element.find(t("IsInline")), element.find(t("IsContactPhoto"))
    return Attachment(
        0,
        find_text(element, "Name") or "attachment",
        data,
        find_text(element, "ContentType") or "application/octet-stream",
        find_text(element, "ContentId"),
        find_text(element, "ContentLocation"),
        inline=inline is not None and read_bool(inline),
        photo=photo is not None and read_bool(photo),
    )


def _read_item(element: Xml, zone: str) -> Attachment:
    from procession.sandbox.ews.drafts import read_item

    inner = next((child for child in element if local(child) not in _MORE), None)
    if inner is not None and local(inner).startswith("Meeting"):
        raise Refused(
            "Meeting messages cannot be attached.", reason="InvalidItemForOperationCreateItemAttachment"
        )
    if inner is None or local(inner) not in KINDS:
        raise Refused("An item attachment holds an item.", reason="MissingItemForCreateItemAttachment")
    draft = read_item(inner, zone)
    item = Item(
        0, 0, draft.kind, draft.item_class or ITEM_CLASS[draft.kind], draft.values,
        _NO_TIME, _NO_TIME, 0, 0, extended=draft.extended, attachments=draft.attachments, mime=draft.mime,
    )  # fmt: skip
    return Attachment(0, find_text(element, "Name") or str(draft.values.get("subject") or "item"), item=item)
