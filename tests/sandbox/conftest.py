"""One sandbox for all tests, rolled back after each; every reply is held against the schema."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from exchangelib import (
    DELEGATE,
    Account,
    BaseProtocol,
    Configuration,
    Credentials,
    EWSTimeZone,
    FailFast,
    Version,
)
from exchangelib.version import EXCHANGE_2016

from procession.sandbox.mailbox.store import Mailbox
from procession.sandbox.mailbox.world import World
from procession.sandbox.server import Listening, Sandbox
from tests.sandbox.client import Client

ANNA, BEN, CARLA = "anna@example.com", "ben@example.com", "carla@example.com"
PASSWORD = "secret"
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
BaseProtocol.TIMEOUT = 20


class SetClock:
    """A clock that stands still until it is told otherwise."""

    def __init__(self) -> None:
        self.moment = START

    def now(self) -> datetime:
        return self.moment

    def advance(self, **span: float) -> None:
        self.moment += timedelta(**span)


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


def mailbox(sandbox: Sandbox, address: str) -> Mailbox:
    return sandbox.world.mailboxes[address]


def account_for(sandbox: Sandbox, address: str, password: str = PASSWORD) -> Account:
    configuration = Configuration(
        service_endpoint=sandbox.endpoints.ews,
        credentials=Credentials(address, password),
        auth_type="basic",
        version=Version(EXCHANGE_2016),
        retry_policy=FailFast(),
        max_connections=4,
    )
    return Account(
        address,
        config=configuration,
        access_type=DELEGATE,
        autodiscover=False,
        default_timezone=EWSTimeZone("Europe/Berlin"),
    )


@pytest.fixture(scope="session")
def accounts(running: Sandbox) -> dict[str, Account]:
    return {address: account_for(running, address) for address in (ANNA, BEN, CARLA)}


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
