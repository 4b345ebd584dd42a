"""Imports that are written in several units. See `crm.imports`."""

from crm.bulk import import_of
from crm.imports import overtaken
from crm.memory.tables import Tables
from procession.ports import Import


class MemoryImports:
    """See `procession.ports.Journal`."""

    _tables: Tables

    def imports(self) -> list[Import]:
        return [import_of(row) for row in self._tables["file_import"].rows.values() if not row.is_released]

    def import_slice(self, slice_: Import, *, last: bool = False) -> Import:
        values = {"saved": slice_.saved, "digest": slice_.digest, "is_released": last}
        if slice_.id:
            row = self._tables["file_import"].rows.get(slice_.id)
            if row is None or row.saved != slice_.before or row.is_released:
                raise overtaken()
            self._tables.change("file_import", slice_.id, **values)
        else:
            (row,) = self._tables.insert("file_import", [{"entity": slice_.entity, **values}])
        self._tables.told.import_id = row.id
        return Import(slice_.entity, slice_.saved, slice_.digest, slice_.saved, row.id)

    def let_in(self, limit: int) -> int:
        released = [number for number, row in self._tables["file_import"].rows.items() if row.is_released]
        if not released:
            return 0
        number = min(released)
        waiting = [row.id for row in self._tables["event"].waiting() if row.import_id == number]
        events = sorted(waiting)[:limit]
        for event in events:
            self._tables.change("event", event, import_id=0)
        if len(events) < limit:
            self._tables.delete("file_import", [number])
        return len(events)
