"""Versions of processes, and which of them are current."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import bindparam, func, insert, select

from crm import journal as j
from crm.statements import Part, Upsert
from procession.errors import TemporaryError
from procession.ports import Definition

_INSERT = Upsert(j.definition)
_ONE = select(j.definition.c.number, j.definition.c.files).where(
    j.definition.c.process == bindparam("process"), j.definition.c.digest == bindparam("digest")
)
_LAST = select(func.max(j.definition.c.number)).where(j.definition.c.process == bindparam("process"))
_P = j.publication.c
_LATEST = select(func.max(_P.id)).group_by(_P.process)
_CURRENT = select(_P.process, _P.digest).where(_P.id.in_(_LATEST), _P.digest > "")
_OF_FOLDER = select(_P.process, _P.digest).where(
    _P.id.in_(select(func.max(_P.id)).where(_P.folder == bindparam("folder")).group_by(_P.process))
)
_EVER = select(_P.process, _P.digest).where(_P.digest > "").distinct()
_PUBLISH = insert(j.publication)
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

    def published_by(self, folder: str) -> dict[str, str]:
        rows = self._connection.execute(_OF_FOLDER, {"folder": folder})
        return {row.process: row.digest for row in rows}

    def was_current(self) -> Mapping[str, set[str]]:
        found: dict[str, set[str]] = defaultdict(set)
        for row in self._connection.execute(_EVER):
            found[row.process].add(row.digest)
        return found

    def make_current(self, process: str, digest: str, folder: str, at: datetime) -> None:
        row = {"process": process, "digest": digest, "folder": folder, "at": at}
        self._connection.execute(_PUBLISH, row)
