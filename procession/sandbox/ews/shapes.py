"""Which properties of an item a request asks for, and the item written with them.

The tables of `fields` are in the order of the schema; a shape picks from them. AllProperties and Default
follow [MS-OXWSCDATA] DefaultShapeNamesType; FindItem and SyncFolderItems give no bodies, attachments or
recipients, as in Exchange.
"""

import base64
from dataclasses import dataclass
from functools import cache, lru_cache

from procession.sandbox.ews import codecs, ids
from procession.sandbox.ews.computed import COMPUTED, View, associated_id, conversation_id
from procession.sandbox.ews.fields import ELEMENTS, TABLES, Field
from procession.sandbox.ews.mapi import property_value
from procession.sandbox.ews.names import Xml, t
from procession.sandbox.ews.paths import ExtendedPath, FieldPath, IndexedPath, paths_in
from procession.sandbox.ews.responses import write_response_objects
from procession.sandbox.ews.soap import add
from procession.sandbox.mailbox import mime
from procession.sandbox.mailbox.words import Address, Body, Refused

_DEFAULT = frozenset(
    [
        "ItemId",
        "ItemClass",
        "Subject",
        "Sensitivity",
        "Body",
        "Attachments",
        "ResponseObjects",
        "HasAttachments",
        "DateTimeReceived",
        "Size",
        "Categories",
        "Importance",
        "DateTimeSent",
        "DateTimeCreated",
        "IsDraft",
        "From",
        "Sender",
        "ToRecipients",
        "CcRecipients",
        "BccRecipients",
        "IsRead",
        "IsReadReceiptRequested",
        "IsDeliveryReceiptRequested",
        "ConversationIndex",
        "ConversationTopic",
        "InternetMessageId",
        "References",
        "ReplyTo",
        "InReplyTo",
        "Start",
        "End",
        "IsAllDayEvent",
        "LegacyFreeBusyStatus",
        "Location",
        "CalendarItemType",
        "IsMeeting",
        "IsCancelled",
        "IsRecurring",
        "MyResponseType",
        "Organizer",
        "RequiredAttendees",
        "OptionalAttendees",
        "Resources",
        "Recurrence",
        "FileAs",
        "DisplayName",
        "GivenName",
        "Surname",
        "CompanyName",
        "CompleteName",
        "EmailAddresses",
        "PhoneNumbers",
        "PhysicalAddresses",
        "ImAddresses",
        "DueDate",
        "StartDate",
        "PercentComplete",
        "Status",
        "CompleteDate",
        "IsComplete",
        "Owner",
        "Members",
        "AssociatedCalendarItemId",
        "ResponseType",
        "HasBeenProcessed",
        "MeetingRequestType",
    ]
)


@dataclass(frozen=True, slots=True)
class Shape:
    """What was asked for. `lists` marks the operations that give summaries only."""

    base: str = "IdOnly"
    extra: tuple[FieldPath | IndexedPath | ExtendedPath, ...] = ()
    mime: bool = False
    body_type: str = "Best"
    filter_html: bool = False
    lists: bool = False
    version: int = 2016
    body_limit: int = 0


