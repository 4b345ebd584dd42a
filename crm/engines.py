"""Which engines work on this database, which of them plans, and which database it is."""

import uuid
from collections.abc import Mapping

from sqlalchemy import Connection, bindparam, delete, exists, func, insert, or_, select, tuple_, update

from crm import journal as j
from crm import tables as t
from crm.statements import Part, Upsert
from procession.ports import EngineProcess, EngineRow, Identity, SentMail, Standing

_E, _P, _I = j.engine.c, j.planner.c, j.installation.c
NOT_HELD = ~exists().where(_I.id == 1, _I.held)
"""For statements that plan or claim."""
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
        NOT_HELD,
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
_STEP_DOWN = update(j.planner).where(_P.engine_id == bindparam("engine")).values(engine_id=None)
_LEADS = (
    update(j.planner)
    .where(_P.id == 1, _P.engine_id == bindparam("engine"), _P.epoch == bindparam("of_epoch"), NOT_HELD)
    .values(units=_P.units + 1)
    .returning(_P.id)
)
_FIRST_IDENTITY = Upsert(j.installation)
_IDENTITY = select(_I.installation, _I.incarnation, _I.held).where(_I.id == 1)
_MAIL, _EVENT = t.email_message.c, j.event.c
_STANDING = select(
    *j.installation.c,
    select(func.max(_EVENT.id)).scalar_subquery().label("event"),
    or_(
        bindparam("message_id") == "",
        exists().where(_MAIL.message_id == bindparam("message_id"), _MAIL.state == "sent"),
        exists().where(
            _EVENT.entity == "activity", _EVENT.record_id == bindparam("number"), _EVENT.type == "deleted"
        ),
    ).label("knows_mail"),
).where(_I.id == 1)
_CHANGE = update(j.installation).where(_I.id == 1)


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
        self._connection.execute(first, {"id": 1, "engine_id": None, "epoch": 0, "units": 0})
        return self._connection.execute(_LEAD, {"engine": engine}).scalar()

    def step_down(self, engine: int) -> None:
        self._connection.execute(_STEP_DOWN, {"engine": engine})

    def leads(self, engine: int, epoch: int) -> bool:
        return self._connection.execute(_LEADS, {"engine": engine, "of_epoch": epoch}).first() is not None

    def standing(self, mail: SentMail | None = None) -> Standing:
        asked = {"message_id": mail.message_id if mail else "", "number": mail.number if mail else 0}
        row = self._connection.execute(_STANDING, asked).first()
        if row is None:
            make_identity(self._connection)
            return self.standing(mail)
        return Standing(
            Identity(row.installation, row.incarnation), tuple(row.former or ()), row.is_witnessed,
            row.held_because if row.held else "", row.held_after, row.event or 0, bool(row.knows_mail),
        )  # fmt: skip

    def hold(self, because: str) -> None:
        make_identity(self._connection)
        after = select(func.coalesce(func.max(_EVENT.id), 0)).scalar_subquery()
        self._connection.execute(_CHANGE.values(held=True, held_because=because, held_after=after))

    def witness(self) -> None:
        make_identity(self._connection)
        self._connection.execute(_CHANGE.values(is_witnessed=True))

    def go_on(self, identity: Identity) -> None:
        before = self.standing()
        former = [*before.former, before.identity.incarnation]
        now = {"installation": identity.installation, "incarnation": identity.incarnation}
        self._connection.execute(_CHANGE.values(held=False, held_because="", former=former, **now))


def identity_of(connection: Connection) -> tuple[Identity | None, bool]:
    """None where it was not made yet (`make_identity`); and whether the database is held."""
    row = connection.execute(_IDENTITY).first()
    return (Identity(row.installation, row.incarnation), row.held) if row else (None, False)


def make_identity(connection: Connection) -> None:
    """Whoever is second makes none."""
    made = {"id": 1, "installation": uuid.uuid4().hex, "incarnation": uuid.uuid4().hex}
    held = {"is_witnessed": False, "held": False, "held_because": "", "held_after": 0}
    connection.execute(_FIRST_IDENTITY.on(connection), made | held)
