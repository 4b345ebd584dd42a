"""The schema of the database, by Alembic: bring it up to date, and say which version it has.

A new version: change the tables, add `migrations/versions/<number>_<what>.py`, raise `HEAD`; a test compares
what the migrations make with what the tables say, on both databases.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine, inspect, text

from crm.database import engine_of
from procession.errors import ConfigurationError

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0010"
"""The version these tables are of. Known without Alembic, whose import takes a tenth of a second."""

_LOCK = 20_471_104
"""Of PostgreSQL's advisory locks: one upgrade at a time."""


def upgrade(url: str) -> None:
    """Bring the database to `HEAD`; nothing happens if it is there.

    Raises:
        ConfigurationError: the database cannot be reached, or is of a version that is not known here.
    """
    engine = engine_of(url)
    try:
        if found := current(engine):
            refuse_unknown(found)
        run(engine)
    finally:
        engine.dispose()


def refuse_unknown(version: str) -> None:
    """Raises:
    ConfigurationError: these migrations lead nowhere from this version.
    """
    from alembic.script import ScriptDirectory

    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if version not in known:
        raise ConfigurationError(
            f"The tables of the database are of version {version}, which this program (version {HEAD}) does not know.",
            hint="They are of a newer Procession: install that one, or put back a backup.",
        )


def current(engine: Engine) -> str | None:
    """The version of the database, None if it has no tables of ours."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def head() -> str:
    """The newest version that the migrations make."""
    from alembic.script import ScriptDirectory

    return str(ScriptDirectory.from_config(_config()).get_current_head())


def run(engine: Engine) -> None:
    """As `upgrade`, all of it in one transaction. Whoever comes second waits, and finds nothing to do."""
    from alembic import command

    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _config() -> "Config":
    from alembic.config import Config

    config = Config()
    folder = Path(__file__).parent / "migrations"
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
