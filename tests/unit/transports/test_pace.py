"""How many mails a second go out, on a clock that stands still unless someone waits."""

from procession.transports.pace import Pace


class Watch:
    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def times(watch: Watch, per_second: float, mails: int) -> list[float]:
    pace = Pace(per_second, monotonic=watch.monotonic, sleep=watch.sleep)
    sent = []
    for _ in range(mails):
        pace.wait()
        sent.append(round(watch.now, 3))
    return sent


def test_without_a_limit_nobody_waits() -> None:
    assert times(Watch(), 0, 100) == [0.0] * 100


def test_after_a_seconds_worth_each_mail_waits_its_turn() -> None:
    assert times(Watch(), 2, 6) == [0.0, 0.0, 0.5, 1.0, 1.5, 2.0]


def test_a_limit_below_one_lets_one_through_at_once() -> None:
    assert times(Watch(), 0.5, 3) == [0.0, 2.0, 4.0]


def test_a_pause_earns_no_more_than_a_seconds_worth() -> None:
    watch = Watch()
    pace = Pace(2, monotonic=watch.monotonic, sleep=watch.sleep)
    watch.now = 100.0

    for _ in range(4):
        pace.wait()

    assert watch.now == 101.0
