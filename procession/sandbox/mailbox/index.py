"""A mailbox's indexes: the order of a folder by time received, its counts, and look-ups by identity.

They make the cost of a page, and of finding an item by a token, a message id or a uid, independent of the
size of the mailbox.
"""

from bisect import bisect_left, insort
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from procession.sandbox.mailbox.items import Item

INDEXED_LENGTH = 255
"""Extended properties longer than this are not looked up by value."""


@dataclass(slots=True)
class FolderOrder:
    """The items of a folder by time received, ascending, and how many are unread."""

    entries: list[tuple[float, int]] = field(default_factory=list)
    unread: int = 0

    def copy(self) -> "FolderOrder":
        return FolderOrder(list(self.entries), self.unread)

    def add(self, item: Item) -> None:
        insort(self.entries, (item.received.timestamp(), item.id))
        self.unread += not item.is_read

    def drop(self, item: Item) -> None:
        del self.entries[bisect_left(self.entries, (item.received.timestamp(), item.id))]
        self.unread -= not item.is_read

    def slice(self, offset: int, limit: int | None, *, newest_first: bool) -> Iterator[int]:
        """Item ids from `offset` on, at most `limit`."""
        count = len(self.entries)
        stop = count if limit is None else min(count, offset + limit)
        if newest_first:
            return (self.entries[count - 1 - position][1] for position in range(offset, stop))
        return (entry[1] for entry in islice(self.entries, offset, stop))


@dataclass(slots=True)
class Identities:
    """Item ids by ("message_id" | "uid" | extended property, value)."""

    entries: dict[tuple[Hashable, Hashable], set[int]] = field(default_factory=dict)

    def copy(self) -> "Identities":
        return Identities({key: set(numbers) for key, numbers in self.entries.items()})

    def add(self, item: Item) -> None:
        for key in _identities(item):
            self.entries.setdefault(key, set()).add(item.id)

    def drop(self, item: Item) -> None:
        for key in _identities(item):
            numbers = self.entries.get(key)
            if numbers is not None:
                numbers.discard(item.id)
                if not numbers:
                    del self.entries[key]

    def find(self, name: Hashable, value: Hashable) -> frozenset[int]:
        return frozenset(self.entries.get((name, value), ()))


def _identities(item: Item) -> Iterable[tuple[Hashable, Hashable]]:
    for name in ("message_id", "uid"):
        value = item.values.get(name)
        if value:
            yield name, value
    for prop, value in item.extended.items():
        # A long value shared by many items (a note) identifies nothing and would cost a set as large as the mailbox.
        if isinstance(value, str) and len(value) <= INDEXED_LENGTH:
            yield prop, value
