"""Indexes of the references, and of the names of opportunities: whatever is looked for by them is not read whole."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_account_owner_id", "account", ["owner_id"])
    op.create_index("ix_contact_owner_id", "contact", ["owner_id"])
    op.create_index("ix_opportunity_contact_id", "opportunity", ["contact_id"])
    op.create_index("ix_opportunity_name", "opportunity", ["name"])
    op.create_index("ix_opportunity_owner_id", "opportunity", ["owner_id"])
    op.create_index("ix_activity_owner_id_status", "activity", ["owner_id", "status"])
    there = sa.text("category_id IS NOT NULL")  # most activities are e-mails, and have none
    op.create_index(
        "ix_activity_category_id", "activity", ["category_id"], sqlite_where=there, postgresql_where=there
    )
