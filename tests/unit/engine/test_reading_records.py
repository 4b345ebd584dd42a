"""What a `read` step finds, and whether that is all there is."""

import pytest
from office import ANNA, Office

from procession.dispatch import start_by_hand


@pytest.mark.parametrize(("there", "said"), [(2, "2 no Deal 0"), (3, "3 no Deal 0"), (4, "3 yes Deal 0")])
def test_a_read_says_whether_there_is_more_than_it_took(office: Office, there: int, said: str) -> None:
    for number in range(there):
        office.given(f"deal {number}", "opportunity", name=f"Deal {number}", stage="won")
    plan = office.deploy("""
        process: look
        inputs: {deal: {type: record, of: opportunity}}
        triggers: [{manual: {on: opportunity}}]
        steps:
          - {id: won, read: {entity: opportunity, where: {stage: won}, order: name, limit: 3}}
          - log_history:
              on: "{{ deal }}"
              text: "{{ outputs.won.count }} {{ outputs.won.more }} {{ outputs.won.first.name }}"
    """)

    start_by_hand(office.ports, plan, {"deal": office.known["deal"]}, actor=ANNA)
    office.work()

    assert [row.text for row in office.history("deal")] == [said]
