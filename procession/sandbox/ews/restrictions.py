"""Restrictions and sort orders ([MS-OXWSSRCH] 2.2.4) as functions of an item.

A restriction that asks for one identity (an extended property, a message id, a uid) is found in the index; any
other walks the folder.
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from procession.sandbox.ews import ids
from procession.sandbox.ews.codecs import read_moment
from procession.sandbox.ews.computed import COMPUTED, View
from procession.sandbox.ews.mapi import TAGS, property_value
from procession.sandbox.ews.names import Xml, local, t
from procession.sandbox.ews.paths import ExtendedPath, FieldPath, IndexedPath, Path, default_value, read_path
from procession.sandbox.ews.shapes import indexed_value
from procession.sandbox.mailbox import mime
from procession.sandbox.mailbox.index import INDEXED_LENGTH
from procession.sandbox.mailbox.words import Address, Body, Flag, Refused

Predicate = Callable[[View], bool]
_IDENTITIES = {"message:InternetMessageId": "message_id", "calendar:UID": "uid"}
_PATHS = frozenset({"FieldURI", "IndexedFieldURI", "ExtendedFieldURI"})
DEPTH = 255
"""Exchange refuses restrictions that are nested deeper or longer."""


@dataclass(frozen=True, slots=True)
class Restriction:
    """`identity` is the (name, value) that every match has, if the restriction says so."""

    matches: Predicate
    identity: tuple[Any, Any] | None = None


def read_restriction(element: Xml | None) -> Restriction | None:
    """The expression in a `Restriction`.

    Raises:
        Refused: too deep, or of a property that cannot be searched for.
    """
    return _expression(element[0], 0) if element is not None else None


def _expression(element: Xml, depth: int) -> Restriction:
    if depth > DEPTH:
        raise Refused("The restriction is too complex.", reason="RestrictionTooComplex")
    match local(element):
        case "And":
            return _all([_expression(child, depth + 1) for child in element])
        case "Or":
            parts = [_expression(child, depth + 1).matches for child in element]
            return Restriction(lambda view: any(part(view) for part in parts))
        case "Not":
            inner = _expression(element[0], depth + 1).matches
            return Restriction(lambda view: not inner(view))
        case "Exists":
            read = reader(read_path(element[0]))
            return Restriction(lambda view: read(view) not in (None, "", (), {}))
        case "Excludes":
            return _excludes(element)
        case "Contains":
            return _contains(element)
        case name:
            return _comparison(name, element)


def _all(parts: list[Restriction]) -> Restriction:
    identity = next((part.identity for part in parts if part.identity), None)
    return Restriction(lambda view: all(part.matches(view) for part in parts), identity)


def _excludes(element: Xml) -> Restriction:
    read = reader(read_path(element[0]))
    text = element.find(t("Bitmask")).get("Value")
    mask = int(text, 16) if text.lower().startswith("0x") else int(text)
    return Restriction(lambda view: not _bits(read(view)) & mask)


def _bits(value: Any) -> int:
    """Raises Refused for a value that has no bits."""
    try:
        return int(value or 0)
    except (ValueError, TypeError):
        raise Refused("Only a number can exclude bits.", reason="InvalidExcludesRestriction") from None


def _contains(element: Xml) -> Restriction:
    read = reader(read_path(element[0]))
    wanted = element.find(t("Constant")).get("Value")
    mode = element.get("ContainmentMode", "Substring")
    fold = element.get("ContainmentComparison", "Exact").startswith("Ignore")
    wanted = wanted.casefold() if fold else wanted
    test = _CONTAINMENTS[mode]

    def matches(view: View) -> bool:
        texts = _texts(read(view))
        return any(test(text.casefold() if fold else text, wanted) for text in texts)

    return Restriction(matches)


_CONTAINMENTS: dict[str, Callable[[str, str], bool]] = {
    "FullString": lambda text, wanted: text == wanted,
    "Prefixed": lambda text, wanted: text.startswith(wanted),
    "Substring": lambda text, wanted: wanted in text,
    "PrefixOnWords": lambda text, wanted: re.search(rf"(?<!\w){re.escape(wanted)}", text) is not None,
    "ExactPhrase": lambda text, wanted: re.search(rf"(?<!\w){re.escape(wanted)}(?!\w)", text) is not None,
}
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "IsEqualTo": lambda value, wanted: value == wanted,
    "IsNotEqualTo": lambda value, wanted: value != wanted,
    "IsGreaterThan": lambda value, wanted: value > wanted,
    "IsGreaterThanOrEqualTo": lambda value, wanted: value >= wanted,
    "IsLessThan": lambda value, wanted: value < wanted,
    "IsLessThanOrEqualTo": lambda value, wanted: value <= wanted,
}


def _comparison(name: str, element: Xml) -> Restriction:
    if name not in _COMPARISONS:
        raise Refused(f"The search expression {name} is not supported.", reason="UnsupportedQueryFilter")
    path, operand = read_path(element[0]), element[1][0]
    compare, read = _COMPARISONS[name], reader(path)
    other = reader(read_path(operand)) if local(operand) in _PATHS else None
    text = operand.get("Value", "")
    constant = default_value(path.name, text) if isinstance(path, ExtendedPath) else text
    identity = _identity(path, constant) if name == "IsEqualTo" and other is None else None

    def matches(view: View) -> bool:
        value = comparable(read(view))
        if isinstance(value, tuple | dict):
            return any(_compared(compare, comparable(one), constant) for one in _members(value))
        return _compared(compare, value, comparable(other(view)) if other else constant)

    return Restriction(matches, identity)


def _members(value: Any) -> Collection[Any]:
    return list(value.values()) if isinstance(value, dict) else list(value)


def _compared(compare: Callable[[Any, Any], bool], value: Any, wanted: Any) -> bool:
    if value is None:
        return compare is _COMPARISONS["IsNotEqualTo"]
    if isinstance(wanted, str) and not isinstance(value, str):
        wanted = _constant(value, wanted)
    elif (
        isinstance(value, str)
        and isinstance(wanted, str)
        and compare in (_COMPARISONS["IsEqualTo"], _COMPARISONS["IsNotEqualTo"])
    ):
        value, wanted = value.casefold(), wanted.casefold()
    try:
        return compare(value, wanted)
    except TypeError:
        return False


def _constant(value: Any, text: str) -> Any:
    """A constant as a value like the one it is compared with.

    Raises:
        Refused: it is none.
    """
    try:
        if isinstance(value, bool):
            return text.strip().lower() in {"true", "1"}
        if isinstance(value, datetime):
            return read_moment(text)
        if isinstance(value, date):
            return date.fromisoformat(text[:10])
        return type(value)(text)
    except (ValueError, TypeError):
        raise Refused(f"'{text}' cannot be compared here.", reason="InvalidValueForProperty") from None


def _identity(path: Path, constant: Any) -> tuple[Any, Any] | None:
    if (
        isinstance(path, ExtendedPath)
        and isinstance(constant, str)
        and path.name.tag not in TAGS
        and len(constant) <= INDEXED_LENGTH
    ):
        return path.name, constant
    if isinstance(path, FieldPath) and path.uri in _IDENTITIES:
        return _IDENTITIES[path.uri], constant
    return None


def comparable(value: Any) -> Any:
    """A value as it is compared: an address by its text, a body by its text."""
    match value:
        case Address():
            return value.name or value.email
        case Body():
            return mime.plain_text(value)
        case Flag():
            return value.status
        case bytes():
            return value.hex()
        case _:
            return value


def _texts(value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, Address):
        return [value.name, value.email]
    if isinstance(value, tuple | dict):
        return [text for one in _members(value) for text in _texts(getattr(one, "address", one))]
    return [str(comparable(value))]


def reader(path: Path) -> Callable[[View], Any]:
    """A function from an item to the value of a property."""
    match path:
        case ExtendedPath():
            return lambda view: property_value(view, path.name)
        case IndexedPath():
            return lambda view: indexed_value((view.item.values.get(path.word) or {}).get(path.key), path)
        case FieldPath(uri="item:ItemId"):
            return lambda view: view.id
        case FieldPath(uri="item:ParentFolderId"):
            return lambda view: ids.folder_id(view.mailbox, view.item.folder)
        case FieldPath(uri="item:Attachments"):
            return lambda view: tuple(part.name for part in view.item.attachments)
        case FieldPath(field=None):
            raise Refused(f"{path.uri} cannot be searched for.", reason="UnsupportedPathForQuery")
        case FieldPath(field=field):
            compute = COMPUTED.get(field.tag)  # type: ignore[union-attr]  # None is the case before
            word = field.word  # type: ignore[union-attr]
            return compute if compute is not None else lambda view: view.item.values.get(word)


def sort(views: list[View], order: Xml) -> list[View]:
    """Views in the order a `SortOrder` asks for; missing values first when ascending."""
    for field in reversed(list(order)):
        views.sort(key=_by(reader(read_path(field[0]))), reverse=field.get("Order") == "Descending")
    return views


def _by(read: Callable[[View], Any]) -> Callable[[View], tuple[int, Any]]:
    return lambda view: _sort_key(read(view))


def _sort_key(value: Any) -> tuple[int, Any]:
    value = comparable(value)
    if value is None or isinstance(value, tuple | dict):
        return 0, _texts(value)
    if not isinstance(value, str | int | float | datetime):
        raise Refused("Items cannot be sorted by this property.", reason="UnsupportedPathForSortGroup")
    return 1, value.casefold() if isinstance(value, str) else value
