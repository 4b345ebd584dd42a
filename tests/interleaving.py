"""Every order in which actors on one store can take turns: threads that stop before each of their units and mails.

An actor is a thread. It stops before it begins a unit of the store, before it hands over a mail, and, where units may
overlap (on PostgreSQL), before it commits; a scheduler lets one go on at a time. `every_order` goes through all orders,
depth first, and does each from the beginning; of orders that differ only in what is independent it takes one (sleep
sets: P. Godefroid, Partial-Order Methods for the Verification of Concurrent Systems, 1996). `some_orders` draws them.
An actor that waits for a lock of the database is passed over until whoever has it goes on.
"""

import random
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from procession.errors import TemporaryError
from procession.ports import Delivery, MailOut, Store, Unit

Act = Literal["read", "write", "commit", "send"]
"""What an actor does next."""

PATIENCE_SECONDS = 30


class CutShort(BaseException):
    """Ends an actor whose order needs not be gone through."""


@dataclass(eq=False)
class Actor:
    name: str
    do: Callable[[], object]
    next: Act | None = None
    is_over: bool = False
    error: BaseException | None = None
    may_go: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    thread: threading.Thread = field(init=False)

    @property
    def has_arrived(self) -> bool:
        return self.next is not None or self.is_over


class Stage:
    """Actors on one store. `waiting` counts those that wait for a lock of the database."""

    def __init__(self, waiting: Callable[[], int] = lambda: 0, *, overlapping: bool = False) -> None:
        self._actors: dict[threading.Thread, Actor] = {}
        self._changed = threading.Condition()
        self._waiting, self._is_cut = waiting, False
        self.overlapping = overlapping

    def store(self, store: Store) -> Any:
        return _StoppingStore(store, self)

    def mail_out(self, mail_out: MailOut) -> Any:
        return _StoppingMailOut(mail_out, self)

    def stop(self, act: Act) -> None:
        """Called by an actor's thread; anybody else goes on."""
        actor = self._actors.get(threading.current_thread())
        if actor is None:
            return
        with self._changed:
            actor.next = act
            self._changed.notify_all()
        actor.may_go.acquire()
        if self._is_cut:
            raise CutShort

    # --- for the scheduler

    def enter(self, actors: Mapping[str, Callable[[], object]]) -> None:
        for name, do in actors.items():
            actor = Actor(name, do)
            actor.thread = threading.Thread(target=self._play, args=(actor,), name=name, daemon=True)
            self._actors[actor.thread] = actor
        for thread in self._actors:
            thread.start()
        self._settle()

    @property
    def enabled(self) -> dict[str, Act]:
        return {actor.name: actor.next for actor in self._actors.values() if actor.next}

    @property
    def is_over(self) -> bool:
        return all(actor.is_over for actor in self._actors.values())

    def go_on(self, name: str) -> None:
        (actor,) = (actor for actor in self._actors.values() if actor.name == name)
        actor.next = None
        actor.may_go.release()
        self._settle()

    def leave(self) -> list[BaseException]:
        """End whoever is still there; returns what actors raised."""
        self._is_cut = True
        for actor in self._actors.values():
            actor.may_go.release()
        for thread in self._actors:
            thread.join(PATIENCE_SECONDS)
        return [actor.error for actor in self._actors.values() if actor.error]

    def _play(self, actor: Actor) -> None:
        try:
            actor.do()
        except (CutShort, TemporaryError):  # an engine puts it off, too
            pass
        except BaseException as error:
            actor.error = error
        with self._changed:
            actor.is_over = True
            self._changed.notify_all()

    def _settle(self) -> None:
        """Until each actor is at a stop, over, or waits for a lock that one at a stop has."""
        with self._changed:
            while moving := [actor for actor in self._actors.values() if not actor.has_arrived]:
                if self._changed.wait(0.005 if self.overlapping else PATIENCE_SECONDS):
                    continue
                assert self.overlapping, "an actor hangs"
                if self._waiting() >= len(moving) and (self.enabled or self.is_over):
                    return


