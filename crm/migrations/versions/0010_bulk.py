"""What comes many at a time lets others go first; events of an import that is written in slices wait for its end."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT = sa.Text()
INDEXES = {
    "ix_event_undispatched": ("event", ["import_id", "bulk", "id"], "dispatched_at IS NULL"),
    "ix_instance_ready": ("instance", ["bulk", "id"], "state = 'ready'"),
    "ix_instance_suspect": ("instance", ["id", "deaths"], "state = 'ready' AND deaths > 1"),
    "ix_email_message_queued": ("email_message", ["bulk", "not_before"], "state = 'queued'"),
}


def upgrade() -> None:
    for table in ("event", "instance", "email_message"):
        op.add_column(table, sa.Column("bulk", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("event", sa.Column("import_id", ID, nullable=False, server_default="0"))
    op.create_table(
        "file_import",
        sa.Column("id", ID, nullable=False),
        sa.Column("entity", TEXT, nullable=False),
        sa.Column("saved", sa.Integer(), nullable=False),
        sa.Column("digest", TEXT, nullable=False),
        sa.Column("is_released", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_file_import")),
        sqlite_autoincrement=True,
    )
    for name, (table, columns, where) in INDEXES.items():
        op.drop_index(name, table)
        condition = sa.text(where)
        op.create_index(name, table, columns, sqlite_where=condition, postgresql_where=condition)
