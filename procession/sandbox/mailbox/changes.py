"""What changed in a folder since a cursor: the base of SyncFolderItems, and of IMAP's UIDs and modification numbers.

A run delivers everything between two numbers, `base` and `top`, in pages. First the items that arrived in
between, newest first; then the changes and deletions of items that were there before. An item that changes
while a run is under way belongs to the next run, so each page is exact whatever happens between pages.
Finding a page costs a bisection, whatever the size of the folder.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Literal

ChangeKind = Literal["create", "update", "delete", "read"]


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a folder's history. `at` is the last number delivered in `phase`, 0 for none."""

    base: int = 0
    top: int = 0
    phase: Literal["idle", "arrivals", "changes"] = "idle"
    at: int = 0


@dataclass(frozen=True, slots=True)
class Page:
    """`changes` are (kind, item id); `last` says that the run ends here."""

    changes: tuple[tuple[ChangeKind, int], ...]
    cursor: Cursor
    last: bool


@dataclass(frozen=True, slots=True)
class Mark:
    """The last change of an item since it arrived; `content` is the last one that was more than its read flag."""

    number: int
    arrival: int
    content: int
    gone: bool = False


@dataclass(slots=True)
class ChangeLog:
    arrivals: list[tuple[int, int]] = field(default_factory=list)
    """(arrival number, item id) of every item in the folder, ascending."""
    changes: list[tuple[int, int]] = field(default_factory=list)
    """(number, item id), one for each item changed or gone since it arrived, ascending."""
    marks: dict[int, Mark] = field(default_factory=dict)
    last: int = 0

    def copy(self) -> "ChangeLog":
        return ChangeLog(list(self.arrivals), list(self.changes), dict(self.marks), self.last)

    def arrived(self, item: int, number: int) -> None:
        self.arrivals.append((number, item))
        self.last = number

    def changed(self, item: int, arrival: int, number: int, *, read_flag_only: bool = False) -> None:
        before = self.marks.get(item)
        content = (before.content if before else arrival) if read_flag_only else number
        self._mark(item, Mark(number, arrival, content))

    def left(self, item: int, arrival: int, number: int) -> None:
        at = bisect_left(self.arrivals, (arrival, item))
        del self.arrivals[at]
        self._mark(item, Mark(number, arrival, number, gone=True))

    def modified(self, item: int, arrival: int) -> int:
        """The number of an item's last change here (IMAP's modification number)."""
        mark = self.marks.get(item)
        return mark.number if mark else arrival

    def restore(self, item: int, mark: Mark) -> None:
        """Put back what was read from a file, in the order of its numbers."""
        self._mark(item, mark)

    def _mark(self, item: int, mark: Mark) -> None:
        before = self.marks.get(item)
        if before is not None:
            del self.changes[bisect_left(self.changes, (before.number, item))]
        self.marks[item] = mark
        self.changes.append((mark.number, item))
        self.last = max(self.last, mark.number)

    def page(self, cursor: Cursor, limit: int, *, skip: Collection[int] = ()) -> Page:
        """Up to `limit` changes after the cursor, leaving out the items of `skip`."""
        if cursor.phase == "idle":
            cursor = Cursor(cursor.base, self.last, "arrivals", self.last + 1)
        found: list[tuple[ChangeKind, int]] = []
        if cursor.phase == "arrivals":
            cursor = self._arrivals(cursor, limit, skip, found)
        if cursor.phase == "changes" and len(found) < limit:
            cursor = self._changes(cursor, limit, skip, found)
        last = cursor.phase == "idle" or not self._more(cursor, skip)
        return Page(
            tuple(found),
            Cursor(cursor.top or cursor.base) if last and cursor.phase != "idle" else cursor,
            last,
        )

    def _more(self, cursor: Cursor, skip: Collection[int]) -> bool:
        rest: list[tuple[ChangeKind, int]] = []
        if cursor.phase == "arrivals":
            cursor = self._arrivals(cursor, 1, skip, rest)
        if cursor.phase == "changes" and not rest:
            self._changes(cursor, 1, skip, rest)
        return bool(rest)

    def _arrivals(
        self, cursor: Cursor, limit: int, skip: Collection[int], found: list[tuple[ChangeKind, int]]
    ) -> Cursor:
        index = bisect_left(self.arrivals, (cursor.at, -1))
        while index > 0 and len(found) < limit:
            index -= 1
            number, item = self.arrivals[index]
            if number <= cursor.base:
                break
            cursor = replace(cursor, at=number)
            if item not in skip:
                found.append(("create", item))
        else:
            if len(found) >= limit:
                return cursor
        return Cursor(cursor.base, cursor.top, "changes", cursor.base)

    def _changes(
        self, cursor: Cursor, limit: int, skip: Collection[int], found: list[tuple[ChangeKind, int]]
    ) -> Cursor:
        index = bisect_right(self.changes, (cursor.at, 1 << 62))
        while index < len(self.changes):
            number, item = self.changes[index]
            if number > cursor.top:
                break
            if len(found) >= limit:
                return cursor
            cursor = replace(cursor, at=number)
            mark = self.marks[item]
            if mark.arrival <= cursor.base and item not in skip:
                found.append((_kind(mark, cursor.base), item))
            index += 1
        return Cursor(cursor.top)


def _kind(mark: Mark, base: int) -> ChangeKind:
    if mark.gone:
        return "delete"
    return "update" if mark.content > base else "read"
