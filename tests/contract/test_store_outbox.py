"""What `procession.ports.Outbox` and `procession.ports.History` promise, on every store."""

import tracemalloc
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from store_world import bury, mail_of_step, new_engine, release

from procession.effects import Recipient, SendMail
from procession.errors import StoreError
from procession.ports import (
    Actor,
    Envelope,
    HistoryRow,
    ListedMail,
    MailState,
    QueuedMail,
    Settlement,
    Start,
    Store,
)
from procession.records import Record, Ref

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
PROCESS = Actor("process", "Notify contact", process="notify", instance=1, step="invite")
ANNA = Actor("user", "anna")
ME, OTHER = 1, 2
"""Engines, as their numbers."""
MAIL = SendMail(
    "<1@us.example>",
    Recipient("anna.berg@us.example", "Anna Berg"),
    (Recipient("ann.becker@acme.example", "Ann Becker"),),
    "Our meeting",
    "Dear Ann",
)


def queue(store: Store, *mails: SendMail, **options: Any) -> list[Envelope]:
    queued = [QueuedMail(mail, f"mime of {mail.message_id}".encode(), PROCESS, **options) for mail in mails]
    with store.unit() as unit:
        envelopes = unit.outbox.queue(queued, NOW)
        unit.commit()
    return envelopes


def do(store: Store, call: str, *args: Any, **named: Any) -> Any:
    """One call on the outbox in a unit of its own."""
    with store.unit() as unit:
        answer = getattr(unit.outbox, call)(*args, **named)
        unit.commit()
    return answer


def read(store: Store, number: int) -> Envelope:
    (envelope,) = do(store, "envelopes", [number])
    found: Envelope = envelope
    return found


def activity(store: Store, number: int, *paths: tuple[str, ...]) -> Record:
    ref = Ref("activity", number)
    with store.unit(write=False) as unit:
        return unit.records.fetch([ref], frozenset(paths))[ref]


def to(ref: Ref, address: str) -> Recipient:
    return Recipient(address, ref=ref)


# --- queue


def test_a_queued_mail_comes_back_as_it_will_be_sent(store: Store) -> None:
    mail = replace(
        MAIL,
        cc=(Recipient("boss@acme.example"), Recipient("ANN.becker@acme.example")),
        bcc=(Recipient("archive@us.example"),),
        not_before=LATER,
        on_unknown="resend",
    )

    (envelope,) = queue(store, mail, path="invite", round="2")

    assert envelope.fresh
    assert envelope.recipients == ("ANN.becker@acme.example", "boss@acme.example", "archive@us.example")
    assert (envelope.sender, envelope.mime) == ("anna.berg@us.example", b"mime of <1@us.example>")
    assert (envelope.state, envelope.not_before, envelope.on_unknown) == ("queued", LATER, "resend")
    assert read(store, envelope.id) == replace(envelope, fresh=False)


def test_envelopes_come_back_in_the_order_of_the_mails(store: Store) -> None:
    mails = [replace(MAIL, message_id=f"<{number}@us.example>") for number in (3, 1, 2)]

    envelopes = queue(store, *mails)

    assert [one.message_id for one in envelopes] == [mail.message_id for mail in mails]
    assert do(store, "envelopes", message_ids=["<1@us.example>"]) == [replace(envelopes[1], fresh=False)]
    assert queue(store) == []


def test_a_message_id_is_inserted_once(store: Store, refs: dict[str, Ref]) -> None:
    (first,) = queue(store, MAIL)

    again, other = queue(store, replace(MAIL, subject="Changed"), replace(MAIL, message_id="<2@us.example>"))

    assert (again, other.fresh) == (replace(first, fresh=False), True)
    assert activity(store, first.id).subject == "Our meeting"
    with store.unit(write=False) as unit:
        assert len(unit.records.find("activity", {"type": "email"})) == 2


def test_a_message_id_that_comes_twice_in_one_call_is_one_mail(store: Store) -> None:
    first, second = queue(store, MAIL, MAIL)

    assert first.id == second.id


def test_a_mail_that_comes_twice_in_one_call_is_the_first_one(store: Store) -> None:
    first, second = queue(store, MAIL, replace(MAIL, subject="Changed"))

    assert first == second
    assert activity(store, first.id).subject == "Our meeting"


# --- mails of steps


