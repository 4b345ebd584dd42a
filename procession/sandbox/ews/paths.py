"""What a request calls a property: a field, an entry of a dictionary, or an extended property."""

from dataclasses import dataclass
from typing import Any

from procession.sandbox.ews.fields import INDEXED, Field, everywhere
from procession.sandbox.ews.names import Xml, local
from procession.sandbox.ews.soap import SoapFault
from procession.sandbox.mailbox.words import PropertyName, Refused

SETS = {
    # [MS-OXPROPS] 1.3.2
    "Meeting": "6ed8da90-450b-101b-98da-00aa003f1305",
    "Appointment": "00062002-0000-0000-c000-000000000046",
    "Common": "00062008-0000-0000-c000-000000000046",
    "PublicStrings": "00020329-0000-0000-c000-000000000046",
    "Address": "00062004-0000-0000-c000-000000000046",
    "InternetHeaders": "00020386-0000-0000-c000-000000000046",
    "CalendarAssistant": "11000e07-b51b-40d6-af21-caa85edab1d0",
    "UnifiedMessaging": "4442858e-a9e3-4e80-b900-317a210cc15b",
    "Task": "00062003-0000-0000-c000-000000000046",
    "Sharing": "00062040-0000-0000-c000-000000000046",
}


@dataclass(frozen=True, slots=True)
class FieldPath:
    uri: str
    field: Field | None
    """None for a property of the schema that the sandbox does not have."""


@dataclass(frozen=True, slots=True)
class IndexedPath:
    uri: str
    word: str
    key: str


@dataclass(frozen=True, slots=True)
class ExtendedPath:
    name: PropertyName
    element: Xml
    """As the client wrote it, for the reply: a set's name and its GUID are the same property."""


Path = FieldPath | IndexedPath | ExtendedPath


def read_path(element: Xml) -> Path:
    """A `FieldURI`, `IndexedFieldURI` or `ExtendedFieldURI`.

    Raises:
        Refused: an extended property named in a way that cannot be.
    """
    match local(element):
        case "FieldURI":
            uri = element.get("FieldURI")
            return FieldPath(uri, everywhere().get(uri))
        case "IndexedFieldURI":
            uri = element.get("FieldURI")
            return IndexedPath(uri, INDEXED[uri], element.get("FieldIndex"))
        case "ExtendedFieldURI":
            return ExtendedPath(property_name(element), element)
        case other:
            raise SoapFault(f"{other} names no property.", code="ErrorInvalidPropertyRequest")


def property_name(element: Xml) -> PropertyName:
    """The name in an `ExtendedFieldURI`; the rules are those of [MS-OXWSXPROP] 2.1.5.

    Raises:
        Refused: parts that exclude each other, or that need each other.
    """
    get = element.get
    tag, distinguished, guid = get("PropertyTag"), get("DistinguishedPropertySetId"), get("PropertySetId")
    name, number, kind = get("PropertyName"), get("PropertyId"), get("PropertyType")
    given = sum(part is not None for part in (tag, distinguished, guid))
    if (
        given != 1
        or (tag is not None) == (name is not None or number is not None)
        or (name is not None and number is not None)
    ):
        raise Refused(
            "An extended property has a PropertyTag, or a property set with either a PropertyName or a PropertyId.",
            reason="InvalidExtendedProperty",
        )
    if tag is not None:
        return PropertyName(kind, tag=int(tag, 16) if tag.lower().startswith("0x") else int(tag))
    set_id = SETS[distinguished] if distinguished is not None else guid.lower()
    return PropertyName(
        kind, set_id=set_id, name=name or "", number=int(number) if number is not None else None
    )


def paths_in(parent: Xml | None) -> tuple[Path, ...]:
    return tuple(read_path(child) for child in parent) if parent is not None else ()


def default_value(name: PropertyName, text: str) -> Any:
    """An extended property's value as the store compares it: text, except numbers and booleans written otherwise.

    Raises:
        Refused: not a value of its type.
    """
    kind = name.type.removesuffix("Array")
    try:
        if kind in {"Integer", "Short", "Long", "Error"}:
            return str(int(text))
        if kind in {"Double", "Float", "Currency", "ApplicationTime"}:
            return f"{float(text):g}"
    except ValueError:
        raise Refused(
            f"'{text}' is no value of type {name.type}.", reason="InvalidExtendedPropertyValue"
        ) from None
    if kind == "Boolean":
        return "true" if text.strip().lower() in {"true", "1"} else "false"
    return text
