"""What instances wait for has rows of its own; the moment of a next try is one of them."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")
TEXT = sa.Text()
STATES = "state IN ('ready', 'running', 'completed', 'stopped', 'failed', 'cancelled', 'incident')"
WITH_WAITING = STATES.replace("'running', ", "'running', 'waiting', ")


def index(name: str, table: str, columns: list[str], where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, sqlite_where=condition, postgresql_where=condition)


def upgrade() -> None:
    _waits()
    _allow_waiting()
    _retries()
    _instances()


def _waits() -> None:
    op.create_table(
        "wait",
        sa.Column("id", ID, nullable=False),
        sa.Column("instance_id", ID, nullable=False),
        sa.Column("scope", sa.Integer(), nullable=False),
        sa.Column("path", TEXT, nullable=False),
        sa.Column("round", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("since", MOMENT, nullable=False),
        sa.Column("due", MOMENT, nullable=True),
        sa.Column("woken_at", MOMENT, nullable=True),
        sa.Column("hastened", sa.Boolean(), nullable=False),
        sa.Column("is_new", sa.Boolean(), nullable=False),
        sa.Column("as_of", ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["instance_id"], ["instance.id"], name=op.f("fk_wait_instance_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_wait")),
        sa.UniqueConstraint("instance_id", "scope", name=op.f("uq_wait_instance_id_scope")),
        sqlite_autoincrement=True,
    )
    index("ix_wait_due", "wait", ["due", "id"], "woken_at IS NULL AND due IS NOT NULL")
    index("ix_wait_new", "wait", ["id"], "is_new")
    op.add_column("planner", sa.Column("units", ID, nullable=False, server_default="0"))
    op.add_column("event", sa.Column("dispatch", ID, nullable=True))
    op.create_table(
        "wait_read",
        sa.Column("wait_id", ID, nullable=False),
        sa.Column("entity", TEXT, nullable=False),
        sa.Column("record_id", ID, nullable=False),
        sa.Column("field", TEXT, nullable=False),
        sa.ForeignKeyConstraint(["wait_id"], ["wait.id"], name=op.f("fk_wait_read_wait_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("wait_id", "entity", "record_id", "field", name=op.f("pk_wait_read")),
    )
    op.create_index("ix_wait_read_record", "wait_read", ["entity", "record_id", "field"])


def _allow_waiting() -> None:
    """SQLite cannot change a CHECK constraint, but what its schema says may be corrected where no row is stored otherwise
    for it (sqlite.org/lang_altertable.html, section 7)."""
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint(op.f("ck_instance_state"), "instance")
        op.create_check_constraint(op.f("ck_instance_state"), "instance", WITH_WAITING)
        return
    version = op.get_bind().exec_driver_sql("PRAGMA schema_version").scalar_one()
    op.execute("PRAGMA writable_schema = ON")
    op.get_bind().execute(
        sa.text("UPDATE sqlite_schema SET sql = replace(sql, :before, :after) WHERE name = 'instance'"),
        {"before": STATES, "after": WITH_WAITING},
    )
    op.execute(f"PRAGMA schema_version = {version + 1}")
    op.execute("PRAGMA writable_schema = OFF")


def _retries() -> None:
    """Those that were to be tried again later wait for that."""
    later = "state = 'ready' AND due > started_at"
    op.execute(
        sa.text(
            "INSERT INTO wait (instance_id, scope, path, round, kind, since, due, hastened, is_new, as_of)"
            f" SELECT id, 0, '', '', 'retry', started_at, due, :no, :no, 0 FROM instance WHERE {later}"
        ).bindparams(no=False)
    )
    op.execute(f"UPDATE instance SET state = 'waiting' WHERE {later}")


def _instances() -> None:
    for name in ("ix_instance_ready", "ix_instance_suspect"):
        op.drop_index(name, "instance")
    op.drop_column("instance", "due")
    index("ix_instance_ready", "instance", ["id"], "state = 'ready'")
    index("ix_instance_waiting", "instance", ["id"], "state = 'waiting'")
    index("ix_instance_suspect", "instance", ["id"], "state = 'ready' AND deaths > 1")