def an_instance(store: Store) -> int:
    with store.unit() as unit:
        (number,) = unit.journal.start([Start("notify", "d", "t", "", "parallel", {}, {"id": "x"})], NOW)
        unit.commit()
    return number or 0


def put(store: Store, *mails: QueuedMail, **named: Any) -> list[Envelope]:
    envelopes: list[Envelope] = do(store, "queue", mails, NOW, **named)
    return envelopes


@pytest.mark.parametrize("state", ["queued", "sending", "sent", "unknown", "draft"])
def test_a_message_id_is_kept_though_it_is_made_anew(store: Store, state: MailState) -> None:
    """After the step was renamed in between, or the database restored: else the same mail would go out twice."""
    number = an_instance(store)
    (first,) = put(store, mail_of_step(number, "<first@us.example>"))
    do(store, "claim", [first.id], ME, NOW)
    if state != "sending":
        do(store, "settle", first.id, state, NOW, engine=ME)
    before = read(store, first.id)

    (again,) = put(store, mail_of_step(number, "<anew@us.example>"))

    assert again == before
    assert again.message_id == "<first@us.example>"
    assert do(store, "envelopes", message_ids=["<anew@us.example>"]) == []


def test_a_mail_is_another_one_in_another_instance_step_round_or_part(store: Store) -> None:
    number, other = an_instance(store), an_instance(store)
    mail = mail_of_step(number)
    mails = [
        mail,
        replace(mail_of_step(other), path="invite"),
        replace(mail, path="remind"),
        replace(mail, round="2"),
        replace(mail, part=1),
    ]
    mails = [
        replace(one, mail=replace(one.mail, message_id=f"<{place}@us.example>"))
        for place, one in enumerate(mails)
    ]

    envelopes = put(store, *mails)

    assert len({one.id for one in envelopes}) == len(mails)
    assert put(store, *mails[::-1]) == [replace(one, fresh=False) for one in envelopes[::-1]]


def test_the_parts_of_a_step_are_each_queued_once(store: Store) -> None:
    """`notify` sends one to each colleague; the team has grown since."""
    number = an_instance(store)
    parts = [mail_of_step(number, f"<{part}@us.example>", part=part) for part in range(3)]
    first = put(store, *parts[:2])

    again = put(store, *parts)

    assert [one.fresh for one in again] == [False, False, True]
    assert [one.id for one in again[:2]] == [one.id for one in first]


def test_a_message_id_that_another_mail_has_is_refused_in_plain_words(store: Store) -> None:
    number = an_instance(store)
    put(store, mail_of_step(number, "<1@us.example>"))
    same = replace(mail_of_step(number, "<1@us.example>"), path="remind")

    with pytest.raises(StoreError, match="Another email message has the same message id"):
        put(store, same)


# --- hands


def test_as_many_of_the_new_mails_as_there_are_hands_are_claimed_in_the_same_breath(store: Store) -> None:
    mails = [mail_of_step(an_instance(store), f"<{number}@us.example>") for number in range(4)]

    envelopes = put(store, *mails, engine=ME, hands=2)

    assert [(one.state, one.claimed_by, one.attempts) for one in envelopes] == [
        ("sending", ME, 1), ("sending", ME, 1), ("queued", 0, 0), ("queued", 0, 0),
    ]  # fmt: skip
    assert [replace(one, fresh=False) for one in envelopes] == [read(store, one.id) for one in envelopes]
    assert do(store, "claim", [one.id for one in envelopes], OTHER, NOW) == [one.id for one in envelopes[2:]]


def test_a_hand_that_finds_a_mail_there_already_takes_the_next_new_one(store: Store) -> None:
    there, first, second = (mail_of_step(an_instance(store)) for _ in range(3))
    put(store, there)

    envelopes = put(store, there, first, second, engine=ME, hands=1)

    assert [one.state for one in envelopes] == ["queued", "sending", "queued"]
    assert [replace(one, fresh=False) for one in envelopes] == [read(store, one.id) for one in envelopes]


def test_hands_take_only_new_mails_that_may_go_at_once(store: Store) -> None:
    numbers = [an_instance(store) for _ in range(5)]
    there, held, draft, failed, free = (mail_of_step(number) for number in numbers)
    held = replace(held, mail=replace(held.mail, not_before=NOW))
    draft = replace(draft, state="draft")
    put(store, there)
    (one,) = put(store, failed)
    do(store, "settle", one.id, "failed", NOW)

    envelopes = put(store, there, held, draft, failed, free, engine=ME, hands=5)

    assert [one.state for one in envelopes] == ["queued", "queued", "draft", "queued", "sending"]
    assert [read(store, one.id).claimed_by for one in envelopes] == [0, 0, 0, 0, ME]


