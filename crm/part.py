"""What the parts of a unit have in common."""

from sqlalchemy import Connection


class Part:
    """A part of a unit: all it does is done on the unit's connection, in the unit's transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
