"""Called by Alembic with the connection that `crm.migrate` gives; there is no alembic.ini."""

from alembic import context

import crm.journal
import crm.tables  # noqa: F401 - for its tables
from crm.columns import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    transactional_ddl=True,  # on SQLite, too: the connection begins by itself
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
