"""The store without a database: the same promises, in dictionaries, for tests and for trying things out.

shapes    what the tables say of themselves: columns, defaults, what is unique, what refers to what
tables    rows, kept as the shapes say, and one unit's changes of them
records, journal, claims, starting, outbox, history
          what `procession.ports` asks for, each on the tables
store     units: one writer at a time, the others read what was committed last

What it does not have: a file, migrations, statements to count or to explain, CHECK constraints that nothing could
break through the ports, and writers side by side. Everything else it is proved to do as SQLite and PostgreSQL do (`tests/contract`).
"""

from crm.memory.store import MemoryStore

__all__ = ["MemoryStore"]
