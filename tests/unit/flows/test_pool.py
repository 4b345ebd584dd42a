"""The workers: what they have room for, what begins when, and what is given back when the engine is to stop."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from prefect_world import eventually

from flows.pool import FEW, Pool
from procession.engine import Room
from procession.errors import ConfigurationError

NOTHING = frozenset()


class Hands:
    """The port of an engine, and the work itself: each job goes on until it is `let_go`."""

    def __init__(self) -> None:
        self.given_back: list[object] = []
        self.at_work: list[str] = []
        self.gates: dict[str, threading.Event] = {}
        self.errors: dict[str, Exception] = {}

    @contextmanager
    def holding(self, instances: list[object]) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.given_back += [one.name for one in instances]
            raise

    def carry_out(self, plan: object, instances: list[object]) -> None:
        name = instances[0].name
        self.at_work.append(name)
        assert self.gates.setdefault(name, threading.Event()).wait(20)
        self.at_work.remove(name)
        if name in self.errors:
            raise self.errors[name]

    def let_go(self, *names: str) -> None:
        for name in names:
            self.gates.setdefault(name, threading.Event()).set()


@pytest.fixture
def hands() -> Hands:
    return Hands()


def pool_of(hands: Hands, size: int = 3) -> Pool:
    ports = SimpleNamespace(engine=hands, mail_out=None)
    return Pool(SimpleNamespace(ports=ports), hands.carry_out, size, 200)


def hand(
    pool: Pool, process: str, count: int = 1, *, name: str = "", deaths: int = 0, bulk: bool = False
) -> None:
    plan = SimpleNamespace(process=process, digest=f"{process}'s")
    pool(plan, [SimpleNamespace(name=name or process, deaths=deaths, bulk=bulk)] * count)


def test_there_is_room_for_a_batch_while_nothing_is_at_work(hands):
    assert pool_of(hands).rooms() == (Room(200),)


def test_what_is_ready_beside_a_batch_of_its_process_gathers_for_the_next_one(hands):
    with pool_of(hands) as pool:
        hand(pool, "digest", 200)

        assert pool.rooms() == (Room(200, frozenset({"digest's"}), alone=False),)
        hands.let_go("digest")


def test_beside_a_batch_that_takes_long_there_is_room_for_few_of_its_process(hands, monkeypatch):
    monkeypatch.setattr("flows.pool.SLOW_SECONDS", 0)
    with pool_of(hands) as pool:
        hand(pool, "digest", 200)

        rooms = pool.rooms()

        assert rooms == (
            Room(200, frozenset({"digest's"}), alone=False),
            Room(FEW, NOTHING, alone=False, bulk=False),
        )
        hands.let_go("digest")


def test_a_process_never_has_all_workers(hands):
    with pool_of(hands) as pool:
        hand(pool, "slow", name="a")
        hand(pool, "slow", name="b")
        hand(pool, "slow", name="c")
        hand(pool, "quick")

        eventually(lambda: sorted(hands.at_work) == ["a", "b", "quick"])
        hands.let_go("quick")
        eventually(lambda: sorted(hands.at_work) == ["a", "b"])
        assert pool.rooms() == (Room(200, frozenset({"slow's"}), alone=False),)
        hands.let_go("a")
        eventually(lambda: sorted(hands.at_work) == ["b", "c"])
        hands.let_go("b", "c")


def test_one_worker_is_kept_free_of_batches_and_the_small_begins_before_the_big(hands):
    with pool_of(hands) as pool:
        for process in ("one", "two", "three"):
            hand(pool, process, 50)
        eventually(lambda: sorted(hands.at_work) == ["one", "two"])

        assert pool.rooms() == (Room(FEW, frozenset({"one's", "two's", "three's"}), alone=False, bulk=False),)
        hand(pool, "small", 2)
        eventually(lambda: sorted(hands.at_work) == ["one", "small", "two"])
        assert pool.rooms() == ()
        hands.let_go("one", "two", "three", "small")


def test_with_one_worker_everything_goes_one_after_the_other(hands):
    with pool_of(hands, size=1) as pool:
        hand(pool, "one", 50)
        hand(pool, "two")
        eventually(lambda: hands.at_work == ["one"])

        assert pool.rooms() == ()
        hands.let_go("one")
        eventually(lambda: hands.at_work == ["two"])
        hands.let_go("two")


def test_what_engines_died_with_runs_while_nothing_else_does(hands):
    with pool_of(hands) as pool:
        hand(pool, "other")
        hand(pool, "poison", deaths=2)
        eventually(lambda: hands.at_work == ["other"])

        hands.let_go("other")
        eventually(lambda: hands.at_work == ["poison"])
        assert pool.rooms() == ()
        hand(pool, "next")
        hands.let_go("poison")
        eventually(lambda: hands.at_work == ["next"])
        hands.let_go("next")


def test_what_had_not_begun_when_the_engine_is_to_stop_is_given_back_and_what_had_is_finished(hands):
    pool = pool_of(hands, size=1)
    with pool:
        hand(pool, "begun")
        hand(pool, "waits")
        eventually(lambda: hands.at_work == ["begun"])
        threading.Timer(0.1, hands.let_go, ["begun"]).start()
    hand(pool, "late")

    assert hands.at_work == []
    assert hands.given_back == ["waits", "late"]


def test_work_that_fails_is_logged_and_nothing_is_claimed_for_a_moment(hands, caplog):
    hands.errors["one"] = ConfigurationError("the database is away")
    with pool_of(hands) as pool:
        hand(pool, "one")
        hands.let_go("one")

        eventually(lambda: hands.given_back == ["one"])
        eventually(lambda: "the database is away; trying again in 2 seconds" in caplog.text)

        assert pool.rooms() == ()


def test_what_nobody_foresaw_ends_no_worker_and_the_log_says_where_it_arose(hands, caplog):
    hands.errors["one"] = ZeroDivisionError("division by zero")
    with pool_of(hands, size=1) as pool:
        hand(pool, "one")
        hand(pool, "two")
        hands.let_go("one", "two")

        eventually(lambda: "in carry_out" in caplog.text)
        eventually(lambda: hands.at_work == [] and not pool._begun)

    assert hands.given_back == ["one"]


def test_beside_a_bulk_batch_there_is_room_at_once_for_what_is_urgent_of_its_process(hands):
    with pool_of(hands) as pool:
        hand(pool, "digest", 200, bulk=True)

        rooms = pool.rooms()

        assert rooms == (
            Room(200, frozenset({"digest's"}), alone=False),
            Room(FEW, NOTHING, alone=False, bulk=False),
        )
        hand(pool, "digest", name="urgent")
        eventually(lambda: sorted(hands.at_work) == ["digest", "urgent"])
        hands.let_go("digest", "urgent")


def test_few_that_are_bulk_are_a_batch_too(hands):
    with pool_of(hands) as pool:
        for process in ("one", "two", "three"):
            hand(pool, process, 2, bulk=True)
        eventually(lambda: sorted(hands.at_work) == ["one", "two"])

        assert pool.rooms()[0].bulk is False
        hand(pool, "one", name="urgent")
        eventually(lambda: sorted(hands.at_work) == ["one", "two", "urgent"])
        hands.let_go("one", "two", "three", "urgent")
