"""Instances that were stopped or cancelled are found by the index of those that somebody looks at."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_instance_looked_at", "instance")
    looked_at = sa.text("state IN ('failed', 'incident', 'stopped', 'cancelled')")
    op.create_index(
        "ix_instance_looked_at", "instance", ["state"], sqlite_where=looked_at, postgresql_where=looked_at
    )
