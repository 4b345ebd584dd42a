"""Which engines there are on one store, and which of them are dead.

Every engine has a row with a beat, a counter that it raises every few seconds. An engine is dead when another one saw
its beat unchanged for so long (`Pace.dead`), by that other's own monotonic clock: no clock of a machine, nor a step of it, nor
the time that a machine slept, makes a living one look dead. (client-go's leader election goes by the same rule.) One
whose process is gone from this very boot of the kernel is dead at once.

An engine that joins looks whether the database is the one that was worked on last (`procession.witness`), and again at
each beat; one that is older is held.

An engine that could not raise its beat for a while (`Pace.stale`) may be taken for dead soon: it begins no step and hands over
no mail. Nor does it say that others are dead: the database may have been away for all of them, and it begins to watch
them anew. One that was taken for dead finds its row gone, and becomes a new engine.
"""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue

import psutil

from procession.errors import ProcessionError, TemporaryError, foreseen
from procession.ports import EngineProcess, EngineRow, Instance, Pace, SentMail, Store, ThisEngine, Unit
from procession.spelling import count
from procession.witness import Mark, Witness

log = logging.getLogger(__name__)

PACE = Pace()


class Membership:
    """Implements `procession.ports.ThisEngine`. Safe to use from several threads.

    Args:
        process: who this is; this very process if left out.
        monotonic: seconds that only go forward.
        witness: what is known of the database outside of it; without one, a backup is not told from what it is of.
    """

    def __init__(
        self,
        store: Store,
        process: EngineProcess | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        pace: Pace = PACE,
        witness: Witness | None = None,
    ) -> None:  # fmt: skip
        self._store, self._witness = store, witness
        self._process = process or this_process()
        self._monotonic, self.pace = monotonic, pace
        self._looked: float | None = None
        self._lock = threading.Lock()
        self._id: int | None = None
        self._beaten = 0.0
        self._seen: dict[int, tuple[int, float]] = {}
        self._dropped: SimpleQueue[Instance] = SimpleQueue()
        self.in_hand: set[int] = set()

    @property
    def id(self) -> int:
        with self._lock:
            if self._id is None:
                now = self._monotonic()
                is_known = self._is_known_elsewhere()
                with self._store.unit() as unit:
                    self._compare(unit, is_known=is_known)
                    self._id = unit.journal.register(self._process)
                    unit.commit()
                self._beaten = now
            return self._id

    def join(self) -> None:
        self.id  # noqa: B018  # becomes one

    def look(self) -> None:
        is_known = self._id is not None or self._is_known_elsewhere()
        with self._store.unit() as unit:
            self._compare(unit, is_known=is_known)
            unit.commit()

    def check(self) -> None:
        if self.id and self._is_stale(self._monotonic()):
            raise TemporaryError(
                "This engine could not show for some time that it lives, so another one may go on in its place.",
                hint="It goes on by itself as soon as the database answers.",
            )

    def _is_stale(self, now: float) -> bool:
        return now - self._beaten > self.pace.stale

    def beat(self) -> None:
        """Show that it lives. One that was taken for dead becomes a new engine, and what it had is not its own any
        more.

        Raises:
            ConfigurationError, TemporaryError: the store does not answer.
        """
        engine, now = self.id, self._monotonic()
        with self._store.unit() as unit:
            alive = unit.journal.beat(engine)
            self._compare(unit, is_known=alive)
            current = engine if alive else unit.journal.register(self._process)
            unit.commit()
        with self._lock:
            if self._is_stale(now):
                self._seen = {}
            self._id, self._beaten = current, now
        if not alive:
            log.warning("engine %d was taken for dead; it goes on as engine %d", engine, current)

    def leave(self) -> None:
        """It is no engine any more; the others need not wait to find that out.

        Raises:
            ConfigurationError, TemporaryError: the store does not answer.
        """
        with self._lock:
            if self._id is not None:
                with self._store.unit() as unit:
                    self._compare(unit, is_known=True)
                    rows = {row.id: row.beat for row in unit.journal.engines() if row.id == self._id}
                    unit.journal.bury(rows)
                    unit.commit()
            self._id = None

    def bury_the_dead(self) -> set[int]:
        """Look at the other engines, and delete those that are dead; returns them.

        Raises:
            ConfigurationError, TemporaryError: the store does not answer.
        """
        now = self._monotonic()
        if self._looked is not None and now - self._looked < self.pace.beat:
            return set()
        self._looked = now
        with self._store.unit(write=False) as unit:
            others = [row for row in unit.journal.engines() if row.id != self._id]
        with self._lock:
            dead = {row.id: row.beat for row in others if self._is_dead(row, now)}
            self._seen = {row.id: self._seen[row.id] for row in others}
        if not dead:
            return set()
        with self._store.unit() as unit:
            buried = unit.journal.bury(dead)
            unit.commit()
        log.info("engines %s are dead", ", ".join(map(str, sorted(buried))))
        return buried

    def _is_dead(self, row: EngineRow, now: float) -> bool:
        beat, since = self._seen.get(row.id, (-1, 0.0))
        if beat != row.beat:
            self._seen[row.id] = (row.beat, now)
            since = now
        return (now - since >= self.pace.dead and not self._is_stale(now)) or is_gone(
            row.process, self._process
        )

    # --- is it the database that was worked on last

    def sent(self, mails: Sequence[SentMail]) -> None:
        if self._witness:
            self._witness.note(mails)

    def _compare(self, unit: Unit, *, is_known: bool) -> None:
        """Hold a database that is older than what is known of it, else note how far it is.

        Args:
            is_known: that this database is worked on is known from elsewhere, though nothing here may say so.
        """
        if self._witness is None:
            return
        standing = unit.journal.standing(self._witness.last_sent())
        if standing.held:
            return
        doubt = self._witness.doubt(standing)
        if doubt and not (is_known and doubt.may_be_new_here):
            unit.journal.hold(doubt.because)
            return
        self._witness.keep(Mark.of(standing))
        if not standing.is_witnessed:
            unit.journal.witness()

    def _is_known_elsewhere(self) -> bool:
        """Where nothing here says how far the database is: whether an engine of another machine works on it, so that
        it is as far as it ever was."""
        if self._witness is None:
            return False
        with self._store.unit(write=False) as unit:
            doubt = self._witness.doubt(unit.journal.standing())
            before = {row.id: row for row in unit.journal.engines()}
        if doubt is None or not doubt.may_be_new_here:
            return False
        until = self._monotonic() + 2 * self.pace.beat
        while before and self._monotonic() < until:
            time.sleep(self.pace.beat / 20)
            with self._store.unit(write=False) as unit:
                now = {row.id: row for row in unit.journal.engines()}
            if any(number in before and row.beat > before[number].beat for number, row in now.items()):
                return True
            before = {
                n: row for n, row in before.items() if n in now and not is_gone(row.process, self._process)
            }
        return False

    # --- instances in hand

    @contextmanager
    def holding(self, instances: Iterable[Instance]) -> Iterator[None]:
        is_over = False
        try:
            yield
            is_over = True
        finally:
            if not is_over:
                for instance in instances:
                    self._dropped.put(instance)

    def give_back(self) -> int:
        """Make ready again what segments that broke off left claimed; returns how many there were.

        Raises:
            ConfigurationError, TemporaryError: the store does not answer; they are kept for the next call.
        """
        instances = self._drained()
        if not instances:
            return 0
        with self.holding(instances), self._store.unit() as unit:
            given_back = unit.journal.give_back({one.id: one.fencing_token for one in instances})
            unit.commit()
        log.info("gave back %s", count(given_back, "instance"))
        return given_back

    def _drained(self) -> list[Instance]:
        """Each once, as it was claimed last."""
        found: dict[int, Instance] = {}
        while True:
            try:
                instance = self._dropped.get_nowait()
            except Empty:
                return list(found.values())
            before = found.get(instance.id, instance)
            found[instance.id] = max(before, instance, key=lambda one: one.fencing_token)


