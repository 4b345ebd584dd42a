"""A rehearsal goes as it would in earnest and leaves nothing, on both databases."""

from datetime import UTC, datetime
from textwrap import dedent

import pytest

from crm.schema import SCHEMA
from crm.store import CrmStore
from procession.advance import advance
from procession.cli.rehearsal import NobodyPosts, rehearse
from procession.compile import compile_text
from procession.dispatch import start_by_hand
from procession.effects import Recipient
from procession.engines import Membership
from procession.errors import StoreError
from procession.mail import Templates
from procession.plan import Plan
from procession.ports import Actor, Clock, EngineProcess, HistoryRow, Instance, Ports, Store
from procession.records import Ref

ANNA = Actor("user", "anna")
NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


def process(text: str) -> Plan:
    return compile_text(dedent(text), "twice.yaml", Templates.of_files({}), SCHEMA, ())


TWICE = process("""
    process: twice
    triggers: [{manual: {}}]
    steps:
      - id: add
        create: {entity: user, values: {name: Ann, email: ann@us.example}}
        on_error:
          - id: other
            create: {entity: user, values: {name: Ann, email: ann2@us.example}}
""")


def ports_of(store: Store, clock: Clock) -> Ports:
    return Ports(
        store=store, mail_out=NobodyPosts(), clock=clock,
        renderer=lambda _digest, files: Templates.of_files(files),
        engine=Membership(store, EngineProcess("here")),
        mail_domain="us.example", default_sender=Recipient("crm@us.example", "CRM"),
    )  # fmt: skip


def run(plan: Plan, ports: Ports) -> Instance:
    number = start_by_hand(ports, plan, {}, actor=ANNA).id
    assert number is not None
    engine = ports.engine.id
    with ports.store.unit() as unit:
        now = ports.clock.now()
        claimed = unit.journal.claim(engine, now, 1, [number])
        unit.commit()
    advance(plan, claimed, ports)
    with ports.store.unit(write=False) as unit:
        (instance,) = unit.journal.instances(ids=[number])
    return instance


def users(store: Store) -> list[str]:
    with store.unit(write=False) as unit:
        return [user.email for user in unit.records.find("user", {})]


@pytest.fixture
def furnished(store: CrmStore) -> CrmStore:
    with store.unit() as unit:
        unit.records.create("user", [{"name": "Ann", "email": "ann@us.example"}], ANNA)
        unit.commit()
    return store


def test_a_step_that_the_database_refuses_goes_to_its_on_error(furnished: CrmStore, clock: Clock) -> None:
    with rehearse(furnished) as rehearsal:
        rehearsed = run(TWICE, ports_of(rehearsal, clock))
        assert users(rehearsal) == ["ann@us.example", "ann2@us.example"]
    left = users(furnished)
    in_earnest = run(TWICE, ports_of(furnished, clock))

    assert (rehearsed.state, rehearsed.error) == (in_earnest.state, in_earnest.error) == ("completed", None)
    assert left == ["ann@us.example"]
    assert users(furnished) == ["ann@us.example", "ann2@us.example"]


def test_what_is_not_committed_is_no_part_of_what_a_rehearsal_tells(furnished: CrmStore) -> None:
    user = Ref("user", 1)

    with rehearse(furnished) as rehearsal:
        with rehearsal.unit() as unit:
            unit.history.append([HistoryRow(user, NOW, ANNA, "note", "committed")])
            unit.commit()
        with rehearsal.unit() as unit:
            unit.history.append([HistoryRow(user, NOW, ANNA, "note", "not committed")])
        with pytest.raises(StoreError), rehearsal.unit() as unit:  # noqa: PT012 - the second one raises
            unit.history.append([HistoryRow(user, NOW, ANNA, "note", "undone")])
            unit.records.delete([Ref("user", 99)], ANNA)
        with rehearsal.unit() as unit:
            seen = [row.text for row in unit.history.of(user)]

    assert seen == [row.text for row in rehearsal.rows] == ["committed"]
