"""What lets others go first: events, instances and mails that come many at a time."""

from dataclasses import dataclass

MOST_BULK = 200
"""So many bulk events are dispatched, and so many bulk instances claimed, at once: what is urgent waits for no more."""


@dataclass(frozen=True, slots=True)
class Import:
    """Rows of a file that are written in several units, since it has many. `saved` of them are in; `digest` says which these
    are. `before` is how many were when it was read."""

    entity: str
    saved: int
    digest: str
    before: int = 0
    id: int = 0