class _StoppingStore:
    def __init__(self, store: Store, stage: Stage) -> None:
        self._store, self._stage = store, stage

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @contextmanager
    def unit(self, *, write: bool = True) -> Iterator[Any]:
        self._stage.stop("write" if write else "read")
        with self._store.unit(write=write) as unit:
            yield _StoppingUnit(unit, self._stage) if write and self._stage.overlapping else unit


class _StoppingUnit:
    def __init__(self, unit: Unit, stage: Stage) -> None:
        self._unit, self._stage = unit, stage

    def __getattr__(self, name: str) -> Any:
        return getattr(self._unit, name)

    def commit(self) -> None:
        self._stage.stop("commit")
        self._unit.commit()


class _StoppingMailOut:
    def __init__(self, mail_out: MailOut, stage: Stage) -> None:
        self._mail_out, self._stage = mail_out, stage
        self.connections = 1

    def send(self, sender: str, recipients: Sequence[str], mime: bytes) -> Delivery:
        self._stage.stop("send")
        return self._mail_out.send(sender, recipients, mime)

    def close(self) -> None: ...


# --- orders


@dataclass
class _Choice:
    """At one point of an order: who could go on, who need not, and who was let go on so far; the last one is tried now."""

    enabled: Mapping[str, Act]
    asleep: frozenset[str]
    tried: list[str]

    @property
    def untried(self) -> list[str]:
        return [name for name in self.enabled if name not in self.asleep and name not in self.tried]

    def next_asleep(self) -> frozenset[str]:
        """Whose next act was tried before this one and makes no difference after it."""
        *before, now = self.tried
        asleep = {*self.asleep, *before}
        return frozenset(one for one in asleep if _independent(self.enabled[one], self.enabled[now]))


def _independent(one: Act, other: Act) -> bool:
    return one == other == "read" or (one != other and "send" in (one, other))


@dataclass
class Order:
    """One order under way. The scenario calls `play` once."""

    _choose: Callable[[Mapping[str, Act]], str | None]
    taken: list[str] = field(default_factory=list)
    is_whole: bool = False

    def play(
        self, stage: Stage, actors: Mapping[str, Callable[[], object]], always: Callable[[], object] = lambda: None
    ) -> bool:  # fmt: skip
        """Let the actors go on until all are over; `always` is asked after each act. False if this order needs not be
        gone through to its end."""
        stage.enter(actors)
        while not stage.is_over:
            name = self._choose(stage.enabled)
            if name is None:
                break
            self.taken.append(f"{name}: {stage.enabled[name]}")
            stage.go_on(name)
            always()
        self.is_whole = stage.is_over
        errors = stage.leave()
        if errors:
            raise AssertionError(f"an actor failed after {self.taken}") from errors[0]
        return self.is_whole


def every_order(scenario: Callable[[Order], object]) -> int:
    """Do `scenario` in every order; returns in how many."""
    choices: list[_Choice] = []
    count = 0
    while True:
        depth = 0

        def choose(enabled: Mapping[str, Act]) -> str | None:
            nonlocal depth
            if depth == len(choices):
                choice = _Choice(enabled, choices[-1].next_asleep() if choices else frozenset(), [])
                if not choice.untried:
                    return None
                choice.tried.append(choice.untried[0])
                choices.append(choice)
            depth += 1
            assert choices[depth - 1].enabled == enabled, "the same order went another way"
            return choices[depth - 1].tried[-1]

        order = Order(choose)
        _do(scenario, order)
        count += order.is_whole
        while choices and not choices[-1].untried:
            choices.pop()
        if not choices:
            return count
        choices[-1].tried.append(choices[-1].untried[0])


def some_orders(scenario: Callable[[Order], object], count: int, seed: int) -> None:
    """Do `scenario` in so many orders, drawn at random."""
    chance = random.Random(seed)
    for _ in range(count):
        _do(scenario, Order(lambda enabled: chance.choice(sorted(enabled))))


def _do(scenario: Callable[[Order], object], order: Order) -> None:
    try:
        scenario(order)
    except AssertionError as error:
        error.add_note("in the order " + ", ".join(order.taken))
        raise
