"""What a database says of itself, and that nothing is claimed or planned while it is held, on both databases."""

from dataclasses import replace
from datetime import UTC, datetime

from crm.store import CrmStore, open_store
from procession.effects import Recipient, SendMail
from procession.ports import Actor, EngineProcess, Identity, QueuedMail, SentMail, Start
from procession.records import Ref

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
ANNA = Actor("user", "anna")
START = Start("greet", "digest", "Greet", "key", "single", {}, {"id": "by_hand"})
MAIL = SendMail(
    "<1@us.example>", Recipient("crm@us.example"), (Recipient("ann@acme.example"),), "Hello", "Hello", not_before=NOW
)  # fmt: skip


def queued(store: CrmStore) -> int:
    with store.unit() as unit:
        (mail,) = unit.outbox.queue([QueuedMail(MAIL, b"Hello", ANNA)], NOW)
        unit.commit()
    return mail.id


def hold(store: CrmStore) -> None:
    with store.unit() as unit:
        unit.journal.hold("it is a test")
        unit.commit()


def test_a_database_says_which_it_is_and_how_far(store: CrmStore) -> None:
    with store.unit() as unit:
        (account,) = unit.records.create("account", [{"name": "Acme"}], ANNA)
        standing = unit.journal.standing()
        unit.commit()

    assert standing.identity == store.identity
    assert (standing.former, standing.is_witnessed, standing.held, standing.event) == ((), False, "", 1)
    assert account


def test_a_database_knows_which_mails_were_sent(store: CrmStore) -> None:
    number = queued(store)
    mail = SentMail(number, "<1@us.example>")

    with store.unit() as unit:
        assert not unit.journal.standing(mail).knows_mail
        assert unit.outbox.settle(number, "sent", NOW)
        assert unit.journal.standing(mail).knows_mail
        assert not unit.journal.standing(replace(mail, message_id="<2@us.example>")).knows_mail
        unit.records.delete([Ref("activity", number)], ANNA)
        assert unit.journal.standing(mail).knows_mail
        assert unit.journal.standing().knows_mail


def test_nothing_is_claimed_or_planned_while_it_is_held(store: CrmStore) -> None:
    number = queued(store)
    with store.unit() as unit:
        engine = unit.journal.register(EngineProcess("here"))
        epoch = unit.journal.lead(engine)
        unit.journal.start([START], NOW)
        unit.commit()
    assert epoch
    hold(store)

    with store.unit() as unit:
        glance = unit.journal.glance(NOW)
        assert (glance.held, glance.mail, glance.ready) == (True, True, True)
        assert unit.journal.claim(engine, NOW, 10) == []
        assert unit.journal.claim(engine, NOW, 10, [1]) == []
        assert unit.outbox.claim([number], engine, NOW) == []
        assert not unit.journal.leads(engine, epoch)
        assert unit.journal.lead(engine) is None
        assert (unit.journal.standing().held, unit.journal.standing().held_after) == ("it is a test", 1)

        unit.journal.go_on(Identity("here", "anew"))
        assert [instance.id for instance in unit.journal.claim(engine, NOW, 10)] == [1]
        assert unit.outbox.claim([number], engine, NOW) == [number]
        assert unit.journal.leads(engine, epoch)
        glance = unit.journal.glance(NOW)
        assert (glance.held, glance.incarnation) == (False, "anew")


def test_former_incarnations_are_remembered(store: CrmStore) -> None:
    first = store.identity
    for incarnation in ("second", "third"):
        hold(store)
        with store.unit() as unit:
            unit.journal.go_on(replace(first, incarnation=incarnation))
            unit.commit()

    with store.unit(write=False) as unit:
        standing = unit.journal.standing()

    assert standing.identity == Identity(first.installation, "third")
    assert standing.former == (first.incarnation, "second")


def test_an_identity_is_read_anew_once_a_person_has_said_what_the_database_is(
    url: str,
) -> None:
    store, other = open_store(url), open_store(url)
    first = store.identity
    hold(store)
    assert other.identity == first

    with store.unit() as unit:
        unit.journal.go_on(replace(first, incarnation="anew"))
        unit.commit()

    assert other.identity.incarnation == "anew"  # it was held when it was asked first
    assert store.identity == first
    store.look_again()
    assert store.identity.incarnation == "anew"
    other.close()
    store.close()


def test_a_database_is_witnessed_from_the_first_engine_on(store: CrmStore) -> None:
    with store.unit() as unit:
        unit.journal.witness()
        unit.commit()

    with store.unit(write=False) as unit:
        assert unit.journal.standing().is_witnessed
