"""What activities are connected to. The first link of each kind is the activity's own contact, account or
opportunity; writing these fields moves links."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from crm.mapping import LINKED
from crm.parameters import IDS, portions
from crm.tables import activity_link
from procession.errors import StoreError
from procession.records import Ref

_INSERT = insert(activity_link)
_OF_ACTIVITY = (
    select(activity_link)
    .where(activity_link.c.activity_id == bindparam("activity"))
    .order_by(activity_link.c.id)
)
_OF_ACTIVITIES = (
    select(activity_link.c.activity_id, *(activity_link.c[f"{entity}_id"] for entity in LINKED))
    .where(activity_link.c.activity_id.in_(IDS))
    .order_by(activity_link.c.id)
)


@dataclass(frozen=True, slots=True)
class Link:
    activity: int
    to: Ref
    reason: str = "field"
    confidence: float = 1.0


def resolve(connection: Connection, wanted: Sequence[Sequence[Ref]]) -> list[list[Ref]]:
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
    for activity, target in targets(connection, behind):
        behind[activity].append(target)
    return [
        [target for ref in refs for target in (behind[ref.id] if ref.entity == "activity" else (ref,))]
        for refs in wanted
    ]


def add(connection: Connection, links: Iterable[Link]) -> None:
    """Connect new activities; the first of several equal links counts."""
    once: dict[tuple[int, Ref], Link] = {}
    for link in links:
        once.setdefault((link.activity, link.to), link)
    if once:
        connection.execute(_INSERT, [_row(link) for link in once.values()])


def point(connection: Connection, activity: int, entity: str, target: Ref | None) -> None:
    """Let the activity's own link of this kind lead to `target`. The empty one takes the link away and leaves
    its place to the next."""
    column = activity_link.c[f"{entity}_id"]
    links = [
        row
        for row in connection.execute(_OF_ACTIVITY, {"activity": activity}).mappings()
        if row[column] is not None
    ]
    own = links[0]["id"] if links else None
    if target is None:
        if own is not None:
            connection.execute(delete(activity_link).where(activity_link.c.id == own))
        return
    twice = [row["id"] for row in links[1:] if row[column] == target.id]
    if twice:
        connection.execute(delete(activity_link).where(activity_link.c.id.in_(twice)))
    if own is None:
        add(connection, [Link(activity, target)])
    else:
        values = {column.name: target.id, "reason": "field", "confidence": 1.0}
        connection.execute(update(activity_link).where(activity_link.c.id == own).values(values))


def targets(connection: Connection, activities: Collection[int]) -> list[tuple[int, Ref]]:
    """All links of these activities: `(activity, connected record)`."""
    return [
        (number, Ref(entity, target))
        for some in portions(activities)
        for number, *row in connection.execute(_OF_ACTIVITIES, {"ids": some})
        for entity, target in zip(LINKED, row, strict=True)
        if target is not None
    ]


def _row(link: Link) -> dict[str, Any]:
    row: dict[str, Any] = {f"{entity}_id": None for entity in LINKED}
    row[f"{link.to.entity}_id"] = link.to.id
    return {
        "activity_id": link.activity,
        "reason": link.reason,
        "confidence": link.confidence,
        **row,
    }
