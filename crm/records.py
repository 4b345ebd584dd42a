"""The records of the CRM, as the engine sees them."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from crm import reading, searching, writing
from crm.tables import category
from procession.ports import Actor, Clock
from procession.records import Paths, Record, Ref

_CATEGORIES = select(category.c.name).order_by(category.c.name)


class CrmRecords:
    """Implements `procession.ports.Records`."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    def fetch(self, refs: Collection[Ref], paths: Paths) -> dict[Ref, Record]:
        return reading.fetch(self._connection, refs, paths)

    def find(
        self, entity: str, where: Mapping[str, Any], *, order: str = "", limit: int = 100
    ) -> list[Record]:
        return searching.find(self._connection, entity, where, order, limit)

    def create(
        self,
        entity: str,
        rows: Sequence[Mapping[str, Any]],
        actor: Actor,
        connected_to: Sequence[Sequence[Ref]] = (),
    ) -> list[Ref]:
        by = (actor, self._clock.now())
        return writing.create(self._connection, entity, rows, connected_to, by)

    def update(self, changes: Sequence[tuple[Ref, Mapping[str, Any]]], actor: Actor) -> list[tuple[str, ...]]:
        return writing.update_records(self._connection, changes, actor, self._clock.now())

    def delete(self, refs: Sequence[Ref], actor: Actor) -> None:
        writing.delete_records(self._connection, refs, actor, self._clock.now())

    def categories(self) -> tuple[str, ...]:
        """The names of the categories of activities, in alphabetical order."""
        return tuple(self._connection.execute(_CATEGORIES).scalars())
