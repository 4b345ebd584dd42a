"""Instances stand in line for a key, and starts that one was in the way of are counted."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

WAITING = "'running', 'waiting', "
STATES = f"state IN ('ready', {WAITING}'completed', 'stopped', 'failed', 'cancelled', 'incident')"
WITH_QUEUED = STATES.replace(WAITING, f"{WAITING}'queued', ")


def upgrade() -> None:
    _allow_queued()
    op.add_column("instance", sa.Column("queue_key", sa.Text(), nullable=True))
    op.add_column("instance", sa.Column("refused", sa.Integer(), nullable=False, server_default="0"))
    op.execute("UPDATE instance SET queue_key = live_key WHERE live_key IS NOT NULL")
    queued = sa.text("state = 'queued'")
    columns = ["queue_key", "event_id", "id"]
    op.create_index("ix_instance_queued", "instance", columns, sqlite_where=queued, postgresql_where=queued)


def _allow_queued() -> None:
    """As 0007 does."""
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint(op.f("ck_instance_state"), "instance")
        op.create_check_constraint(op.f("ck_instance_state"), "instance", WITH_QUEUED)
        return
    version = op.get_bind().exec_driver_sql("PRAGMA schema_version").scalar_one()
    op.execute("PRAGMA writable_schema = ON")
    op.get_bind().execute(
        sa.text("UPDATE sqlite_schema SET sql = replace(sql, :before, :after) WHERE name = 'instance'"),
        {"before": STATES, "after": WITH_QUEUED},
    )
    op.execute(f"PRAGMA schema_version = {version + 1}")
    op.execute("PRAGMA writable_schema = OFF")
