"""What is an e-mail address, and what is none."""

import pytest

from procession.errors import PermanentError
from procession.mail.addresses import envelope_address


@pytest.mark.parametrize(
    "address",
    ["procession@localhost", "anna@corp.local", "anna@acme.test", "anna@exchange.lan", "anna@server"],
)
def test_addresses_of_a_house_are_addresses(address: str) -> None:
    assert envelope_address(address) == address


@pytest.mark.parametrize("address", ["anna", "anna@", "anna@acme.invalid", "anna@@acme.example"])
def test_what_nobody_can_send_to_is_no_address(address: str) -> None:
    with pytest.raises(PermanentError, match="is no e-mail address"):
        envelope_address(address)
