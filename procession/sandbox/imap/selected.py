"""The selected folder as the client knows it: sequence numbers, and what it has to be told.

A client learns of changes only between commands, and of removals only where numbers cannot get mixed up.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field

from procession.sandbox.imap.flags import flags_of
from procession.sandbox.mailbox.items import Folder, Item
from procession.sandbox.mailbox.store import Mailbox


@dataclass(slots=True)
class Selected:
    """`known` are (uid, item id) by sequence number; `told` is the flags last told, by uid; `seen` the last change told."""

    mailbox: Mailbox
    folder: Folder
    read_only: bool
    condstore: bool = False
    known: list[tuple[int, int]] = field(default_factory=list)
    told: dict[int, frozenset[str]] = field(default_factory=dict)
    seen: int = 0

    def open(self) -> None:
        self.known = list(self.mailbox.logs[self.folder.id].arrivals)
        self.seen = self.highest

    @property
    def gone(self) -> bool:
        return self.folder.id not in self.mailbox.folders

    @property
    def highest(self) -> int:
        """HIGHESTMODSEQ."""
        return max(self.mailbox.logs[self.folder.id].last, self.folder.created)

    @property
    def uids(self) -> list[int]:
        return [uid for uid, _ in self.known]

    def number(self, uid: int) -> int:
        """The sequence number of a uid that is known."""
        return bisect_left(self.known, (uid, -1)) + 1

    def item(self, uid: int) -> Item | None:
        """The item with a uid, if it is still there."""
        place = self.number(uid) - 1
        if place >= len(self.known) or self.known[place][0] != uid:
            return None
        return self.mailbox.items.get(self.known[place][1])

    def modseq(self, item: Item) -> int:
        return self.mailbox.logs[self.folder.id].modified(item.id, item.arrival)

    def items(self) -> Iterator[tuple[int, int, Item]]:
        """(sequence number, uid, item) of everything known and still there."""
        for number, (uid, item_id) in enumerate(self.known, 1):
            item = self.mailbox.items.get(item_id)
            if item is not None:
                yield number, uid, item

    def news(self, *, removals: bool) -> list[str]:
        """What to tell the client: EXPUNGE (if it can be told now), EXISTS, and changed flags."""
        if self.gone or self.highest == self.seen:
            return []
        log = self.mailbox.logs[self.folder.id]
        lines = []
        present = {item_id for _, item_id in log.arrivals}
        missing = [number for number, (_, item_id) in enumerate(self.known, 1) if item_id not in present]
        if removals:
            for number in reversed(missing):
                lines.append(f"* {number} EXPUNGE")
                del self.known[number - 1]
        last = self.known[-1][0] if self.known else 0
        fresh = log.arrivals[bisect_left(log.arrivals, (last + 1, -1)) :]
        lines += self._flags(log.changes)
        if fresh:
            self.known += fresh
            lines.append(f"* {len(self.known)} EXISTS")
        if removals or not missing:
            self.seen = self.highest
        return lines

    def _flags(self, changes: list[tuple[int, int]]) -> list[str]:
        lines = []
        for number, item_id in changes[bisect_left(changes, (self.seen + 1, -1)) :]:
            item = self.mailbox.items.get(item_id)
            if item is None or item.folder != self.folder.id or self.told.get(item.arrival) == flags_of(item):
                continue
            place = self.number(item.arrival)
            if place <= len(self.known) and self.known[place - 1][1] == item_id:
                self.told[item.arrival] = flags_of(item)
                lines.append(
                    f"* {place} FETCH (UID {item.arrival} FLAGS ({' '.join(sorted(flags_of(item)))})"
                    + (f" MODSEQ ({number})" if self.condstore else "")
                    + ")"
                )
        return lines
