"""Which engine has which instance in hand, and what becomes of an instance after a segment. See `crm.claims`."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from crm.claims import DIED_ALONE, MOST_DEATHS, instance_of
from crm.memory.outbox import cancel_mails
from crm.memory.shapes import Row
from crm.memory.tables import Tables
from procession.ports import LIVE, MOST_BULK, End, Instance, Released


def lines(tables: Tables, keys: Collection[str]) -> dict[str, list[Row]]:
    """`{key: those that wait in line for it, the first one first}`, without those that nobody waits for."""
    found: dict[str, list[Row]] = {}
    for row in tables["instance"].waiting() if keys else ():
        if row.state == "queued" and row.queue_key in keys:
            found.setdefault(row.queue_key, []).append(row)
    return {key: sorted(line, key=lambda row: (row.event_id or 0, row.id)) for key, line in found.items()}


class MemoryClaims:
    """See `procession.ports.Journal`."""

    _tables: Tables

    def claim(  # noqa: PLR0913 - most are options by keyword
        self,
        engine: int,
        now: datetime,
        limit: int,
        ids: Collection[int] = (),
        *,
        alone: bool = False,
        not_of: Collection[str] = (),
        bulk: bool = True,
    ) -> list[Instance]:
        if self._tables.is_held:
            return []
        del now
        ready = [
            row
            for row in self._ready(ids)
            if (row.deaths >= MOST_DEATHS) is alone
            and engine in self._tables["engine"].rows
            and row.digest not in not_of
        ]
        if not ids and not alone:
            urgent = [row for row in ready if not row.bulk]
            ready = urgent or (ready[:MOST_BULK] if bulk else [])
        return [
            instance_of(
                self._tables.change(
                    "instance",
                    row.id,
                    state="running",
                    engine_id=engine,
                    fencing_token=row.fencing_token + 1,
                    alone=alone,
                    flow_run_id="",
                )
            )
            for row in ready[: 1 if alone else limit]
        ]

    def _ready(self, ids: Collection[int]) -> list[Row]:
        """Oldest first; those in `ids` if there are any."""
        rows = sorted(self._tables["instance"].waiting(), key=lambda row: row.id)
        return [
            row for row in rows if row.state == "ready" and (not ids or row.id in ids) and self._begins(row)
        ]

    def fence(self, fencing_tokens: Mapping[int, int]) -> set[int]:
        mine = set()
        for row in self._running(fencing_tokens):
            if row.fencing_token != fencing_tokens[row.id]:
                continue
            if row.stop_requested is None:
                mine.add(row.id)
            else:
                self._stop(row)
        return mine

    def stopped(self, fencing_tokens: Mapping[int, int]) -> set[int]:
        return {
            row.id
            for row in self._rows(fencing_tokens)
            if row.state == "cancelled" and row.fencing_token == fencing_tokens[row.id]
        }

    def give_back(self, fencing_tokens: Mapping[int, int]) -> int:
        mine = self.fence(fencing_tokens)
        for number in mine:
            self._tables.change("instance", number, state="ready", engine_id=None)
        return len(mine)

    def release(self, now: datetime) -> Released:
        """Mails that the dead had claimed stay claimed, for `Outbox.lost` to find."""
        del now
        ready, held = [], []
        engines, rows = self._tables["engine"].rows, self._tables["instance"].waiting()
        for row in sorted(rows, key=lambda row: row.id):
            if row.state != "running" or row.engine_id in engines:
                continue
            died = self._tables.change("instance", row.id, deaths=row.deaths + 1)
            if row.stop_requested is not None:
                self._stop(died)
            elif row.alone:
                self._tables.change("instance", row.id, state="incident", engine_id=None, error=DIED_ALONE)
                held.append(row.id)
            else:
                self._tables.change("instance", row.id, state="ready", engine_id=None)
                ready.append(row.id)
        return Released(tuple(ready), tuple(held))

    def end(self, ends: Sequence[End], now: datetime) -> None:
        ended: list[Row] = []
        for end in ends:
            row = self._tables["instance"].rows.get(end.instance)
            if row is None or row.state != "running":
                continue
            over = {} if end.state in LIVE else {"ended_at": now, "live_key": None}
            is_woken = any(wait.woken_at for wait in self._tables["wait"].of("instance_id", row.id))
            self._tables.change(
                "instance",
                row.id,
                state="ready" if end.state == "waiting" and is_woken else end.state,
                result=end.result,
                error=end.error,
                engine_id=None,
                **over,
            )
            if end.state == "cancelled":
                cancel_mails(self._tables, [row.id], end.result)
            if over:
                ended.append(row)
        self._pass_keys_on(ended)

    def ask_to_stop(self, instances: Collection[int], reason: str, now: datetime) -> int:
        count, ended = 0, []
        for row in self._rows(instances):
            if row.state in ("ready", "waiting", "incident", "queued"):
                self._cancel(row, reason, now)
                ended.append(row)
                before = self._tables["instance"].rows.get(row.after_id)
                if row.live_key and before and before.state == "running" and before.live_key is None:
                    self._tables.change("instance", before.id, live_key=row.live_key, queue_key=row.live_key)
            elif row.state == "running":
                self._tables.change("instance", row.id, stop_requested=reason, stop_requested_at=now)
            else:
                continue
            count += 1
        self._pass_keys_on(ended)
        return count

    def resume(self, instance: int, now: datetime) -> bool:
        del now
        row = self._tables["instance"].rows.get(instance)
        if row is None or row.state != "incident":
            return False
        self._tables.change("instance", instance, state="ready", error=None, deaths=0, bulk=False)
        return True

    def forget_positions(self, instances: Collection[int]) -> None:
        there, values = self._tables["position"].rows, self._tables["kept_value"]
        for number in instances:
            if waits := self._tables["wait"].of("instance_id", number):
                self._tables.delete("wait", [row.id for row in waits])
            if number in there:
                self._tables.delete("position", [number])
            if kept := values.of("instance_id", number):
                self._tables.delete("kept_value", [(number, row.name) for row in kept])

    def _begins(self, row: Row) -> bool:
        """Of a successor: the one before it has ended."""
        before = self._tables["instance"].rows.get(row.after_id)
        return before is None or before.ended_at is not None

    def _rows(self, numbers: Iterable[int]) -> list[Row]:
        rows = self._tables["instance"].rows
        return [rows[number] for number in sorted(set(numbers)) if number in rows]

    def _running(self, numbers: Iterable[int]) -> list[Row]:
        return [row for row in self._rows(numbers) if row.state == "running"]

    def _stop(self, row: Row) -> None:
        self._cancel(row, row.stop_requested, row.stop_requested_at)
        self._pass_keys_on([row])

    def _pass_keys_on(self, ended: Sequence[Row]) -> None:
        """Of instances that are over: the first in line for what nobody holds any more has it now."""
        keys = {row.queue_key for row in ended if row.queue_key}
        free = {key for key in keys if not self._tables["instance"].known(("live_key",), key)}
        for key, line in lines(self._tables, free).items():
            self._tables.change("instance", line[0].id, state="ready", live_key=key)

    def _cancel(self, row: Row, reason: str, at: datetime) -> None:
        self._tables.change(
            "instance",
            row.id,
            state="cancelled",
            result=reason,
            ended_at=at,
            live_key=None,
            engine_id=None,
        )
        cancel_mails(self._tables, [row.id], reason)
        self.forget_positions([row.id])
