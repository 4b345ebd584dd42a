"""What activities are connected to. The first link of each kind is the activity's own contact, account or
opportunity; writing these fields moves links."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from crm.mapping import LINKED
from crm.statements import IDS, portions
from crm.tables import activity_link
from procession.errors import StoreError
from procession.records import Ref

Targets = Callable[[Collection[int]], list[tuple[int, Ref]]]
"""All links of activities: `(activity, connected record)`."""

_INSERT = insert(activity_link)
_OF_ACTIVITIES = (
    select(
        activity_link.c.id,
        activity_link.c.activity_id,
        *(activity_link.c[f"{entity}_id"] for entity in LINKED),
    )
    .where(activity_link.c.activity_id.in_(IDS))
    .order_by(activity_link.c.id)
)
_DELETE = delete(activity_link).where(activity_link.c.id.in_(IDS))
_MOVE = {
    entity: update(activity_link)
    .where(activity_link.c.id == bindparam("link"))
    .values({f"{entity}_id": bindparam("target"), "reason": "field", "confidence": 1.0})
    for entity in LINKED
}


@dataclass(frozen=True, slots=True)
class Link:
    activity: int
    to: Ref
    reason: str = "field"
    confidence: float = 1.0


class Pointer(NamedTuple):
    """Where an activity's own link to an `entity` is to lead."""

    activity: int
    entity: str
    to: Ref | None


def resolve(connection: Connection, wanted: Sequence[Sequence[Ref]]) -> list[list[Ref]]:
    """See `resolved`."""
    return resolved(wanted, partial(targets, connection))


def resolved(wanted: Sequence[Sequence[Ref]], targets_of: Targets) -> list[list[Ref]]:
    """What activities are to be connected to, list by list; an activity stands for all it is connected to.

    Raises:
        StoreError: a record that nothing can be connected to.
    """
    for ref in chain.from_iterable(wanted):
        if ref.entity not in (*LINKED, "activity"):
            raise StoreError(
                f"An activity cannot be connected to {ref}.", hint=f"Only to {', '.join(LINKED)}."
            )
    behind: dict[int, list[Ref]] = {
        ref.id: [] for ref in chain.from_iterable(wanted) if ref.entity == "activity"
    }
    for activity, target in targets_of(behind):
        behind[activity].append(target)
    return [
        [target for ref in refs for target in (behind[ref.id] if ref.entity == "activity" else (ref,))]
        for refs in wanted
    ]


def add(connection: Connection, links: Iterable[Link]) -> None:
    """Connect new activities."""
    if rows := rows_of(links):
        connection.execute(_INSERT, rows)


def rows_of(links: Iterable[Link]) -> list[dict[str, Any]]:
    """The first of several equal links counts."""
    once: dict[tuple[int, Ref], Link] = {}
    for link in links:
        once.setdefault((link.activity, link.to), link)
    return [_row(link) for link in once.values()]


@dataclass(frozen=True, slots=True)
class Moves:
    """What becomes of links, by their numbers; `moved` by entity, each `{link, target}`."""

    gone: list[int]
    moved: dict[str, list[dict[str, int]]]
    new: list[Link]


def moves(pointers: Iterable[Pointer], there: Mapping[tuple[int, str], list[tuple[int, int]]]) -> Moves:
    """Let activities' own links of a kind lead to other records. The empty target takes the link away and leaves
    its place to the next.

    Args:
        there: `{(activity, entity): [(link, number of the record)]}`, the oldest link first.
    """
    gone: list[int] = []
    moved: dict[str, list[dict[str, int]]] = {}
    new: list[Link] = []
    for activity, entity, to in pointers:
        links = there.get((activity, entity), [])
        own = links[0][0] if links else None
        if to is None:
            gone += [own] if own is not None else []
            continue
        gone += [link for link, target in links[1:] if target == to.id]
        if own is None:
            new.append(Link(activity, to))
        else:
            moved.setdefault(entity, []).append({"link": own, "target": to.id})
    return Moves(gone, moved, new)


def point(connection: Connection, wanted: Iterable[Pointer]) -> None:
    """See `moves`."""
    pointers = list(wanted)
    there: dict[tuple[int, str], list[tuple[int, int]]] = {}
    for link, activity, *row in _of(connection, {pointer.activity for pointer in pointers}):
        for entity, target in zip(LINKED, row, strict=True):
            if target is not None:
                there.setdefault((activity, entity), []).append((link, target))
    change = moves(pointers, there)
    for some in portions(change.gone):
        connection.execute(_DELETE, {"ids": some})
    for entity, rows in change.moved.items():
        connection.execute(_MOVE[entity], rows)
    add(connection, change.new)


def targets(connection: Connection, activities: Collection[int]) -> list[tuple[int, Ref]]:
    """All links of these activities: `(activity, connected record)`."""
    return [
        (number, Ref(entity, target))
        for _, number, *row in _of(connection, activities)
        for entity, target in zip(LINKED, row, strict=True)
        if target is not None
    ]


def _of(connection: Connection, activities: Collection[int]) -> Iterator[Sequence[Any]]:
    found = (connection.execute(_OF_ACTIVITIES, {"ids": some}) for some in portions(activities))
    return chain.from_iterable(found)


def _row(link: Link) -> dict[str, Any]:
    row: dict[str, Any] = {f"{entity}_id": None for entity in LINKED}
    row[f"{link.to.entity}_id"] = link.to.id
    return {
        "activity_id": link.activity,
        "reason": link.reason,
        "confidence": link.confidence,
        **row,
    }
