"""What a `read` step finds, and whether that is all there is."""

import pytest
from office import ANNA, Office
from sqlalchemy import event

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


@pytest.mark.parametrize("batch", [1, 500])
def test_what_another_instance_deleted_is_gone_however_many_are_worked_on_together(
    office: Office, batch: int
) -> None:
    office.given("bea", "contact", name="Bea", account="acme")
    office.given("cy", "contact", name="Cy", account="acme")
    office.nothing_new()
    plan = office.deploy("""
        process: clear
        inputs: {gone: {type: record, of: contact}, other: {type: record, of: contact}}
        triggers: [{manual: {}}]
        steps:
          - delete: {record: "{{ gone }}"}
          - log_history: {on: "{{ other.account }}", text: "Instead of {{ gone.name }} there is {{ other.name }}"}
    """)
    for gone, other in (("cy", "ann"), ("bea", "cy")):
        given = {"gone": office.known[gone], "other": office.known[other]}
        start_by_hand(office.ports, plan, given, actor=ANNA)

    engine = office.engine()
    engine.batch = batch
    while engine.tick():
        pass

    assert office.states() == ["completed", "cancelled"]
    assert [row.text for row in office.history("acme")] == ["Instead of Cy there is Ann Smith"]


def test_each_of_many_that_read_takes_one_statement_more(office: Office) -> None:
    """What all of them found is followed together."""
    plan = office.deploy("""
        process: look
        inputs: {account: {type: record, of: account}}
        triggers: [{manual: {on: account}}]
        mode: parallel
        steps:
          - {id: deals, read: {entity: opportunity, where: {account: "{{ account }}"}}}
          - log_history:
              on: "{{ account }}"
              text: "{{ outputs.deals.first.owner.email }} {{ outputs.deals.first.contact.account.phone }}"
    """)
    said: list[str] = []
    event.listen(office.ports.store._engine, "before_cursor_execute", lambda *args: said.append(args[2]))

    def statements(count: int) -> int:
        for number in range(count):
            there = {"account": f"{count} {number}", "contact": "ann", "owner": "bob"}
            office.given(there["account"], "account", name="An account")
            office.given(f"deal {count} {number}", "opportunity", name="A deal", **there)
            account = office.known[there["account"]]
            start_by_hand(office.ports, plan, {"account": account}, actor=ANNA)
        office.nothing_new()
        engine = office.engine()
        said.clear()
        while engine.tick():
            pass
        return len(said)

    _, few, many = statements(1), statements(2), statements(22)  # the first one asks what is asked once

    assert set(office.states()) == {"completed"}
    assert many == few + 20