# --- mails that are queued again


@pytest.mark.parametrize("state", ["failed", "withdrawn"])
def test_a_mail_that_never_left_takes_new_content_and_is_queued_again(
    store: Store, refs: dict[str, Ref], state: MailState
) -> None:
    (first,) = queue(store, MAIL)
    do(store, "claim", [first.id], ME, NOW)
    do(store, "settle", first.id, state, NOW, detail="550 no such user", engine=ME)
    new = replace(MAIL, subject="New", to=(to(refs["luc"], "luc.dupont@lumiere.example"),))

    (again,) = queue(store, new)

    assert (again.id, again.state, again.recipients) == (first.id, "queued", ("luc.dupont@lumiere.example",))
    assert (again.attempts, again.error, again.claimed_by) == (0, "", 0)
    assert read(store, first.id) == again
    assert [str(one) for one in activity(store, first.id).participants] == ["Luc Dupont"]
    assert activity(store, first.id).subject == "New"


def test_a_mail_that_never_left_and_comes_twice_in_one_call_takes_the_first_content(store: Store) -> None:
    (first,) = queue(store, MAIL)
    do(store, "settle", first.id, "failed", NOW)

    once, twice = queue(store, replace(MAIL, subject="New"), replace(MAIL, subject="Newer"))

    assert once == twice == read(store, first.id)
    assert activity(store, first.id).subject == "New"


@pytest.mark.parametrize("state", ["sent", "unknown", "queued"])
def test_a_mail_that_may_have_left_stays_as_it_is(store: Store, state: MailState) -> None:
    (first,) = queue(store, MAIL)
    do(store, "claim", [first.id], ME, NOW)
    do(store, "settle", first.id, state, NOW, engine=ME)
    before = read(store, first.id)

    assert queue(store, replace(MAIL, subject="New")) == [before]


def test_a_mail_is_an_activity_of_type_e_mail(store: Store, refs: dict[str, Ref]) -> None:
    sender = Recipient("anna.berg@us.example", "Anna Berg", refs["anna"])
    (envelope,) = queue(store, replace(MAIL, sender=sender))

    mail = activity(store, envelope.activity)

    assert (mail.type, mail.subject, mail.body, mail.status) == ("email", "Our meeting", "Dear Ann", "done")
    assert (str(mail.owner), mail.created_at, mail.is_meeting) == ("Anna Berg", NOW, False)


def test_a_mail_is_connected_to_what_it_says_to_its_contacts_and_to_their_accounts(
    store: Store, refs: dict[str, Ref]
) -> None:
    recipients = (
        to(refs["ann"], "ann.becker@acme.example"),
        to(refs["jonas"], "jonas.weiss@acme.example"),
        to(Ref("contact", 999), "gone@acme.example"),
        to(refs["bob"], "bob.carter@us.example"),
        Recipient("stranger@x.example"),
    )
    mail = replace(MAIL, to=recipients, connected_to=(refs["tea_import"],))

    (envelope,) = queue(store, mail)

    found = activity(store, envelope.activity)
    assert (str(found.opportunity), str(found.account)) == ("Tea import", "Acme GmbH")
    assert [str(contact) for contact in found.participants] == ["Ann Becker", "Jonas Weiß"]


def test_a_mail_about_a_meeting_is_connected_to_what_the_meeting_is(
    store: Store, refs: dict[str, Ref]
) -> None:
    (envelope,) = queue(store, replace(MAIL, connected_to=(refs["press_meeting"],)))

    found = activity(store, envelope.activity)

    assert (str(found.contact), str(found.opportunity)) == ("Ann Becker", "Press line for plant 2")


def test_a_mail_cannot_be_connected_to_what_is_not_there(store: Store) -> None:
    gone = replace(MAIL, connected_to=(Ref("opportunity", 77),))

    with pytest.raises(StoreError, match="does not exist"):
        queue(store, gone)
    with pytest.raises(StoreError, match="cannot be connected to user:1"):
        queue(store, replace(MAIL, connected_to=(Ref("user", 1),)))

    assert do(store, "in_state", ["queued"]) == []


