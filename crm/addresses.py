"""E-mail addresses and phone numbers of contacts. The first one of each kind is the primary one."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from crm.checks import normal
from crm.tables import contact_address

KINDS = ("email", "phone")

_INSERT = insert(contact_address)
_OF_KIND = (
    select(contact_address.c.id, contact_address.c.normal)
    .where(contact_address.c.contact_id == bindparam("contact"), contact_address.c.kind == bindparam("kind"))
    .order_by(contact_address.c.position, contact_address.c.id)
)
_FIRST_PLACE = select(func.min(contact_address.c.position)).where(
    contact_address.c.contact_id == bindparam("contact")
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


def make_primary(connection: Connection, contact: int, kind: str, address: str) -> None:
    """Put an address in the place of the primary one. One the contact has already moves to the front,
    and nothing is lost; the empty text takes the primary one away and leaves its place to the next."""
    there = connection.execute(_OF_KIND, {"contact": contact, "kind": kind}).all()
    same = next((row.id for row in there if row.normal == normal(kind, address)), None)
    table = contact_address
    if not address:
        if there:
            connection.execute(delete(table).where(table.c.id == there[0].id))
    elif same is not None:
        first = connection.execute(_FIRST_PLACE, {"contact": contact}).scalar() or 0
        place = {"value": address.strip(), "position": first - 1}
        connection.execute(update(table).where(table.c.id == same).values(place))
    elif there:
        values = {"value": address.strip(), "normal": normal(kind, address)}
        connection.execute(update(table).where(table.c.id == there[0].id).values(values))
    else:
        connection.execute(_INSERT, [_row(contact, kind, address, 0)])


def _row(contact: int, kind: str, address: str, position: int) -> dict[str, Any]:
    return {
        "contact_id": contact,
        "kind": kind,
        "value": address.strip(),
        "normal": normal(kind, address),
        "label": "",
        "position": position,
    }
