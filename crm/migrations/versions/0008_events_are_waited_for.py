"""Instances wait for events: records, messages and signals, found by correlation keys; triggers wait out bursts of saves; e-mails know
whether they were received."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")
TEXT = sa.Text()
JSON = sa.JSON()


def upgrade() -> None:
    op.add_column("event", sa.Column("name", TEXT, nullable=False, server_default=""))
    op.add_column("event", sa.Column("correlated", ID, nullable=False, server_default="0"))
    named = sa.text("name > ''")
    op.create_index("ix_event_name", "event", ["name", "id"], sqlite_where=named, postgresql_where=named)
    taken_up = sa.text("dispatch IS NOT NULL")
    op.create_index("ix_event_dispatch", "event", ["dispatch"], sqlite_where=taken_up, postgresql_where=taken_up)
    op.add_column("wait", sa.Column("expires", MOMENT, nullable=True))
    op.create_table(
        "subscription",
        sa.Column("wait_id", ID, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("key", TEXT, nullable=False),
        sa.Column("since", MOMENT, nullable=True),
        sa.Column("since_began", sa.Boolean(), nullable=False),
        sa.Column("as_of", ID, nullable=False),
        sa.Column("is_new", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["wait_id"], ["wait.id"], name=op.f("fk_subscription_wait_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("wait_id", "kind", "key", name=op.f("pk_subscription")),
    )
    op.create_index("ix_subscription_key", "subscription", ["kind", "key", "wait_id"])
    _of_event("arrived_event", "wait", sa.Column("judged", sa.Boolean(), nullable=False))
    _of_event("consumed_event", "instance")
    op.create_table(
        "burst",
        sa.Column("process", TEXT, nullable=False),
        sa.Column("trigger", TEXT, nullable=False),
        sa.Column("entity", TEXT, nullable=False),
        sa.Column("record_id", ID, nullable=False),
        sa.Column("event", ID, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("due", MOMENT, nullable=False),
        sa.Column("was_added", sa.Boolean(), nullable=False),
        sa.Column("is_deleted", sa.Boolean(), nullable=False),
        sa.Column("bulk", sa.Boolean(), nullable=False),
        sa.Column("changed", JSON, nullable=True),
        sa.Column("payload", JSON, nullable=True),
        sa.PrimaryKeyConstraint("process", "trigger", "entity", "record_id", name=op.f("pk_burst")),
    )
    op.create_index("ix_burst_due", "burst", ["due"])
    op.add_column("activity", sa.Column("incoming", sa.Boolean(), nullable=False, server_default=sa.false()))


def _of_event(table: str, owner: str, *more: "sa.Column[bool]") -> None:
    op.create_table(
        table,
        sa.Column(f"{owner}_id", ID, nullable=False),
        sa.Column("event_id", ID, nullable=False),
        *more,
        sa.ForeignKeyConstraint(
            [f"{owner}_id"], [f"{owner}.id"], name=op.f(f"fk_{table}_{owner}_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["event_id"], ["event.id"], name=op.f(f"fk_{table}_event_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint(f"{owner}_id", "event_id", name=op.f(f"pk_{table}")),
    )
    op.create_index(f"ix_{table}_event_id", table, ["event_id"])
