"""Namespaces and qualified names. `Xml` is an lxml element (lxml has no types)."""

from functools import cache
from typing import Any

Xml = Any

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
TYPES = "http://schemas.microsoft.com/exchange/services/2006/types"
MESSAGES = "http://schemas.microsoft.com/exchange/services/2006/messages"
ERRORS = "http://schemas.microsoft.com/exchange/services/2006/errors"
PREFIXES = {"s": SOAP, "t": TYPES, "m": MESSAGES}


@cache
def t(name: str) -> str:
    return f"{{{TYPES}}}{name}"


@cache
def m(name: str) -> str:
    return f"{{{MESSAGES}}}{name}"


def local(element: Xml) -> str:
    """An element's name without its namespace."""
    return str(element.tag).rpartition("}")[2]