@contextmanager
def beating(engine: ThisEngine) -> Iterator[None]:
    """Show in the background that this engine lives while the block runs; then it leaves."""
    over = threading.Event()
    engine.beat()

    def beat() -> None:
        while not over.wait(engine.pace.beat):
            try:
                with foreseen("the beat of this engine"):
                    engine.give_back()
                    engine.beat()
            except ProcessionError as error:
                log.warning("this engine could not show that it lives: %s", error)

    thread = threading.Thread(target=beat, name="beat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        try:
            engine.give_back()
            engine.leave()
        except ProcessionError as error:
            log.warning("the other engines will find out that this one is gone: %s", error)


# --- processes


def this_process() -> EngineProcess:
    """This process, as far as the system tells."""
    return EngineProcess(
        socket.gethostname(), boot=_boot(), pid_namespace=_pid_namespace(), pid=os.getpid(), began=_began(os.getpid()) or 0
    )  # fmt: skip


def is_gone(process: EngineProcess, seen_from: EngineProcess) -> bool:
    """Whether it certainly runs no more. Only who shares its boot and its namespace of process numbers can say so."""
    if not process.boot or (process.boot, process.pid_namespace) != (seen_from.boot, seen_from.pid_namespace):
        return False
    return _began(process.pid) != process.began


def _boot() -> str:
    file = Path("/proc/sys/kernel/random/boot_id")
    return file.read_text(encoding="ascii").strip() if file.is_file() else ""


def _pid_namespace() -> str:
    link = Path("/proc/self/ns/pid")
    return str(link.readlink()) if link.is_symlink() else ""


def _began(pid: int) -> int | None:
    """The tick of this boot at which a process began; None if there is none, or only what its parent has not asked
    about. (`psutil.Process.create_time` moves with the clock of the machine.)"""
    try:
        if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return None
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (psutil.NoSuchProcess, OSError):
        return None
    return int(stat.rpartition(")")[2].split()[19])  # proc(5): field 22; the name before may hold spaces
