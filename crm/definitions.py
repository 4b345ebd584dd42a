"""Versions of processes, and which of them are current."""

from datetime import datetime

from sqlalchemy import and_, bindparam, func, insert, select, text, update

from crm import journal as j
from crm.statements import Part, Upsert
from procession.errors import TemporaryError
from procession.ports import Definition, Publication

_INSERT = Upsert(j.definition)
_ONE = select(j.definition.c.number, j.definition.c.files).where(
    j.definition.c.process == bindparam("process"), j.definition.c.digest == bindparam("digest")
)
_LAST = select(func.max(j.definition.c.number)).where(j.definition.c.process == bindparam("process"))
_P = j.publication.c
_LATEST = select(func.max(_P.id)).group_by(_P.process)
_CURRENT = select(_P.process, _P.digest).where(_P.id.in_(_LATEST), _P.digest > "")
_LOG = (
    select(_P.process, _P.digest, _P.folder, _P.at, func.coalesce(j.definition.c.number, 0).label("number"))
    .outerjoin(j.definition, and_(j.definition.c.process == _P.process, j.definition.c.digest == _P.digest))
    .order_by(_P.id)
)
_ALONE = text("LOCK TABLE publication IN SHARE ROW EXCLUSIVE MODE")
"""On SQLite who writes is alone."""
_PUBLISH = insert(j.publication)
_FIRST_PLANNER = Upsert(j.planner)
_NEW_EPOCH = update(j.planner).where(j.planner.c.id == 1).values(epoch=j.planner.c.epoch + 1)
_TRIES = 5


class Definitions(Part):
    """See `procession.ports.Journal`."""

    def publish(self, definition: Definition) -> int:
        for _ in range(_TRIES):
            if known := self.definition(definition.process, definition.digest):
                return known.number
            last = self._connection.execute(_LAST, {"process": definition.process}).scalar() or 0
            row = {
                "process": definition.process,
                "digest": definition.digest,
                "number": last + 1,
                "files": dict(definition.files),
            }
            # Somebody else may publish at the same moment: then it has our digest, or our number.
            self._connection.execute(_INSERT.on(self._connection), row)
        raise TemporaryError(f"Others publish {definition.process!r} at the same time.", hint="Try again.")

    def definition(self, process: str, digest: str) -> Definition | None:
        row = self._connection.execute(_ONE, {"process": process, "digest": digest}).first()
        return Definition(process, digest, row.number, row.files) if row else None

    def current(self) -> dict[str, str]:
        return {row.process: row.digest for row in self._connection.execute(_CURRENT)}

    def publications(self, *, alone: bool = False) -> list[Publication]:
        if alone and self._connection.dialect.name == "postgresql":
            self._connection.execute(_ALONE)
        rows = self._connection.execute(_LOG)
        return [Publication(row.process, row.digest, row.number, row.folder, row.at) for row in rows]

    def make_current(self, process: str, digest: str, folder: str, at: datetime) -> None:
        row = {"process": process, "digest": digest, "folder": folder, "at": at}
        self._connection.execute(_PUBLISH, row)
        planner = {"id": 1, "engine_id": None, "epoch": 0}
        self._connection.execute(_FIRST_PLANNER.on(self._connection), planner)
        self._connection.execute(_NEW_EPOCH)  # what the planner is about to write goes by the version before
