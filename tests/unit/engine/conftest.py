import pytest
from office import Office


@pytest.fixture
def office(tmp_path) -> Office:
    """Ann of Acme, a deal with her, and Bob of ours."""
    office = Office(tmp_path)
    office.given("acme", "account", name="Acme")
    office.given(
        "ann", "contact", name="Ann Smith", first_name="Ann", email="ann@acme.example", account="acme"
    )
    office.given(
        "bob", "user", name="Bob", email="bob@us.example", team="sales-ops", timezone="Europe/Berlin"
    )
    office.given("deal", "opportunity", name="Pumps", amount=7, account="acme", contact="ann", owner="bob")
    office.nothing_new()
    return office
