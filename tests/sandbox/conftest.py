"""One sandbox for all tests, rolled back after each; every reply is held against the schema."""

from collections.abc import Iterator

import pytest
from exchangelib import Account, close_connections
from sandbox.actors import ANNA, BEN, CARLA, PASSWORD, START, SetClock, account_for
from sandbox.client import Client

from procession.sandbox.mailbox.world import World
from procession.sandbox.server import Listening, Sandbox


@pytest.fixture(scope="session")
def running() -> Iterator[Sandbox]:
    sandbox = Sandbox(World(SetClock()), Listening(check_replies=True))
    for address in (ANNA, BEN, CARLA):
        sandbox.world.add_user(address, PASSWORD)
    with sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Iterator[Sandbox]:
    before = running.call(running.world.snapshot)
    running.world.clock.moment = START
    yield running
    running.call(lambda: running.world.rollback(before))
    running.faults.clear()
    running.site.ews.subscriptions.active.clear()
    problems = list(running.site.ews.reply_problems)
    running.site.ews.reply_problems.clear()
    assert problems == []


@pytest.fixture
def clock(sandbox: Sandbox) -> SetClock:
    return sandbox.world.clock


@pytest.fixture(scope="session")
def accounts(running: Sandbox) -> Iterator[dict[str, Account]]:
    yield {address: account_for(running, address) for address in (ANNA, BEN, CARLA)}
    close_connections()


@pytest.fixture
def anna(sandbox: Sandbox, accounts: dict[str, Account]) -> Account:
    return accounts[ANNA]


@pytest.fixture
def ben(sandbox: Sandbox, accounts: dict[str, Account]) -> Account:
    return accounts[BEN]


@pytest.fixture
def carla(sandbox: Sandbox, accounts: dict[str, Account]) -> Account:
    return accounts[CARLA]


@pytest.fixture
def client(sandbox: Sandbox) -> Client:
    return Client(sandbox.endpoints.ews, ANNA, PASSWORD)


@pytest.fixture
def bens_client(sandbox: Sandbox) -> Client:
    return Client(sandbox.endpoints.ews, BEN, PASSWORD)
