"""The engine and the thread that runs flows: what happens in the one, the other one learns."""

from types import SimpleNamespace

import pytest

from flows.starting import Stopping
from flows.worker import Worker
from procession.errors import ConfigurationError


class Taken(Worker):
    """Its flow has begun with each job and is over, with this error."""

    def __init__(self, error: Exception) -> None:
        runs = SimpleNamespace(host=SimpleNamespace(ports=None))
        super().__init__(runs, SimpleNamespace(open=False), patience_seconds=0)
        self._jobs = SimpleNamespace(put=self.run)
        self._error = error

    def run(self, job) -> None:
        assert job.take()
        job.error = self._error
        job.begun.set()
        job.over.set()


@pytest.mark.parametrize("error", [ConfigurationError("The database is away."), Stopping("it is stopping")])
def test_what_ends_a_flow_before_its_time_reaches_the_engine_that_handed_over_the_instances(error):
    with pytest.raises(type(error)) as raised:
        Taken(error)(None, [None])

    assert raised.value is error
