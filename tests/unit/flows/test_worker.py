"""The worker: what ends a segment before its time reaches the engine, and is noted."""

from types import SimpleNamespace

import pytest

from flows import worker
from flows.segments import Segment
from flows.starting import Stopping
from flows.worker import Worker
from procession.errors import ConfigurationError


class Noted:
    """A teller that only listens."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Segment]] = []

    def begun(self, segment: Segment) -> None:
        self.told.append(("begun", segment))

    def over(self, segment: Segment) -> None:
        self.told.append(("over", segment))


@pytest.fixture
def noted() -> Noted:
    return Noted()


@pytest.fixture
def at_work(noted: Noted) -> Worker:
    ports = SimpleNamespace(clock=SimpleNamespace(now=lambda: "now"))
    return Worker(SimpleNamespace(ports=ports, stopping=None), noted)


@pytest.mark.parametrize("error", [ConfigurationError("The database is away."), Stopping("It is stopping.")])
def test_what_ends_a_segment_before_its_time_reaches_the_engine_and_is_noted(
    at_work: Worker, noted: Noted, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def advance(*_: object) -> None:
        raise error

    monkeypatch.setattr(worker, "advance", advance)

    with pytest.raises(type(error)) as raised:
        at_work("plan", ["instance"])

    assert raised.value is error
    assert [what for what, _ in noted.told] == ["begun", "over"]
    assert noted.told[0][1].broken_off == error.message


@pytest.mark.parametrize(("count", "segments"), [(1, [1]), (2, [1, 1]), (3, [3])])
def test_few_instances_are_a_segment_each_and_more_of_them_share_one(
    at_work: Worker, noted: Noted, count: int, segments: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "advance", lambda *_: [])

    at_work("plan", ["instance"] * count)

    assert [len(segment.instances) for what, segment in noted.told if what == "begun"] == segments
