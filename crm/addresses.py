"""E-mail addresses and phone numbers of contacts. The first one of each kind is the primary one."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from crm.checks import normal
from crm.statements import IDS, portions
from crm.tables import contact_address

KINDS = ("email", "phone")

_INSERT = insert(contact_address)
_OF_CONTACTS = (
    select(
        contact_address.c.id,
        contact_address.c.contact_id,
        contact_address.c.kind,
        contact_address.c.normal,
        contact_address.c.position,
    )
    .where(contact_address.c.contact_id.in_(IDS))
    .order_by(contact_address.c.position, contact_address.c.id)
)
_DELETE = delete(contact_address).where(contact_address.c.id.in_(IDS))
_REPLACED = ("value", "normal", "position")
_REPLACE = (
    update(contact_address)
    .where(contact_address.c.id == bindparam("number"))
    .values({name: bindparam(f"new_{name}") for name in _REPLACED})
)


def add(connection: Connection, rows: Iterable[tuple[int, str, Sequence[str]]]) -> None:
    """Add the addresses of new contacts: `(contact, kind, addresses)`, the primary one first."""
    values = [
        _row(contact, kind, address, position)
        for contact, kind, addresses in rows
        for position, address in enumerate(addresses)
    ]
    if values:
        connection.execute(_INSERT, values)


def make_primary(connection: Connection, wanted: Iterable[tuple[int, str, str]]) -> None:
    """Put addresses in the place of the primary ones: `(contact, kind, address)`. One the contact has already
    moves to the front, and nothing is lost; the empty text takes the primary one away and leaves its place
    to the next."""
    wishes = list(wanted)
    there: dict[tuple[int, str], list[Row[*tuple[Any, ...]]]] = {}
    for some in portions({contact for contact, _, _ in wishes}):
        for row in connection.execute(_OF_CONTACTS, {"ids": some}):
            there.setdefault((row.contact_id, row.kind), []).append(row)
    gone: list[int] = []
    new: list[dict[str, Any]] = []
    moved: list[dict[str, Any]] = []
    for contact, kind, address in wishes:
        known, compared = there.get((contact, kind), []), normal(kind, address)
        same = next((row for row in known if row.normal == compared), None)
        if not address:
            gone += [known[0].id] if known else []
        elif known:
            place = known[0].position - 1 if same else known[0].position
            values = _row(contact, kind, address, place)
            values = {f"new_{name}": values[name] for name in _REPLACED}
            moved.append({"number": (same or known[0]).id, **values})
        else:
            new.append(_row(contact, kind, address, 0))
    for some in portions(gone):
        connection.execute(_DELETE, {"ids": some})
    if moved:
        connection.execute(_REPLACE, moved)
    if new:
        connection.execute(_INSERT, new)


def _row(contact: int, kind: str, address: str, position: int) -> dict[str, Any]:
    return {
        "contact_id": contact,
        "kind": kind,
        "value": address.strip(),
        "normal": normal(kind, address),
        "label": "",
        "position": position,
    }
