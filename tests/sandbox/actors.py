"""Who plays in the tests: three users, a clock that stands still, and how exchangelib is told to reach them."""

from datetime import UTC, datetime, timedelta

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

from procession.sandbox.server import Sandbox

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
