"""Start instances by `mode`. See `crm.starting`."""

from collections.abc import Collection, Sequence
from datetime import datetime

from crm.memory.claims import MemoryClaims
from crm.memory.shapes import Row
from crm.starting import SUPERSEDED, is_outdated, judge, live_key, row_of, trigger_id_of
from procession.ports import Start
from procession.records import Ref

_CAUSE = ("process", "trigger_id", "event_id")


class MemoryStarts(MemoryClaims):
    """See `procession.ports.Journal`."""

    def start(self, starts: Sequence[Start], now: datetime) -> list[int | None]:
        keys = [key for start in starts if (key := live_key(start))]
        held = self._tables["instance"]
        holders = {key: holder for key in keys if (holder := held.known(("live_key",), key))}
        fresh = self._not_started(starts, ask=bool(holders) or len(set(keys)) < len(keys))
        judged = judge(starts, [i for i in fresh if not is_outdated(starts[i], holders)], holders, now)
        self._supersede([holders[key] for key in judged.superseded], now)
        for number, more in judged.refused.items():
            refused = self._tables["instance"].rows[number].refused
            self._tables.change("instance", number, refused=refused + more)
        numbers: list[int | None] = [None] * len(starts)
        last = self._tables["instance"].last
        for place, (i, own) in enumerate(judged.born.items()):
            born = self._tables.insert_new("instance", row_of(starts[i], last + 1 + place, now) | own)
            numbers[i] = born.id if born else None
        return numbers

    def hurry(self, refs: Collection[Ref]) -> None:
        records, events = {(ref.entity, ref.id) for ref in refs}, self._tables["event"].rows
        for row in self._tables["instance"].waiting():
            event = events.get(row.event_id)
            if row.state == "ready" and row.bulk and event and (event.entity, event.record_id) in records:
                self._tables.change("instance", row.id, bulk=False)

    def _not_started(self, starts: Sequence[Start], *, ask: bool) -> list[int]:
        """Which of the starts (by place) no event has made already, as far as it is asked. (See `crm.starting`.)"""
        made: set[tuple[str, str, int | None]] = set()
        fresh = []
        for i, start in enumerate(starts):
            cause = (start.process, trigger_id_of(start), start.event_id)
            if start.event_id is not None:
                if cause in made or (ask and self._tables["instance"].known(_CAUSE, *cause)):
                    continue
                made.add(cause)
            fresh.append(i)
        return fresh

    def _supersede(self, holders: Collection[Row], now: datetime) -> None:
        for row in sorted(holders, key=lambda row: row.id):
            if row.state == "running":
                self._tables.change(
                    "instance", row.id, live_key=None, stop_requested=SUPERSEDED, stop_requested_at=now
                )
            else:
                self._cancel(row, SUPERSEDED, now)
