"""The changes of an UpdateItem, applied to an item's values: set, delete and append, field by field."""

from dataclasses import dataclass, field, replace
from typing import Any

from procession.sandbox.ews import codecs
from procession.sandbox.ews.attachments import read_attachments
from procession.sandbox.ews.drafts import read_mime, read_property, read_value
from procession.sandbox.ews.fields import Field, by_uri, everywhere
from procession.sandbox.ews.names import Xml, local
from procession.sandbox.ews.paths import ExtendedPath, FieldPath, IndexedPath, read_path
from procession.sandbox.mailbox import mime
from procession.sandbox.mailbox.items import Item
from procession.sandbox.mailbox.words import Attachment, Body, Postal, PropertyName, Refused

_APPENDABLE = frozenset(
    {"body", "to", "cc", "bcc", "required", "optional", "resources", "reply_to", "members"}
)
_UNTOUCHED_MIME = frozenset(
    {
        "is_read",
        "flag",
        "categories",
        "importance",
        "sensitivity",
        "processed",
        "reminder_is_set",
        "reminder_due_by",
    }
)
_POSTAL = dict(codecs.POSTAL_PARTS)


@dataclass(slots=True)
class Update:
    """What an item becomes. `changed` are the words that were written; `extended` may be among them."""

    kind: str
    values: dict[str, Any]
    extended: dict[PropertyName, Any]
    item_class: str
    mime: bytes
    place: str = ""
    changed: set[str] = field(default_factory=set)
    attachments: tuple[Attachment, ...] | None = None
    """New ones in place of all there were, or None."""


def read_update(item: Item, changes: Xml, place: str) -> Update:
    """The item's values after the changes of an `Updates` element, in order.

    Raises:
        Refused: a change that cannot be made.
    """
    zone = str(item.values.get("start_zone") or place)
    update = Update(item.kind, dict(item.values), dict(item.extended), item.item_class, item.mime, zone)
    for change in changes:
        if local(change) == "SetItemField":
            _check_one(change)
        _apply(update, change)
    if item.mime and update.mime == item.mime and not update.changed <= _UNTOUCHED_MIME | {"extended"}:
        update.mime = b""
    return update


def _check_one(change: Xml) -> None:
    if len(change) < 2 or len(change[1]) != 1:  # noqa: PLR2004 - the path, and the item with the property
        raise Refused("A SetItemField sets exactly one property.", reason="IncorrectUpdatePropertyCount")


def _apply(update: Update, change: Xml) -> None:
    path, verb = read_path(change[0]), local(change)
    match path:
        case ExtendedPath():
            _extended(update, path, change, verb)
        case IndexedPath():
            _entry(update, path, change, verb)
        case FieldPath():
            _field(update, path, change, verb)


def _extended(update: Update, path: ExtendedPath, change: Xml, verb: str) -> None:
    update.changed.add("extended")
    if verb == "DeleteItemField":
        update.extended.pop(path.name, None)
        return
    name, value = read_property(change[1][0])
    if name != path.name:
        raise Refused(
            "The property that is set is not the one that is named.", reason="UpdatePropertyMismatch"
        )
    if verb == "AppendToItemField":
        raise Refused("An extended property cannot be appended to.", reason="InvalidPropertyAppend")
    update.extended[name] = value


def _entry(update: Update, path: IndexedPath, change: Xml, verb: str) -> None:
    entries = dict(update.values.get(path.word) or {})
    update.changed.add(path.word)
    part = _POSTAL.get(path.uri.rpartition(":")[2], "")
    if verb == "DeleteItemField":
        _delete_entry(entries, path.key, part)
    elif verb == "AppendToItemField":
        raise Refused("An entry of a dictionary cannot be appended to.", reason="InvalidPropertyAppend")
    else:
        entry = next((one for one in change[1][0] if one.get("Key") == path.key), None)
        if entry is None:
            raise Refused(
                "The entry that is set is not the one that is named.", reason="UpdatePropertyMismatch"
            )
        _set_entry(entries, path, part, entry)
    update.values[path.word] = entries or None


def _delete_entry(entries: dict[str, Any], key: str, part: str) -> None:
    if not part:
        entries.pop(key, None)
    elif key in entries:
        entries[key] = replace(entries[key], **{part: ""})
        if entries[key] == Postal():
            del entries[key]


def _set_entry(entries: dict[str, Any], path: IndexedPath, part: str, entry: Xml) -> None:
    if part:
        given = codecs.read_postal_entry(entry)
        entries[path.key] = replace(entries.get(path.key, Postal()), **{part: getattr(given, part)})
    elif path.word == "emails":
        entries[path.key] = codecs.read_email_entry(entry)
    else:
        entries[path.key] = codecs.text_of(entry)


def _known(update: Update, path: FieldPath) -> Field:
    known = by_uri(update.kind).get(path.uri)
    if known is None:
        reason = "InvalidPropertyRequest" if path.uri in everywhere() else "InvalidPropertySet"
        raise Refused(f"{path.uri} is no property of this item.", reason=reason)
    return known


def _field(update: Update, path: FieldPath, change: Xml, verb: str) -> None:
    known = _known(update, path)
    if verb == "DeleteItemField":
        if not known.write or known.tag in {"ItemClass", "MimeContent"}:
            raise Refused(f"{path.uri} cannot be deleted.", reason="InvalidPropertyDelete")
        _delete(update, known)
        return
    element = change[1][0]
    if local(element) != known.tag:
        raise Refused(
            "The property that is set is not the one that is named.", reason="UpdatePropertyMismatch"
        )
    if known.tag == "Attachments":
        update.attachments = tuple(read_attachments(element, update.place))
        return
    if not known.write:
        reason = "InvalidPropertySet" if verb == "SetItemField" else "InvalidPropertyAppend"
        raise Refused(f"{path.uri} cannot be set.", reason=reason)
    if verb == "AppendToItemField":
        _append(update, known, element)
    else:
        _set(update, known, element)


def _delete(update: Update, known: Field) -> None:
    update.values[known.word] = None
    update.changed.add(known.word)
    if known.word == "recurrence":
        update.values.pop("calendar_item_type", None)


def _set(update: Update, known: Field, element: Xml) -> None:
    if known.word == "item_class":
        update.item_class = codecs.text_of(element)
    elif known.word == "mime":
        update.mime = read_mime(element)
        update.values |= mime.read(update.mime).values
    else:
        update.values[known.word] = read_value(known, element, update.place)
        update.changed.add(known.word)
        return
    update.changed.add(known.word)


def _append(update: Update, known: Field, element: Xml) -> None:
    if known.word not in _APPENDABLE:
        raise Refused(f"{known.uri} cannot be appended to.", reason="InvalidPropertyAppend")
    more, before = known.codec.read(element), update.values.get(known.word)
    if before is None:
        update.values[known.word] = more
    elif isinstance(before, Body):
        update.values[known.word] = _joined(before, more)
    else:
        update.values[known.word] = (*before, *more)
    update.changed.add(known.word)


def _joined(before: Body, more: Body) -> Body:
    if not before.html:
        return Body(before.text + mime.plain_text(more))
    head, close, tail = before.text.rpartition("</body>")
    return Body(
        f"{head}{mime.as_html(more) if not more.html else more.text}{close}{tail}"
        if close
        else before.text + more.text,
        html=True,
    )