def test_a_mail_to_nobody_is_refused(store: Store) -> None:
    with pytest.raises(StoreError, match="The rule 'someone' of participant does not hold"):
        queue(store, replace(MAIL, to=(Recipient(""),)))

    assert do(store, "in_state", ["queued"]) == []


def test_a_queued_mail_has_its_event(store: Store) -> None:
    (envelope,) = queue(store, MAIL)

    with store.unit() as unit:
        (event,) = unit.journal.pending(10)

    assert (event.type, event.ref, event.origin) == ("added", Ref("activity", envelope.activity), "notify")


def test_a_mail_whose_unit_is_rolled_back_leaves_nothing(store: Store) -> None:
    with store.unit() as unit:
        unit.outbox.queue([QueuedMail(MAIL, b"", PROCESS)], NOW)

    assert do(store, "envelopes", message_ids=[MAIL.message_id]) == []
    with store.unit(write=False) as unit:
        assert not unit.journal.glance(datetime.now(UTC)).pending


# --- claim, settle


def test_a_mail_is_claimed_once(store: Store) -> None:
    one, two = queue(store, MAIL, replace(MAIL, message_id="<2@us.example>"))

    assert do(store, "claim", [two.id, one.id, 999], ME, NOW) == [two.id, one.id]
    assert do(store, "claim", [one.id, two.id], OTHER, NOW) == []
    assert (read(store, one.id).state, read(store, one.id).attempts) == ("sending", 1)


def test_a_claim_whose_commit_was_not_answered_may_be_made_again(store: Store) -> None:
    (mail,) = queue(store, MAIL)
    do(store, "claim", [mail.id], ME, NOW)

    answers = [
        do(store, "claim", [mail.id], engine, at) for engine, at in ((OTHER, NOW), (ME, LATER), (ME, NOW))
    ]

    assert answers == [[], [], [mail.id]]
    assert read(store, mail.id).attempts == 1


def test_a_mail_is_not_claimed_before_its_time(store: Store) -> None:
    (held,) = queue(store, replace(MAIL, not_before=LATER))

    assert do(store, "claim", [held.id], ME, NOW) == []
    assert do(store, "claim", [held.id], ME, LATER) == [held.id]


def test_a_draft_has_the_date_at_which_a_person_sends_it(store: Store) -> None:
    """RFC 5322, 3.6.1: when a user pushes the "send" button."""
    head = b"From: a@us.example\r\nDate: Mon, 02 Mar 2026 09:00:00 +0000\r\nSubject: Date: today\r\n"
    body = b"\r\nDate: Mon, 02 Mar 2026 09:00:00 +0000\r\n"
    draft, other = (
        put(store, QueuedMail(mail, head + body, PROCESS, state))[0]
        for mail, state in ((MAIL, "draft"), (replace(MAIL, message_id="<other@us.example>"), "queued"))
    )

    later = datetime(2026, 3, 9, 14, 30, tzinfo=UTC)
    for mail in (draft, other):
        do(store, "settle", mail.id, "queued", later, not_before=later)

    released, as_before = do(store, "envelopes", [draft.id, other.id])
    assert released.mime == head.replace(b"Mon, 02 Mar 2026 09:00", b"Mon, 09 Mar 2026 14:30", 1) + body
    assert as_before.mime == head + body


def test_a_draft_waits_for_a_person(store: Store) -> None:
    (draft,) = queue(store, MAIL, state="draft")
    assert do(store, "claim", [draft.id], ME, NOW) == []
    assert activity(store, draft.activity).status == "planned"

    do(store, "settle", draft.id, "queued", LATER, not_before=LATER)

    assert [one.id for one in do(store, "due", LATER, 10)] == [draft.id]
    assert activity(store, draft.activity).status == "done"


def test_the_server_s_words_are_kept(store: Store) -> None:
    (mail,) = queue(store, MAIL)
    do(store, "claim", [mail.id], ME, NOW)

    do(store, "settle", mail.id, "failed", LATER, detail="550 5.1.1 no such user", engine=ME)

    assert (read(store, mail.id).state, read(store, mail.id).error) == ("failed", "550 5.1.1 no such user")


def test_a_deferred_mail_waits_for_its_time(store: Store) -> None:
    (mail,) = queue(store, MAIL)
    do(store, "claim", [mail.id], ME, NOW)

    do(store, "settle", mail.id, "queued", NOW, not_before=LATER, engine=ME)

    assert do(store, "claim", [mail.id], ME, NOW) == []
    assert do(store, "claim", [mail.id], ME, LATER) == [mail.id]
    assert read(store, mail.id).attempts == 2


