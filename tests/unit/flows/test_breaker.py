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


def test_a_server_that_was_started_anew_is_tried_at_once(monkeypatch) -> None:
    now = [100.0]
    monkeypatch.setattr(breaker.time, "monotonic", lambda: now[0])
    tested = Breaker("http://127.0.0.1:4200/api")
    for _ in range(9):
        tested.trip("it does not answer")
    waiting = tested.worth_a_try()

    tested.try_now()

    assert (waiting, tested.worth_a_try(), tested.open) == (False, True, True)
    tested.trip("not yet")
    now[0] += 1
    assert tested.worth_a_try()


def test_what_is_not_there_at_the_start_is_not_asked_first(caplog) -> None:
    tested = Breaker("http://127.0.0.1:4200/api", lambda: True, closed=False)

    assert tested.open
    assert tested.worth_a_try()
    assert tested.answers()
    assert caplog.records == []