def read_shape(element: Xml, version: int, *, lists: bool = False) -> Shape:
    text = codecs.find_text
    return Shape(
        text(element, "BaseShape") or "IdOnly",
        paths_in(element.find(t("AdditionalProperties"))),
        mime=text(element, "IncludeMimeContent") in {"true", "1"},
        body_type=text(element, "BodyType") or "Best",
        filter_html=text(element, "FilterHtmlContent") in {"true", "1"},
        lists=lists,
        version=version,
        body_limit=int(text(element, "MaximumBodySize") or 0),
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    """What decides which fields of a kind are written: the key under which the choice is remembered."""

    base: str
    uris: frozenset[str]
    words: frozenset[str]
    mime: bool
    lists: bool
    version: int


def chosen(shape: Shape, kind: str) -> tuple[Field, ...]:
    """The fields of a kind that a shape asks for, in the order of the schema."""
    extra = frozenset(path.uri for path in shape.extra if isinstance(path, FieldPath))
    words = frozenset(path.word for path in shape.extra if isinstance(path, IndexedPath))
    return _chosen(kind, _Asked(shape.base, extra, words, shape.mime, shape.lists, shape.version))


@lru_cache(maxsize=1024)
def _chosen(kind: str, asked: _Asked) -> tuple[Field, ...]:
    return tuple(field for field in TABLES[kind] if field.since <= asked.version and _wanted(field, asked))


def _wanted(field: Field, asked: _Asked) -> bool:
    in_base = (asked.base == "AllProperties" and field.plain) or (
        asked.base == "Default" and field.tag in _DEFAULT
    )
    named = field.uri in asked.uris or (field.word != "" and field.word in asked.words)
    wanted = field.tag == "ItemId" or in_base or named or (asked.mime and field.tag == "MimeContent")
    return wanted and (field.lists or not asked.lists)


def write_item(parent: Xml, view: View, shape: Shape) -> Xml:
    """An item as an element of its kind."""
    item = view.item
    element = add(parent, t(ELEMENTS[item.kind]))
    indexed = _indexed(shape)
    extended_written = False
    for field in chosen(shape, item.kind):
        if not extended_written and _after_extended(field, item.kind):
            write_extended(element, view, shape)
            extended_written = True
        special = SPECIAL.get(field.tag)
        if special is not None:
            special(element, view, shape)
            continue
        compute = COMPUTED.get(field.tag)
        value = compute(view) if compute is not None else item.values.get(field.word)
        if value is None or value in ((), {}):
            continue
        if field.word in indexed and field.uri not in indexed:
            value = {key: entry for key, entry in value.items() if key in indexed[field.word]}
        field.codec.write(element, t(field.tag), value)
    if not extended_written:
        write_extended(element, view, shape)
    return element


def _indexed(shape: Shape) -> dict[str, set[str]]:
    """{word: keys} of dictionary entries asked for one by one, when the whole dictionary was not asked for."""
    keys: dict[str, set[str]] = {}
    whole = {path.field.word for path in shape.extra if isinstance(path, FieldPath) and path.field}
    for path in shape.extra:
        if isinstance(path, IndexedPath) and shape.base == "IdOnly" and path.word not in whole:
            keys.setdefault(path.word, set()).add(path.key)
    return keys


@cache
def _position(kind: str) -> dict[str, int]:
    return {field.uri: place for place, field in enumerate(TABLES[kind])}


def _after_extended(field: Field, kind: str) -> bool:
    place = _position(kind)
    return place[field.uri] > place["item:HasAttachments"]


def write_extended(element: Xml, view: View, shape: Shape) -> None:
    """The extended properties asked for, each once, as the client named them."""
    written = set()
    for path in shape.extra:
        if not isinstance(path, ExtendedPath) or path.name in written:
            continue
        written.add(path.name)
        value = property_value(view, path.name)
        if value is not None:
            write_property(element, path.element, value)


def write_property(element: Xml, uri: Xml, value: str | tuple[str, ...]) -> None:
    target = add(element, t("ExtendedProperty"))
    add(target, t("ExtendedFieldURI"), None, **dict(uri.attrib))
    if isinstance(value, tuple):
        values = add(target, t("Values"))
        for one in value:
            add(values, t("Value"), one)
    else:
        add(target, t("Value"), value)


def _write_id(element: Xml, view: View, _shape: Shape) -> None:
    add(element, t("ItemId"), None, Id=view.id, ChangeKey=view.change_key)


def _write_parent(element: Xml, view: View, _shape: Shape) -> None:
    folder = view.mailbox.folders.get(view.item.folder)
    if folder is not None:
        add(
            element,
            t("ParentFolderId"),
            None,
            Id=ids.folder_id(view.mailbox, folder.id),
            ChangeKey=ids.folder_key(view.mailbox, folder),
        )


def _write_mime(element: Xml, view: View, _shape: Shape) -> None:
    data = base64.b64encode(mime.content(view.item)).decode()
    add(element, t("MimeContent"), data, CharacterSet="UTF-8")


def _write_body(element: Xml, view: View, shape: Shape) -> None:
    _put_body(element, "Body", view.item.values.get("body"), shape)


def _put_body(element: Xml, tag: str, body: Body | None, shape: Shape) -> None:
    if body is None:
        return
    if shape.body_type == "Text" and body.html:
        body = Body(mime.plain_text(body))
    elif shape.body_type == "HTML" and not body.html:
        body = Body(mime.as_html(body), html=True)
    if body.html and shape.filter_html:
        body = Body(mime.filtered(body.text), html=True)
    text, cut = body.text, 0 < shape.body_limit < len(body.text)
    more = {"IsTruncated": "true" if cut else "false"} if shape.version >= 2013 else {}  # noqa: PLR2004 - since Exchange 2013
    add(
        element,
        t(tag),
        text[: shape.body_limit] if cut else text,
        BodyType="HTML" if body.html else "Text",
        **more,
    )


def _write_attachments(element: Xml, view: View, _shape: Shape) -> None:
    from procession.sandbox.ews.attachments import write_summary

    if view.item.attachments:
        target = add(element, t("Attachments"))
        for part in view.item.attachments:
            write_summary(target, view, part)


def _write_conversation(element: Xml, view: View, _shape: Shape) -> None:
    if (found := conversation_id(view)) is not None:
        add(element, t("ConversationId"), None, Id=found)


def _write_associated(element: Xml, view: View, _shape: Shape) -> None:
    if (found := associated_id(view)) is not None:
        add(element, t("AssociatedCalendarItemId"), None, Id=found)


def _write_response_objects(element: Xml, view: View, _shape: Shape) -> None:
    write_response_objects(element, view)


def _write_meeting_zone(element: Xml, view: View, _shape: Shape) -> None:
    if view.item.values.get("start_zone"):
        add(element, t("MeetingTimeZone"), None, TimeZoneName=view.item.values["start_zone"])


SPECIAL = {
    "ItemId": _write_id,
    "ParentFolderId": _write_parent,
    "MimeContent": _write_mime,
    "Body": _write_body,
    "UniqueBody": lambda element, view, shape: _put_body(
        element, "UniqueBody", view.item.values.get("body"), shape
    ),
    "NormalizedBody": lambda element, view, shape: _put_body(
        element, "NormalizedBody", view.item.values.get("body"), shape
    ),
    "Attachments": _write_attachments,
    "ConversationId": _write_conversation,
    "AssociatedCalendarItemId": _write_associated,
    "ResponseObjects": _write_response_objects,
    "MeetingTimeZone": _write_meeting_zone,
}


def check_lists(shape: Shape) -> None:
    """Raises Refused for a property that a listing cannot give."""
    if shape.mime:
        raise Refused("MIME content cannot be asked for here.", reason="InvalidPropertyForOperation")


def indexed_value(value: object, path: IndexedPath) -> object:
    """An entry of a dictionary as searching and sorting see it: text."""
    if isinstance(value, Address):
        return value.email
    return getattr(value, dict(codecs.POSTAL_PARTS).get(path.uri.rpartition(":")[2], ""), value)