def test_what_was_sent_stays_sent_whatever_somebody_who_took_over_says(store: Store) -> None:
    (mail,) = queue(store, MAIL)
    do(store, "claim", [mail.id], ME, NOW)
    do(store, "settle", mail.id, "sent", NOW, detail="250 ok", engine=ME)

    assert not do(store, "settle", mail.id, "unknown", LATER, detail="the engine died")

    assert (read(store, mail.id).state, read(store, mail.id).error) == ("sent", "250 ok")


# --- lists


def test_due_are_mails_whose_time_has_come_and_that_no_step_sends_itself(store: Store) -> None:
    mails = [
        replace(MAIL, message_id=f"<{number}@us.example>", not_before=not_before)
        for number, not_before in enumerate((None, LATER, NOW, LATER + timedelta(hours=1)))
    ]
    at_once, later, now, _much_later = queue(store, *mails)

    assert [one.id for one in do(store, "due", LATER, 10)] == [now.id, later.id]
    assert [one.id for one in do(store, "due", LATER, 1)] == [now.id]
    assert at_once.id not in [one.id for one in do(store, "due", LATER, 10)]


def test_lost_are_the_mails_that_the_dead_had_in_their_hands(store: Store) -> None:
    dead, alive = new_engine(store), new_engine(store)
    mails = [replace(MAIL, message_id=f"<{number}@us.example>") for number in range(4)]
    first, second, third, fourth = queue(store, *mails)
    do(store, "claim", [second.id, first.id, fourth.id], dead, NOW)
    do(store, "claim", [third.id], alive, NOW)
    do(store, "settle", second.id, "sent", NOW, engine=dead)
    assert do(store, "lost", NOW) == []
    assert not orphans(store)

    bury(store, dead)

    assert [one.id for one in do(store, "lost", NOW)] == [first.id, fourth.id]
    assert orphans(store)
    for one in (first, fourth):
        do(store, "settle", one.id, "unknown", NOW, engine=dead)
    assert do(store, "lost", NOW) == []
    assert not orphans(store)


def orphans(store: Store) -> bool:
    with store.unit(write=False) as unit:
        return unit.journal.glance(NOW).orphans


def test_lost_are_mails_that_were_claimed_too_long_ago_whoever_did(store: Store) -> None:
    engine = new_engine(store)
    (mail,) = queue(store, MAIL)
    do(store, "claim", [mail.id], engine, NOW)

    assert do(store, "lost", NOW) == []
    (lost,) = do(store, "lost", LATER)

    assert (lost.id, lost.claimed_by, lost.state) == (mail.id, engine, "sending")


def test_a_mail_in_somebody_s_hands_is_settled_by_nobody_else(store: Store) -> None:
    (mail,) = queue(store, MAIL)
    do(store, "claim", [mail.id], ME, NOW)

    answers = [do(store, "settle", mail.id, "queued", NOW, engine=engine) for engine in (0, OTHER, ME, ME)]

    assert answers == [False, False, True, False]
    assert read(store, mail.id).state == "queued"


def test_that_a_mail_was_sent_is_true_whoever_says_it(store: Store) -> None:
    (mail,) = queue(store, MAIL)
    do(store, "claim", [mail.id], ME, NOW)
    do(store, "settle", mail.id, "unknown", NOW, engine=ME)

    assert do(store, "settle", mail.id, "sent", LATER, engine=ME)

    assert read(store, mail.id).state == "sent"


def test_what_is_told_of_many_mails_at_once_holds_for_each_as_if_it_were_told_alone(store: Store) -> None:
    mails = [replace(MAIL, message_id=f"<{number}@us.example>") for number in range(5)]
    sent, deferred, others, late, waiting = queue(store, *mails)
    do(store, "claim", [sent.id, deferred.id], ME, NOW)
    do(store, "claim", [others.id, late.id], OTHER, NOW)

    do(
        store,
        "settle_all",
        [
            Settlement(sent.id, "sent", "250 ok", engine=ME),
            Settlement(deferred.id, "queued", "451 later", LATER, engine=ME),
            Settlement(others.id, "failed", "550 no", engine=ME),
            Settlement(late.id, "sent", "250 ok, said too late", engine=ME),
            Settlement(waiting.id, "failed", "550 no", engine=ME),
        ],
        LATER,
    )
    do(store, "settle_all", [], LATER)

    found = {
        one.id: one
        for one in do(store, "envelopes", [each.id for each in (sent, deferred, others, late, waiting)])
    }
    assert [one.state for one in found.values()] == ["sent", "queued", "sending", "sent", "queued"]
    assert found[sent.id].error == "250 ok"
    assert (found[deferred.id].not_before, found[deferred.id].claimed_by) == (LATER, 0)
    assert found[others.id].claimed_by == OTHER


