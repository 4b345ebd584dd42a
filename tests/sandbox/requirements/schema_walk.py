"""Which elements of which types a document has, by the schema it was held against."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from lxml import etree

from procession.sandbox.ews import soap

XS = "{http://www.w3.org/2001/XMLSchema}"
Row = tuple[str, str, str]
"""(complex type, element or attribute, type), all without prefixes except xs:."""


def bare(name: str) -> str:
    return name if name.startswith("xs:") else name.rpartition(":")[2]


class Schema:
    def __init__(self) -> None:
        folder = Path(soap.__file__).parent / "schema"
        self.types: dict[str, Any] = {}
        self.elements: dict[str, str] = {}
        self.groups: dict[str, Any] = {}
        for name in ("types.xsd", "messages.xsd"):
            root = etree.parse(folder / name).getroot()
            for element in root:
                if element.tag == XS + "complexType":
                    self.types[element.get("name")] = element
                elif element.tag == XS + "element":
                    self.elements[element.get("name")] = bare(element.get("type", ""))
                elif element.tag == XS + "group":
                    self.groups[element.get("name")] = element

    def base(self, name: str) -> str:
        """The type that a type extends, or nothing."""
        found = self.types[name].find(f".//{XS}extension") if name in self.types else None
        return bare(found.get("base")) if found is not None else ""

    def chain(self, name: str) -> list[str]:
        """The type and what it extends."""
        return [name, *self.chain(self.base(name))] if name in self.types else []

    @cache  # noqa: B019
    def members(self, name: str) -> dict[str, str]:
        """Elements and attributes (`@name`) of a type with their types, inherited ones included."""
        found: dict[str, str] = {}
        if name not in self.types:
            return found
        found |= self.members(self.base(name))
        self._collect(self.types[name], found)
        return found

    def _collect(self, node: Any, found: dict[str, str]) -> None:
        for child in node:
            if child.tag == XS + "element":
                name = child.get("name") or bare(child.get("ref"))
                found[name] = bare(child.get("type") or "") or self.elements.get(name, "")
            elif child.tag == XS + "attribute":
                found["@" + child.get("name")] = bare(child.get("type") or "")
            elif child.tag == XS + "group":
                self._collect(self.groups[bare(child.get("ref"))], found)
            elif isinstance(child.tag, str):
                self._collect(child, found)

    def rows(self, element: Any, type_name: str = "") -> Iterator[Row]:
        """Every (type, member, member's type) that occurs in a document."""
        name = type_name or self.elements.get(etree.QName(element).localname, "")
        members = self.members(name)
        for attribute in element.attrib:
            if "@" + attribute in members:
                yield from (
                    (one, attribute, members["@" + attribute])
                    for one in self.chain(name)
                    if "@" + attribute in self.members(one)
                )
        for child in element:
            tag = etree.QName(child).localname
            kind = members.get(tag, self.elements.get(tag, ""))
            yield from ((one, tag, kind) for one in self.chain(name) if tag in self.members(one))
            yield from self.rows(child, kind)
        if name:
            yield from ((one, "", "") for one in self.chain(name))


@cache
def schema() -> Schema:
    return Schema()
