"""What `procession.ports.Outbox` and `procession.ports.History` promise, on both databases."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm.store import CrmStore
from procession.effects import Recipient, SendMail
from procession.errors import StoreError
from procession.ports import Actor, Envelope, HistoryRow, MailState, QueuedMail, Start
from procession.records import Record, Ref

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
PROCESS = Actor("process", "Notify contact", process="notify", instance=1, step="invite")
ANNA = Actor("user", "anna")
MAIL = SendMail(
    "<1@us.example>",
    Recipient("anna.berg@us.example", "Anna Berg"),
    (Recipient("ann.becker@acme.example", "Ann Becker"),),
    "Our meeting",
    "Dear Ann",
)


def queue(store: CrmStore, *mails: SendMail, **options: Any) -> list[Envelope]:
    queued = [QueuedMail(mail, f"mime of {mail.message_id}".encode(), PROCESS, **options) for mail in mails]
    with store.unit() as unit:
        envelopes = unit.outbox.queue(queued, NOW)
        unit.commit()
    return envelopes


def do(store: CrmStore, call: str, *args: Any, **named: Any) -> Any:
    """One call on the outbox in a unit of its own."""
    with store.unit() as unit:
        answer = getattr(unit.outbox, call)(*args, **named)
        unit.commit()
    return answer


def read(store: CrmStore, number: int) -> Envelope:
    (envelope,) = do(store, "envelopes", [number])
    found: Envelope = envelope
    return found


def activity(store: CrmStore, number: int, *paths: tuple[str, ...]) -> Record:
    ref = Ref("activity", number)
    with store.unit(write=False) as unit:
        return unit.records.fetch([ref], frozenset(paths))[ref]


def to(ref: Ref, address: str) -> Recipient:
    return Recipient(address, ref=ref)


# --- queue


def test_a_queued_mail_comes_back_as_it_will_be_sent(store: CrmStore) -> None:
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


def test_envelopes_come_back_in_the_order_of_the_mails(store: CrmStore) -> None:
    mails = [replace(MAIL, message_id=f"<{number}@us.example>") for number in (3, 1, 2)]

    envelopes = queue(store, *mails)

    assert [one.message_id for one in envelopes] == [mail.message_id for mail in mails]
    assert do(store, "envelopes", message_ids=["<1@us.example>"]) == [replace(envelopes[1], fresh=False)]
    assert queue(store) == []


def test_a_message_id_is_inserted_once(store: CrmStore, refs: dict[str, Ref]) -> None:
    (first,) = queue(store, MAIL)

    again, other = queue(store, replace(MAIL, subject="Changed"), replace(MAIL, message_id="<2@us.example>"))

    assert (again, other.fresh) == (replace(first, fresh=False), True)
    assert activity(store, first.id).subject == "Our meeting"
    with store.unit(write=False) as unit:
        assert len(unit.records.find("activity", {"type": "email"})) == 2


def test_a_message_id_that_comes_twice_in_one_call_is_one_mail(store: CrmStore) -> None:
    first, second = queue(store, MAIL, MAIL)

    assert first.id == second.id


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_a_mail_that_never_left_takes_new_content_and_is_queued_again(
    store: CrmStore, refs: dict[str, Ref], state: MailState
) -> None:
    (first,) = queue(store, MAIL)
    do(store, "claim", [first.id], "me", NOW)
    do(store, "settle", first.id, state, NOW, detail="550 no such user", owner="me")
    new = replace(MAIL, subject="New", to=(to(refs["luc"], "luc.dupont@lumiere.example"),))

    (again,) = queue(store, new)

    assert (again.id, again.state, again.recipients) == (first.id, "queued", ("luc.dupont@lumiere.example",))
    assert read(store, first.id) == again
    assert [str(one) for one in activity(store, first.id).participants] == ["Luc Dupont"]
    assert activity(store, first.id).subject == "New"


@pytest.mark.parametrize("state", ["sent", "unknown", "queued"])
def test_a_mail_that_may_have_left_stays_as_it_is(store: CrmStore, state: MailState) -> None:
    (first,) = queue(store, MAIL)
    do(store, "claim", [first.id], "me", NOW)
    do(store, "settle", first.id, state, NOW, owner="me")
    before = read(store, first.id)

    assert queue(store, replace(MAIL, subject="New")) == [before]


def test_a_mail_is_an_activity_of_type_e_mail(store: CrmStore, refs: dict[str, Ref]) -> None:
    sender = Recipient("anna.berg@us.example", "Anna Berg", refs["anna"])
    (envelope,) = queue(store, replace(MAIL, sender=sender))

    mail = activity(store, envelope.activity)

    assert (mail.type, mail.subject, mail.body, mail.status) == ("email", "Our meeting", "Dear Ann", "done")
    assert (str(mail.owner), mail.created_at, mail.is_meeting) == ("Anna Berg", NOW, False)


def test_a_mail_is_connected_to_what_it_says_to_its_contacts_and_to_their_accounts(
    store: CrmStore, refs: dict[str, Ref]
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
    store: CrmStore, refs: dict[str, Ref]
) -> None:
    (envelope,) = queue(store, replace(MAIL, connected_to=(refs["press_meeting"],)))

    found = activity(store, envelope.activity)

    assert (str(found.contact), str(found.opportunity)) == ("Ann Becker", "Press line for plant 2")


def test_a_mail_cannot_be_connected_to_what_is_not_there(store: CrmStore) -> None:
    gone = replace(MAIL, connected_to=(Ref("opportunity", 77),))

    with pytest.raises(StoreError, match="does not exist"):
        queue(store, gone)
    with pytest.raises(StoreError, match="cannot be connected to user:1"):
        queue(store, replace(MAIL, connected_to=(Ref("user", 1),)))

    assert do(store, "in_state", ["queued"]) == []


def test_a_queued_mail_has_its_event(store: CrmStore) -> None:
    (envelope,) = queue(store, MAIL)

    with store.unit() as unit:
        (event,) = unit.journal.pending(10)

    assert (event.type, event.ref, event.origin) == ("added", Ref("activity", envelope.activity), "notify")


def test_a_mail_whose_unit_is_rolled_back_leaves_nothing(store: CrmStore) -> None:
    with store.unit() as unit:
        unit.outbox.queue([QueuedMail(MAIL, b"", PROCESS)], NOW)

    assert do(store, "envelopes", message_ids=[MAIL.message_id]) == []
    with store.unit(write=False) as unit:
        assert not unit.journal.glance(datetime.now(UTC)).pending


# --- claim, settle


def test_a_mail_is_claimed_once(store: CrmStore) -> None:
    one, two = queue(store, MAIL, replace(MAIL, message_id="<2@us.example>"))

    assert do(store, "claim", [two.id, one.id, 999], "me", NOW) == [two.id, one.id]
    assert do(store, "claim", [one.id, two.id], "other", NOW) == []
    assert (read(store, one.id).state, read(store, one.id).attempts) == ("sending", 1)


def test_a_claim_whose_commit_was_not_answered_may_be_made_again(store: CrmStore) -> None:
    (mail,) = queue(store, MAIL)
    do(store, "claim", [mail.id], "me", NOW)

    answers = [
        do(store, "claim", [mail.id], owner, at) for owner, at in (("other", NOW), ("me", LATER), ("me", NOW))
    ]

    assert answers == [[], [], [mail.id]]
    assert read(store, mail.id).attempts == 1


def test_a_mail_is_not_claimed_before_its_time(store: CrmStore) -> None:
    (held,) = queue(store, replace(MAIL, not_before=LATER))

    assert do(store, "claim", [held.id], "me", NOW) == []
    assert do(store, "claim", [held.id], "me", LATER) == [held.id]


def test_a_draft_waits_for_a_person(store: CrmStore) -> None:
    (draft,) = queue(store, MAIL, state="draft")
    assert do(store, "claim", [draft.id], "me", NOW) == []
    assert activity(store, draft.activity).status == "planned"

    do(store, "settle", draft.id, "queued", LATER, not_before=LATER)

    assert [one.id for one in do(store, "due", LATER, 10)] == [draft.id]
    assert activity(store, draft.activity).status == "done"


def test_the_server_s_words_are_kept(store: CrmStore) -> None:
    (mail,) = queue(store, MAIL)
    do(store, "claim", [mail.id], "me", NOW)

    do(store, "settle", mail.id, "failed", LATER, detail="550 5.1.1 no such user", owner="me")

    assert (read(store, mail.id).state, read(store, mail.id).error) == ("failed", "550 5.1.1 no such user")


def test_a_deferred_mail_waits_for_its_time(store: CrmStore) -> None:
    (mail,) = queue(store, MAIL)
    do(store, "claim", [mail.id], "me", NOW)

    do(store, "settle", mail.id, "queued", NOW, not_before=LATER, owner="me")

    assert do(store, "claim", [mail.id], "me", NOW) == []
    assert do(store, "claim", [mail.id], "me", LATER) == [mail.id]
    assert read(store, mail.id).attempts == 2


def test_what_was_sent_stays_sent_whatever_somebody_who_took_over_says(store: CrmStore) -> None:
    (mail,) = queue(store, MAIL)
    do(store, "claim", [mail.id], "me", NOW)
    do(store, "settle", mail.id, "sent", NOW, detail="250 ok", owner="me")

    assert not do(store, "settle", mail.id, "unknown", LATER, detail="the engine died")

    assert (read(store, mail.id).state, read(store, mail.id).error) == ("sent", "250 ok")


# --- lists


def test_due_are_mails_whose_time_has_come_and_that_no_step_sends_itself(store: CrmStore) -> None:
    mails = [
        replace(MAIL, message_id=f"<{number}@us.example>", not_before=not_before)
        for number, not_before in enumerate((None, LATER, NOW, LATER + timedelta(hours=1)))
    ]
    at_once, later, now, _much_later = queue(store, *mails)

    assert [one.id for one in do(store, "due", LATER, 10)] == [now.id, later.id]
    assert [one.id for one in do(store, "due", LATER, 1)] == [now.id]
    assert at_once.id not in [one.id for one in do(store, "due", LATER, 10)]


def test_lost_are_the_mails_that_the_dead_had_in_their_hands(store: CrmStore) -> None:
    mails = [replace(MAIL, message_id=f"<{number}@us.example>") for number in range(3)]
    first, second, third = queue(store, *mails)
    do(store, "claim", [first.id, second.id], "dead", NOW)
    do(store, "claim", [third.id], "alive", NOW)
    do(store, "settle", second.id, "sent", NOW)

    assert [one.id for one in do(store, "lost", {"dead", "long dead"}, NOW)] == [first.id]
    assert do(store, "lost", set(), NOW) == []


def test_lost_are_mails_that_were_claimed_too_long_ago_whoever_did(store: CrmStore) -> None:
    (mail,) = queue(store, MAIL)
    do(store, "claim", [mail.id], "an engine on another machine", NOW)

    (lost,) = do(store, "lost", set(), LATER)

    assert (lost.id, lost.claimed_by) == (mail.id, "an engine on another machine")


def test_a_mail_in_somebody_s_hands_is_settled_by_nobody_else(store: CrmStore) -> None:
    (mail,) = queue(store, MAIL)
    do(store, "claim", [mail.id], "me", NOW)

    answers = [
        do(store, "settle", mail.id, "queued", NOW, owner=owner) for owner in ("", "other", "me", "me")
    ]

    assert answers == [False, False, True, False]
    assert read(store, mail.id).state == "queued"


def test_that_a_mail_was_sent_is_true_whoever_says_it(store: CrmStore) -> None:
    (mail,) = queue(store, MAIL)
    do(store, "claim", [mail.id], "slow", NOW)
    do(store, "settle", mail.id, "unknown", NOW, owner="slow")

    assert do(store, "settle", mail.id, "sent", LATER, owner="slow")

    assert read(store, mail.id).state == "sent"


def test_releasing_the_leases_of_the_dead_leaves_their_mails_to_be_found(store: CrmStore) -> None:
    with store.unit() as unit:
        (number,) = unit.journal.start([Start("notify", "d", "t", "1", "single", {}, {"id": "x"})], NOW)
        unit.journal.claim("dead", NOW, LATER, 1)
        (mail,) = unit.outbox.queue([QueuedMail(MAIL, b"", PROCESS, instance=number)], NOW)
        unit.outbox.claim([mail.id], "dead", NOW)
        unit.journal.release({"dead"}, NOW)
        unit.commit()

    assert [one.id for one in do(store, "lost", {"dead"}, NOW)] == [mail.id]


def test_mails_are_listed_by_state_oldest_first(store: CrmStore) -> None:
    mails = [replace(MAIL, message_id=f"<{number}@us.example>") for number in range(3)]
    first, second, third = queue(store, *mails)
    for one in (second, third):
        do(store, "settle", one.id, "unknown", NOW)
    do(store, "settle", first.id, "failed", NOW)

    assert [one.id for one in do(store, "in_state", ["failed", "unknown"])] == [first.id, second.id, third.id]
    assert [one.id for one in do(store, "in_state", ["unknown"], 1)] == [second.id]


# --- History


def log(store: CrmStore, *rows: HistoryRow) -> None:
    with store.unit() as unit:
        unit.history.append(rows)
        unit.commit()


def texts(store: CrmStore, ref: Ref, limit: int = 1000) -> list[str]:
    with store.unit(write=False) as unit:
        return [row.text for row in unit.history.of(ref, limit)]


def row(on: Ref, text: str, minutes: int = 0, activity: int | None = None) -> HistoryRow:
    return HistoryRow(on, NOW + timedelta(minutes=minutes), ANNA, "note", text, activity)


def test_history_comes_back_as_it_was_written(store: CrmStore, refs: dict[str, Ref]) -> None:
    written = HistoryRow(refs["ann"], NOW, PROCESS, "email", "Sent “Grüße”", refs["press_meeting"].id)
    log(store, written)

    with store.unit(write=False) as unit:
        (read_back,) = unit.history.of(refs["ann"])

    assert read_back == replace(written, id=read_back.id)
    assert read_back.id > 0


def test_history_is_newest_first_and_limited(store: CrmStore, refs: dict[str, Ref]) -> None:
    log(store, row(refs["ann"], "first"), row(refs["ann"], "third", 2), row(refs["ann"], "second", 1),
        row(refs["ann"], "first too"))  # fmt: skip

    assert texts(store, refs["ann"]) == ["third", "second", "first too", "first"]
    assert texts(store, refs["ann"], 2) == ["third", "second"]


@pytest.mark.parametrize("about", ["press_line", "ann", "acme"])
def test_history_holds_own_rows_and_those_of_connected_activities_each_once(
    store: CrmStore, refs: dict[str, Ref], about: str
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


def test_history_of_an_activity_holds_what_is_about_it(store: CrmStore, refs: dict[str, Ref]) -> None:
    meeting = refs["press_meeting"]
    log(store, row(refs["press_line"], "about it", 1, meeting.id), row(meeting, "its own"),
        row(refs["press_line"], "about the opportunity"))  # fmt: skip

    assert texts(store, meeting) == ["about it", "its own"]


def test_history_shows_how_the_delivery_of_a_mail_stands(store: CrmStore, refs: dict[str, Ref]) -> None:
    (mail,) = queue(store, replace(MAIL, connected_to=(refs["press_line"],)))
    log(store, row(refs["press_line"], "E-mail to Ann", 1, mail.activity), row(refs["press_line"], "a note"))

    def deliveries() -> list[str | None]:
        with store.unit(write=False) as unit:
            return [line.delivery for line in unit.history.of(refs["press_line"])]

    assert deliveries() == ["queued", None]
    do(store, "claim", [mail.id], "me", NOW)
    do(store, "settle", mail.id, "sent", NOW)
    assert deliveries() == ["sent", None]
