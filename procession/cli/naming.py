"""Which record a text means: its number, `contact:3`, its name, or an e-mail address."""

import re
from collections.abc import Mapping

from procession.cli.session import Session
from procession.errors import InputError
from procession.records import Record, Ref, ref_of
from procession.spelling import did_you_mean

COMPARED = 5_000
"""So many names are compared with one that nobody has."""
_NUMBERED = re.compile(r"([a-z]+:)?\d+")


def numbered(now: Session, entity: str, text: str) -> str:
    """The text, or the number of the record of this kind that it names.

    Raises:
        InputError: it names none, or several.
    """
    text = text.strip()
    if _NUMBERED.fullmatch(text) or (
        (found := re.match(r"([a-z]+):", text)) and found[1] in now.application.schema.entities
    ):
        return text
    called = _called(now, entity, text)
    if len(called) == 1:
        return str(called[0])
    if called:
        several = " or ".join(map(str, called[:3]))
        raise InputError(f"there are {len(called)} records called {text!r}", hint=f"Write {several}.")
    raise InputError(f"there is no {entity} {text!r}", hint=_suggestion(now, entity, text))


def _called(now: Session, entity: str, text: str) -> list[Ref]:
    fields = now.application.schema.entity(entity).fields
    address = next((name for name in ("emails", "email") if name in fields), "")
    named = "subject" if "subject" in fields else "name"
    where: Mapping[str, object] = {address: text} if "@" in text and address else {named: text}
    with now.application.store.unit(write=False) as unit:
        return [ref_of(record) for record in unit.records.find(entity, where, limit=10)]


def _suggestion(now: Session, entity: str, text: str) -> str:
    with now.application.store.unit(write=False) as unit:
        known: list[Record] = unit.records.find(entity, {}, limit=COMPARED)
    return did_you_mean(text, map(str, known)) or f"See: procession crm list {entity}"
