"""Column types that mean the same on SQLite and PostgreSQL, and the common base of all tables.

Text is never NULL: a missing one is the empty text, so that a template shows nothing rather than "None".
Moments go in and come out aware, in UTC. JSON keeps the order of its keys.
"""

import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    Index,
    Integer,
    MetaData,
    Numeric,
    Table,
    Text,
    TextClause,
)
from sqlalchemy.types import TypeDecorator, TypeEngine
from sqlmodel import Field, SQLModel
from typing_extensions import override

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)
ID = BigInteger().with_variant(Integer(), "sqlite")
PLAIN_JSON = JSON(none_as_null=True)


class UtcDateTime(TypeDecorator[datetime]):
    """A moment: `timestamptz` on PostgreSQL; on SQLite, which has no such type, ISO 8601 text of one width in
    UTC, so that its order is the order of time."""

    impl = DateTime(timezone=True)
    cache_ok = True

    @override
    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else DateTime(timezone=True))

    @override
    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        moment = value.astimezone(UTC)
        return moment.isoformat(timespec="microseconds") if dialect.name == "sqlite" else moment

    @override
    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        moment: datetime = (
            datetime.fromisoformat(value) if dialect.name == "sqlite" else value.astimezone(UTC)
        )
        return moment


class Money(TypeDecorator[float]):
    """An amount to the cent. Processes calculate with it, so it is a plain number."""

    impl = Numeric(18, 2, asdecimal=False)
    cache_ok = True
    cents = 2

    @override
    def process_bind_param(self, value: float | None, dialect: Dialect) -> float | None:
        return None if value is None else round(value, self.cents)


class Base(SQLModel):
    metadata = METADATA


def primary_key() -> Any:
    """The primary key, given by the database."""
    return Field(default=None, sa_type=ID, primary_key=True)


def string(default: str = "") -> Any:
    return Field(default=default, sa_type=Text)


def moment(*, required: bool = False) -> Any:
    if required:
        return Field(sa_type=UtcDateTime)
    return Field(default=None, sa_type=UtcDateTime)


def plain_json() -> Any:
    return Field(default=None, sa_type=PLAIN_JSON)


def reference(table: str, *, on_delete: str | None = None, required: bool = False) -> Any:
    """A foreign key. Without `on_delete` the row referred to cannot be deleted."""
    options: dict[str, Any] = {"ondelete": on_delete} if on_delete else {}
    if not required:
        options["default"] = None
    return Field(foreign_key=f"{table}.id", sa_type=ID, **options)


def index(name: str, *columns: str, where: TextClause | None = None, unique: bool = False) -> Index:
    """An index; `where` makes it partial on both databases."""
    return Index(name, *columns, unique=unique, sqlite_where=where, postgresql_where=where)


def table_of(model: type[SQLModel]) -> Table:
    return METADATA.tables[str(model.__tablename__)]


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def dumps(value: Any) -> str:
    return _ENCODER.encode(value)
