"""What steps that change records leave in History: what happened, not what was wished."""

from office import ANNA, Office

from procession.dispatch import start_by_hand


def change(office: Office, values: str, *nicknames: str) -> None:
    plan = office.deploy(f"""
        process: change
        inputs: {{deal: {{type: record, of: opportunity}}}}
        triggers: [{{manual: {{on: opportunity}}}}]
        mode: parallel
        steps:
          - update: {{record: "{{{{ deal }}}}", values: {values}}}
    """)
    for name in nicknames:
        start_by_hand(office.ports, plan, {"deal": office.known[name]}, actor=ANNA)
    office.work()


def test_history_names_the_fields_that_changed_and_the_record_by_its_name(office: Office) -> None:
    office.given("pumps", "opportunity", name="Pumps", stage="proposal", amount=7)

    change(office, "{stage: won, amount: 7, close_date: '2026-03-02'}", "pumps")

    assert [row.text for row in office.history("pumps")] == [
        "Changed stage, close date of opportunity “Pumps”"
    ]


def test_history_says_nothing_of_an_update_that_changes_nothing(office: Office) -> None:
    office.given("pumps", "opportunity", name="Pumps", stage="won")

    change(office, "{stage: won, name: Pumps}", "pumps")

    assert office.states() == ["completed"]
    assert office.history("pumps") == []


def test_of_two_instances_that_do_the_same_one_did_it(office: Office) -> None:
    office.given("pumps", "opportunity", name="Pumps", stage="proposal")
    office.given("valves", "opportunity", name="Valves", stage="proposal")

    change(office, "{stage: won}", "pumps", "valves", "pumps")

    assert office.states() == ["completed"] * 3
    assert [len(office.history(name)) for name in ("pumps", "valves")] == [1, 1]


def test_of_two_instances_that_delete_the_same_record_one_did_it(office: Office) -> None:
    office.given("pumps", "opportunity", name="Pumps")
    office.given("valves", "opportunity", name="Valves")
    plan = office.deploy("""
        process: clean
        inputs: {deal: {type: record, of: opportunity}, on: {type: record, of: opportunity}}
        triggers: [{manual: {}}]
        history: {on: "{{ on }}"}
        mode: parallel
        steps: [{delete: {record: "{{ deal }}"}}]
    """)
    inputs = {"deal": office.known["pumps"], "on": office.known["valves"]}

    for _ in range(2):
        start_by_hand(office.ports, plan, inputs, actor=ANNA)
    office.work()

    assert sorted(office.states()) == ["completed", "incident"]
    assert [row.text for row in office.history("valves")] == ["Deleted opportunity “Pumps”"]