def test_taking_back_what_the_dead_left_running_leaves_their_mails_to_be_found(store: Store) -> None:
    dead = new_engine(store)
    with store.unit() as unit:
        (number,) = unit.journal.start([Start("notify", "d", "t", "1", "single", {}, {"id": "x"})], NOW)
        unit.journal.claim(dead, NOW, 1)
        (mail,) = unit.outbox.queue([mail_of_step(number or 0)], NOW, engine=dead, hands=1)
        unit.commit()
    bury(store, dead)

    assert release(store).ready == (number,)

    assert [one.id for one in do(store, "lost", NOW)] == [mail.id]


def test_an_instance_that_was_cancelled_leaves_the_mail_in_hand_and_drafts(store: Store) -> None:
    with store.unit() as unit:
        (number,) = unit.journal.start([Start("notify", "d", "t", "1", "single", {}, {"id": "x"})], NOW)
        mails = [
            mail_of_step(number or 0, f"<{part}@us.example>", part=part, state=state)
            for part, state in enumerate(("queued", "draft", "queued"))
        ]
        in_hand, draft, waiting = unit.outbox.queue(mails, NOW, engine=ME, hands=1)
        unit.journal.ask_to_stop([number or 0], "by anna", NOW)
        unit.commit()

    assert [read(store, one.id).state for one in (in_hand, draft, waiting)] == [
        "sending", "draft", "cancelled",
    ]  # fmt: skip


def test_mails_are_listed_by_state_oldest_first(store: Store) -> None:
    mails = [replace(MAIL, message_id=f"<{number}@us.example>") for number in range(3)]
    first, second, third = queue(store, *mails)
    for one in (second, third):
        do(store, "settle", one.id, "unknown", NOW)
    do(store, "settle", first.id, "failed", NOW)

    assert [one.id for one in do(store, "in_state", ["failed", "unknown"])] == [first.id, second.id, third.id]
    assert [one.id for one in do(store, "in_state", ["unknown"], 1)] == [second.id]
    newest = do(store, "in_state", ["failed", "unknown"], 2, newest=True)
    assert [one.id for one in newest] == [third.id, second.id]


def test_a_mail_is_listed_as_it_stands_and_named_as_its_activity(store: Store) -> None:
    number = an_instance(store)
    (mail,) = queue(store, MAIL, instance=number, path="invite", round="2")
    redirected = replace(MAIL, message_id="<2@us.example>")
    (elsewhere,) = queue(store, redirected, redirected_to="tests@us.example")
    do(store, "claim", [mail.id], ME, NOW)
    do(store, "settle", mail.id, "failed", NOW, detail="550 no", engine=ME)
    with store.unit() as unit:
        unit.records.update([(Ref("activity", mail.activity), {"subject": "Our talk"})], ANNA)
        unit.commit()

    assert do(store, "in_state", ["failed"]) == [
        ListedMail(
            mail.id, MAIL.message_id, ("ann.becker@acme.example",), "Our talk", "failed", mail.activity,
            attempts=1, instance=number, path="invite", round="2", error="550 no",
        )
    ]  # fmt: skip
    (other,) = do(store, "in_state", ["queued"])
    assert (other.id, other.recipients) == (elsewhere.id, ("tests@us.example",))


def test_mails_are_counted_by_state(store: Store) -> None:
    mails = [replace(MAIL, message_id=f"<{number}@us.example>") for number in range(4)]
    for one in queue(store, *mails)[1:]:
        do(store, "settle", one.id, "unknown", NOW)

    assert do(store, "count", ["failed", "unknown"]) == {"failed": 0, "unknown": 3}
    assert do(store, "count", ["queued", "sent", "unknown"]) == {"queued": 1, "sent": 0, "unknown": 3}


