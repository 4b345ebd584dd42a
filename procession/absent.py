"""What was not taken or not set, as expressions and templates see it: it is there, and empty."""

from typing import Any


class Absent(dict[str, Any]):
    """The outputs of a step that was not taken: every one of them is None."""

    def __missing__(self, _name: str) -> None:
        return None


class Outputs(dict[str, Any]):
    """`outputs.<step id>`; the rules have proved that the id exists."""

    def __missing__(self, _step: str) -> Absent:
        return Absent()
