"""A Prefect server for the tests of the Prefect edge: one for all of them, always at the same address."""

from collections.abc import Iterator

import pytest
from prefect_world import Prefect, Server

from flows.client import connected


@pytest.fixture(scope="session", autouse=True)
def _empty_database_is_made_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Prefect's migrations take 8 s; all servers of the suite begin with what the first one made."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("prefect"))
    yield started
    started.stop()


@pytest.fixture
def prefect(server: Server) -> Iterator[Prefect]:
    with connected(server.url) as client:
        yield Prefect(client)