def test_a_message_id_is_known_if_a_mail_has_it(store: Store) -> None:
    queue(store, MAIL)

    assert do(store, "known", [MAIL.message_id, "<2@us.example>"]) == {MAIL.message_id}
    assert do(store, "known", []) == set()


@pytest.mark.parametrize("asked", ["in_state", "count", "known"])
def test_who_looks_mails_over_does_not_read_their_bytes(store: Store, asked: str) -> None:
    """They may be many, of many megabytes."""
    size = 1_000_000
    mails = [replace(MAIL, message_id=f"<{number}@us.example>") for number in range(20)]
    with store.unit() as unit:
        unit.outbox.queue([QueuedMail(mail, bytes(size), PROCESS) for mail in mails], NOW)
        unit.commit()
    arguments: dict[str, list[Any]] = {"known": [[mail.message_id for mail in mails]]}

    tracemalloc.start()
    do(store, asked, *arguments.get(asked, [["queued"]]))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < size


# --- History


def log(store: Store, *rows: HistoryRow) -> None:
    with store.unit() as unit:
        unit.history.append(rows)
        unit.commit()


def texts(store: Store, ref: Ref, limit: int = 1000) -> list[str]:
    with store.unit(write=False) as unit:
        return [row.text for row in unit.history.of(ref, limit)]


def row(on: Ref, text: str, minutes: int = 0, activity: int | None = None) -> HistoryRow:
    return HistoryRow(on, NOW + timedelta(minutes=minutes), ANNA, "note", text, activity)


def test_history_comes_back_as_it_was_written(store: Store, refs: dict[str, Ref]) -> None:
    written = HistoryRow(refs["ann"], NOW, PROCESS, "email", "Sent “Grüße”", refs["press_meeting"].id)
    log(store, written)

    with store.unit(write=False) as unit:
        (read_back,) = unit.history.of(refs["ann"])

    assert read_back == replace(written, id=read_back.id)
    assert read_back.id > 0


def test_history_is_newest_first_and_limited(store: Store, refs: dict[str, Ref]) -> None:
    log(store, row(refs["ann"], "first"), row(refs["ann"], "third", 2), row(refs["ann"], "second", 1),
        row(refs["ann"], "first too"))  # fmt: skip

    assert texts(store, refs["ann"]) == ["third", "second", "first too", "first"]
    assert texts(store, refs["ann"], 2) == ["third", "second"]


@pytest.mark.parametrize("about", ["press_line", "ann", "acme"])
def test_history_holds_own_rows_and_those_of_connected_activities_each_once(
    store: Store, refs: dict[str, Ref], about: str
) -> None:
    meeting, other = refs["press_meeting"], refs["parts_meeting"]
    log(
        store,
        row(refs[about], "own"),
        row(refs[about], "own and about the meeting", 1, meeting.id),
        row(meeting, "of the meeting", 2),
        row(refs["dev"], "about the meeting, kept with a user", 3, meeting.id),
        row(refs["tea_import"], "of another record", 4),
        row(refs["spare_parts"], "about another meeting", 5, other.id),
    )

    own = ["about the meeting, kept with a user", "of the meeting", "own and about the meeting", "own"]
    with_account = ["about another meeting", *own]
    assert texts(store, refs[about]) == (with_account if about == "acme" else own)


def test_history_of_an_activity_holds_what_is_about_it(store: Store, refs: dict[str, Ref]) -> None:
    meeting = refs["press_meeting"]
    log(store, row(refs["press_line"], "about it", 1, meeting.id), row(meeting, "its own"),
        row(refs["press_line"], "about the opportunity"))  # fmt: skip

    assert texts(store, meeting) == ["about it", "its own"]


def test_history_shows_how_the_delivery_of_a_mail_stands(store: Store, refs: dict[str, Ref]) -> None:
    (mail,) = queue(store, replace(MAIL, connected_to=(refs["press_line"],)))
    log(store, row(refs["press_line"], "E-mail to Ann", 1, mail.activity), row(refs["press_line"], "a note"))

    def deliveries() -> list[str | None]:
        with store.unit(write=False) as unit:
            return [line.delivery for line in unit.history.of(refs["press_line"])]

    assert deliveries() == ["queued", None]
    do(store, "claim", [mail.id], ME, NOW)
    do(store, "settle", mail.id, "sent", NOW, engine=ME)
    assert deliveries() == ["sent", None]
