"""When Prefect is asked, and when not."""

from flows import breaker
from flows.breaker import Breaker


def test_after_a_failure_prefect_is_not_asked_until_the_probe_says_so() -> None:
    tested = Breaker("http://127.0.0.1:4200/api")

    tested.trip("it does not answer")
    open_after_failure = tested.open
    tested.close()

    assert open_after_failure
    assert not tested.open


def test_each_further_failure_makes_the_pause_longer_up_to_a_minute(monkeypatch) -> None:
    now = [100.0]
    monkeypatch.setattr(breaker.time, "monotonic", lambda: now[0])
    tested = Breaker("http://127.0.0.1:4200/api")
    pauses = []

    for _ in range(9):
        tested.trip("it does not answer")
        began = now[0]
        while not tested.worth_a_try():
            now[0] += 0.5
        pauses.append(now[0] - began)

    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_a_run_that_went_well_makes_the_next_failure_a_first_one(monkeypatch) -> None:
    now = [100.0]
    monkeypatch.setattr(breaker.time, "monotonic", lambda: now[0])
    tested = Breaker("http://127.0.0.1:4200/api")
    tested.trip("once")
    tested.trip("twice")
    tested.close()

    tested.proved()
    tested.trip("again")
    now[0] += 1

    assert tested.worth_a_try()
