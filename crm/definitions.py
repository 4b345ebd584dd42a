"""Versions of processes."""

from sqlalchemy import bindparam, func, select

from crm import journal as j
from crm.dialects import Upsert
from crm.part import Part
from procession.errors import TemporaryError
from procession.ports import Definition

_INSERT = Upsert(j.definition)
_ONE = select(j.definition.c.number, j.definition.c.files).where(
    j.definition.c.process == bindparam("process"), j.definition.c.digest == bindparam("digest")
)
_LAST = select(func.max(j.definition.c.number)).where(j.definition.c.process == bindparam("process"))
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
