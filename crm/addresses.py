"""E-mail addresses and phone numbers of contacts. The first one of each kind is the primary one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from crm.checks import normal
from crm.statements import IDS, portions
from crm.tables import contact_address

KINDS = ("email", "phone")
There = dict[tuple[int, str], list[Any]]
"""`{(contact, kind): rows}`, the primary one first."""

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
        row_of(contact, kind, address, position)
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
    there: There = {}
    for some in portions({contact for contact, _, _ in wishes}):
        for row in connection.execute(_OF_CONTACTS, {"ids": some}):
            there.setdefault((row.contact_id, row.kind), []).append(row)
    change = moves(wishes, there)
    for some in portions(change.gone):
        connection.execute(_DELETE, {"ids": some})
    if change.moved:
        connection.execute(_REPLACE, change.moved)
    if change.new:
        connection.execute(_INSERT, change.new)


@dataclass(frozen=True, slots=True)
class Moves:
    """What becomes of addresses: the numbers of those that are `gone`, the new values of those that `moved`
    (`new_…`, by `number`), and new rows."""

    gone: list[int]
    moved: list[dict[str, Any]]
    new: list[dict[str, Any]]


def moves(wishes: Iterable[tuple[int, str, str]], there: There) -> Moves:
    """See `make_primary`."""
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
            values = row_of(contact, kind, address, place)
            values = {f"new_{name}": values[name] for name in _REPLACED}
            moved.append({"number": (same or known[0]).id, **values})
        else:
            new.append(row_of(contact, kind, address, 0))
    return Moves(gone, moved, new)


def row_of(contact: int, kind: str, address: str, position: int) -> dict[str, Any]:
    return {
        "contact_id": contact,
        "kind": kind,
        "value": address.strip(),
        "normal": normal(kind, address),
        "label": "",
        "position": position,
    }
