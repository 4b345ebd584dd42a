"""What the database says, in our words: the one table of foreign errors of this package.

SQLAlchemy calls `translate` for every error of a driver; our error is raised in its place, from it.
"""

from collections.abc import Iterable

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, exc
from sqlalchemy.engine import ExceptionContext

import crm.journal
import crm.tables  # noqa: F401 - the sentences are made from all tables
from crm.columns import METADATA
from procession.errors import ConfigurationError, ProcessionError, StoreError, TemporaryError

TOO_MUCH = "54"
"""The class of what goes beyond a limit of PostgreSQL, such as a text that is too long for its index."""
BUSY = {
    "40001",  # serialization_failure
    "40P01",  # deadlock_detected
    "55P03",  # lock_not_available
    "SQLITE_BUSY",
    "SQLITE_BUSY_SNAPSHOT",
    "SQLITE_LOCKED",
}
NO_SUCH_TABLE = {"42P01", "42703"}
DANGLING = "A record that this one refers to does not exist, or a record is still needed by another."
INIT = "Run `procession init`."


def translate(context: ExceptionContext) -> None:
    """Raises:
    StoreError: a constraint does not hold, or a value does not fit its column.
    TemporaryError: somebody else had the rows, or the whole file, for too long.
    ConfigurationError: the database cannot be reached or used, or its tables are not up to date.
    """
    if context.is_pre_ping:
        return  # a kept connection turned out to be closed: SQLAlchemy opens another
    original = context.original_exception
    ours = _ours(context.sqlalchemy_exception, original)
    if ours is not None:
        raise ours from original


def _ours(error: exc.SQLAlchemyError | None, original: BaseException) -> ProcessionError | None:
    code = getattr(original, "sqlstate", None) or getattr(original, "sqlite_errorname", "") or ""
    if code in BUSY:
        return busy()
    if code in NO_SUCH_TABLE or "no such table" in str(original) or "no such column" in str(original):
        return out_of_date(str(original).splitlines()[0])
    if code.startswith(TOO_MUCH) or (isinstance(error, exc.ProgrammingError) and not code):
        return _refused(original)
    if isinstance(original, OverflowError):
        return StoreError("The database refused a value: the number is too large.")
    match error:
        case exc.IntegrityError():
            return StoreError(_sentence(original))
        case exc.DataError():
            return _refused(original)
        case exc.OperationalError() | exc.InterfaceError() | exc.DatabaseError():
            return unreachable(str(original).splitlines()[0] if str(original) else type(original).__name__)
    return None


def busy() -> TemporaryError:
    return TemporaryError(
        "The database was busy for too long.",
        hint="Try again; if it stays so, look for another program that has it open.",
    )


def _refused(original: BaseException) -> StoreError:
    return StoreError(f"The database refused a value: {str(original).splitlines()[0]}")


def unreachable(why: str) -> ConfigurationError:
    said = why.lower()
    hint = next((hint for words, hint in _MEND if any(word in said for word in words)), _LOOK)
    return ConfigurationError(f"The database cannot be used: {why}", hint=hint)


_LOOK = "Check that the database setting is right and that the server runs."
_MEND: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        ("authentication failed", "no password supplied", "no pg_hba.conf entry"),
        "Check the user in the database setting, and the secret that database_password names.",
    ),
    (('" does not exist',), "Make it on the server, or name another in the database setting."),
    (
        ("not a database", "malformed", "disk i/o error"),
        "The file is damaged, or no database: put a backup in its place.",
    ),
    (
        ("readonly", "read-only", "permission denied", "unable to open"),
        "Let the user who runs Procession write the file and its folder.",
    ),
    (("disk is full", "no space left"), "Make room on the disk."),
)
"""What to do, by what the database says (in lower case); the first that fits."""


def out_of_date(why: str) -> ConfigurationError:
    return ConfigurationError(f"The tables of the database are not up to date: {why}", hint=INIT)


def _sentence(original: BaseException) -> str:
    said = str(original).splitlines()[0]
    diagnosis = getattr(original, "diag", None)
    name = (diagnosis.constraint_name if diagnosis else said.partition("failed: ")[2]) or ""
    if name in _UNIQUE and "NOT NULL" not in said:
        return _UNIQUE[name]
    if name in _CHECKS:
        return _CHECKS[name]
    if "FOREIGN KEY" in said or name.startswith("fk_"):
        return DANGLING
    return f"The database refused the change: {said}"


def not_unique(table: str, columns: Iterable[str]) -> StoreError:
    """Of rows that must differ in these columns."""
    return StoreError(_UNIQUE[", ".join(f"{table}.{column}" for column in columns)])


def not_allowed(table: str, rule: str) -> StoreError:
    """Of a row that a CHECK constraint refuses."""
    return StoreError(_CHECKS[f"ck_{table}_{rule}"])


def _constraints() -> tuple[dict[str, str], dict[str, str]]:
    """Sentences by constraint name (PostgreSQL) and by what SQLite says in its place."""
    unique, checks = {}, {}
    for table in METADATA.tables.values():
        uniques: list[UniqueConstraint | Index] = [
            c for c in table.constraints if isinstance(c, UniqueConstraint)
        ]
        uniques += [index for index in table.indexes if index.unique]
        for rule in uniques:
            names = [column.name for column in rule.columns]
            words = " and ".join(
                (column.name.removesuffix("_id") if column.foreign_keys else column.name).replace("_", " ")
                for column in rule.columns
            )
            sentence = f"Another {table.name.replace('_', ' ')} has the same {words}."
            unique[str(rule.name)] = unique[", ".join(f"{table.name}.{name}" for name in names)] = sentence
        for check in table.constraints:
            if isinstance(check, CheckConstraint):
                kept = str(check.name).removeprefix(f"ck_{table.name}_").replace("_", " ")
                checks[str(check.name)] = (
                    f"The rule {kept!r} of {table.name.replace('_', ' ')} does not hold."
                )
    return unique, checks


_UNIQUE, _CHECKS = _constraints()
