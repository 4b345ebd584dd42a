"""Which engines work on this database, which of them plans, and which database it is."""

import uuid
from collections.abc import Mapping

from sqlalchemy import Connection, bindparam, delete, exists, insert, or_, select, tuple_, update

from crm import journal as j
from crm.statements import Part, Upsert
from procession.ports import EngineProcess, EngineRow, Identity

_E, _P = j.engine.c, j.planner.c
_REGISTER = insert(j.engine).returning(_E.id)
_BEAT = update(j.engine).where(_E.id == bindparam("engine")).values(beat=_E.beat + 1)
_BURY = (
    delete(j.engine).where(tuple_(_E.id, _E.beat).in_(bindparam("engines", expanding=True))).returning(_E.id)
)
_FIRST_PLANNER = Upsert(j.planner)
_LEAD = (
    update(j.planner)
    .where(
        _P.id == 1,
        or_(
            _P.engine_id.is_(None),
            _P.engine_id == bindparam("engine"),
            ~exists().where(_E.id == _P.engine_id),
        ),
        exists().where(_E.id == bindparam("engine")),
    )
    .values(engine_id=bindparam("engine"), epoch=_P.epoch + 1)
    .returning(_P.epoch)
)
_LEADS = (
    select(_P.id)
    .where(_P.id == 1, _P.engine_id == bindparam("engine"), _P.epoch == bindparam("epoch"))
    .with_for_update()
)
_FIRST_IDENTITY = Upsert(j.installation)
_IDENTITY = select(j.installation.c.installation, j.installation.c.incarnation).where(
    j.installation.c.id == 1
)


class Engines(Part):
    """See `procession.ports.Journal`."""

    def register(self, process: EngineProcess) -> int:
        row = {name: getattr(process, name) for name in EngineProcess.__slots__}
        number: int = self._connection.execute(_REGISTER, {**row, "beat": 0}).scalar_one()
        return number

    def beat(self, engine: int) -> bool:
        return self._connection.execute(_BEAT, {"engine": engine}).rowcount > 0

    def engines(self) -> list[EngineRow]:
        return [
            EngineRow(
                row.id, EngineProcess(row.host, row.boot, row.pid_namespace, row.pid, row.began), row.beat
            )
            for row in self._connection.execute(select(j.engine).order_by(_E.id))
        ]

    def bury(self, engines: Mapping[int, int]) -> set[int]:
        if not engines:
            return set()
        return set(self._connection.execute(_BURY, {"engines": list(engines.items())}).scalars())

    def lead(self, engine: int) -> int | None:
        first = _FIRST_PLANNER.on(self._connection)
        self._connection.execute(first, {"id": 1, "engine_id": None, "epoch": 0})
        return self._connection.execute(_LEAD, {"engine": engine}).scalar()

    def leads(self, engine: int, epoch: int) -> bool:
        return self._connection.execute(_LEADS, {"engine": engine, "epoch": epoch}).first() is not None


def identity_of(connection: Connection) -> Identity | None:
    """None where it was not made yet (`make_identity`)."""
    row = connection.execute(_IDENTITY).first()
    return Identity(row.installation, row.incarnation) if row else None


def make_identity(connection: Connection) -> None:
    """Whoever is second makes none."""
    row = {"id": 1, "installation": uuid.uuid4().hex, "incarnation": uuid.uuid4().hex}
    connection.execute(_FIRST_IDENTITY.on(connection), row)
