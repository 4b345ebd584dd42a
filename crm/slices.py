"""A file of many rows is saved in slices, a unit each; what broke off in the middle is gone on with.

Processes start of an import once its last slice is in (`crm.imports`). Until then it is known by what its rows said, so that
the same file, or one that was mended further down, goes on where it had come to.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from crm.sheets import Sheet
from procession.ports import Import, Journal

AT_ONCE = 1_000
"""Rows that are saved in one unit, and between two calls of `progress`."""

Rows = Iterable[tuple[int, Mapping[str, str]]]


@dataclass(slots=True)
class Slices:
    """`begun` is the import that has the first rows of the sheet already; None if there is none."""

    sheet: Sheet
    begun: Import | None
    _seen: int = 0
    _digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    @property
    def there(self) -> int:
        """So many rows are in."""
        return self.begun.saved if self.begun else 0

    def open(self, journal: Journal, done: int) -> None:
        """The unit is about to save the rows up to this one. What fits into one slice starts at once."""
        total = len(self.sheet.rows)
        if self.begun is None and done == total <= AT_ONCE:
            return
        _add(self._digest, islice(self.sheet.rows, self._seen, done))
        self._seen = done
        begun = self.begun or Import(self.sheet.entity, 0, "")
        further = replace(begun, saved=done, digest=self._digest.hexdigest())
        self.begun = journal.import_slice(further, last=done == total)


def slices_of(sheet: Sheet, unfinished: Sequence[Import]) -> Slices:
    mine = [one for one in unfinished if one.entity == sheet.entity and _begins_with(sheet, one)]
    return Slices(sheet, max(mine, key=lambda one: one.saved, default=None))


def _begins_with(sheet: Sheet, begun: Import) -> bool:
    digest = hashlib.sha256()
    _add(digest, islice(sheet.rows, begun.saved))
    return begun.saved <= len(sheet.rows) and digest.hexdigest() == begun.digest


def _add(digest: "hashlib._Hash", rows: Rows) -> None:
    for _, texts in rows:
        digest.update(repr(sorted(texts.items())).encode())
