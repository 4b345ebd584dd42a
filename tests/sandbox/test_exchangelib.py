"""Unmodified exchangelib works against the sandbox: every call of the synchronisation design."""

from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from exchangelib import (
    Account,
    CalendarItem,
    Contact,
    DeclineItem,
    EWSDateTime,
    ExtendedProperty,
    FileAttachment,
    HTMLBody,
    ItemAttachment,
    Mailbox,
    Message,
    Task,
)
from exchangelib.errors import ErrorIrresolvableConflict, ErrorItemNotFound
from exchangelib.indexed_properties import EmailAddress, PhoneNumber, PhysicalAddress
from exchangelib.items import HARD_DELETE, SEND_TO_ALL_AND_SAVE_COPY
from exchangelib.recurrence import DailyPattern, Recurrence, WeeklyPattern
from sandbox.actors import ANNA, BEN, CARLA
from sandbox.client import Client

from procession.sandbox.server import Sandbox


def at(account: Account, day: int, hour: int, minute: int = 0) -> EWSDateTime:
    return EWSDateTime(2026, 3, day, hour, minute, tzinfo=account.default_timezone)


def test_a_message_is_saved_read_changed_and_deleted(anna: Account) -> None:
    message = Message(account=anna, folder=anna.drafts, subject="One", body="Text", categories=["Red"]).save()

    message.subject = "Two"
    message.save(update_fields=["subject"])
    found = anna.drafts.get(subject="Two")

    assert (found.body, found.categories, found.is_draft) == ("Text", ["Red"], True)
    found.delete()
    assert anna.drafts.all().count() == 0


def test_a_mail_to_a_colleague_arrives_unread_and_a_copy_is_kept(
    anna: Account, ben: Account, sandbox: Sandbox
) -> None:
    Message(
        account=anna,
        subject="Hello",
        body=HTMLBody("<b>Hi</b>"),
        to_recipients=[Mailbox(email_address=BEN)],
        folder=anna.sent,
    ).send_and_save()

    received = ben.inbox.get(subject="Hello")

    assert received.sender.email_address == ANNA
    assert not received.is_read
    assert "<b>Hi</b>" in received.body
    assert anna.sent.get(subject="Hello").message_id == received.message_id
    assert [(line.kind, line.to) for line in sandbox.world.ledger] == [("mail", BEN)]


def test_a_draft_that_is_sent_is_gone_and_its_copy_has_another_id(anna: Account) -> None:
    draft = Message(account=anna, folder=anna.drafts, subject="Draft", to_recipients=[BEN]).save()
    before = draft.id

    draft.send(save_copy=True)

    assert anna.sent.get(subject="Draft").id != before
    assert anna.drafts.all().count() == 0


def test_a_contact_keeps_its_dictionaries_and_one_entry_is_changed_alone(anna: Account) -> None:
    contact = Contact(
        account=anna,
        folder=anna.contacts,
        display_name="Eva Ng",
        given_name="Eva",
        surname="Ng",
        email_addresses=[EmailAddress(email="eva@customer.test", label="EmailAddress1")],
        phone_numbers=[
            PhoneNumber(label="MobilePhone", phone_number="+49 1"),
            PhoneNumber(label="BusinessPhone", phone_number="+49 2"),
        ],
        physical_addresses=[
            PhysicalAddress(label="Business", street="Weg 1", city="Bonn", country="Germany", zipcode="53111")
        ],
        birthday=date(1980, 4, 1),
        company_name="Customer",
    ).save()

    contact.refresh()
    contact.phone_numbers = [
        PhoneNumber(label="MobilePhone", phone_number="+49 3"),
        PhoneNumber(label="BusinessPhone", phone_number="+49 2"),
    ]
    contact.save(update_fields=["phone_numbers"])
    contact.refresh()

    assert contact.display_name == "Eva Ng"
    assert contact.file_as == "Ng, Eva"
    assert {phone.label: phone.phone_number for phone in contact.phone_numbers if phone.phone_number} == {
        "MobilePhone": "+49 3",
        "BusinessPhone": "+49 2",
    }
    assert contact.physical_addresses[0].city == "Bonn"
    assert contact.birthday == date(1980, 4, 1)
    assert contact.email_addresses[0].email == "eva@customer.test"


def test_a_task_that_is_completed_has_its_date_and_percentage(anna: Account, sandbox: Sandbox) -> None:
    task = Task(
        account=anna,
        folder=anna.tasks,
        subject="Call back",
        due_date=date(2026, 3, 5),
        status="InProgress",
        percent_complete=Decimal(25),
    ).save()

    task.complete()
    done = anna.tasks.get(subject="Call back")

    assert (done.status, int(done.percent_complete), done.is_complete) == ("Completed", 100, True)
    assert done.complete_date == sandbox.world.clock.now()


def test_a_recurring_task_that_is_completed_goes_on_and_answers_with_another_id(anna: Account) -> None:
    task = Task(
        account=anna, folder=anna.tasks, subject="Weekly", start_date=date(2026, 3, 2), due_date=date(2026, 3, 2),
        recurrence=_task_weekly(),
    ).save()  # fmt: skip
    before = task.id

    task.status = "Completed"
    changed = anna.bulk_update([(task, ["status"])])

    assert changed[0][0] != before
    tasks = sorted(anna.tasks.all().only("status", "due_date"), key=lambda one: one.due_date)
    assert [(one.status, one.due_date) for one in tasks] == [
        ("Completed", date(2026, 3, 2)),
        ("NotStarted", date(2026, 3, 9)),
    ]


def _task_weekly():
    from exchangelib.recurrence import TaskRecurrence

    return TaskRecurrence(
        pattern=WeeklyPattern(interval=1, weekdays=["Monday"], first_day_of_week="Monday"),
        start=date(2026, 3, 2),
    )


def test_a_meeting_goes_to_the_attendee_whose_answer_comes_back(
    anna: Account, ben: Account, sandbox: Sandbox
) -> None:
    meeting = CalendarItem(
        account=anna,
        folder=anna.calendar,
        subject="Plan",
        start=at(anna, 4, 10),
        end=at(anna, 4, 11),
        required_attendees=[BEN],
    )
    meeting.save(send_meeting_invitations=SEND_TO_ALL_AND_SAVE_COPY)

    request = ben.inbox.get(subject="Plan")
    tentative = ben.calendar.get(subject="Plan")
    request.accept(message_disposition="SendAndSaveCopy", body="Fine")
    meeting.refresh()

    assert tentative.legacy_free_busy_status == "Tentative"
    assert meeting.required_attendees[0].response_type == "Accept"
    assert ben.calendar.get(subject="Plan").my_response_type == "Accept"
    assert anna.inbox.get(subject="Accepted: Plan").item_class == "IPM.Schedule.Meeting.Resp.Pos"
    assert ben.trash.all().count() == 1
    assert [(line.kind, line.sender, line.to) for line in sandbox.world.ledger] == [
        ("request", ANNA, BEN),
        ("response", BEN, ANNA),
    ]


def test_a_declined_meeting_leaves_the_calendar(anna: Account, ben: Account) -> None:
    CalendarItem(
        account=anna,
        folder=anna.calendar,
        subject="Plan",
        start=at(anna, 4, 10),
        end=at(anna, 4, 11),
        required_attendees=[BEN],
    ).save(send_meeting_invitations=SEND_TO_ALL_AND_SAVE_COPY)

    ben.inbox.get(subject="Plan").decline()

    assert ben.calendar.all().count() == 0
    assert anna.calendar.get(subject="Plan").required_attendees[0].response_type == "Decline"
    assert DeclineItem.ELEMENT_NAME == "DeclineItem"


def test_a_meeting_that_moves_is_updated_and_asks_again(
    anna: Account, ben: Account, sandbox: Sandbox
) -> None:
    meeting = CalendarItem(
        account=anna,
        folder=anna.calendar,
        subject="Plan",
        start=at(anna, 4, 10),
        end=at(anna, 4, 11),
        required_attendees=[BEN],
    )
    meeting.save(send_meeting_invitations=SEND_TO_ALL_AND_SAVE_COPY)
    ben.inbox.get(subject="Plan").accept()

    meeting.start, meeting.end = at(anna, 5, 10), at(anna, 5, 11)
    meeting.save(update_fields=["start", "end"], send_meeting_invitations=SEND_TO_ALL_AND_SAVE_COPY)

    theirs = ben.calendar.get(subject="Plan")
    assert theirs.start == at(anna, 5, 10)
    assert theirs.my_response_type == "NoResponseReceived"
    assert [line.kind for line in sandbox.world.ledger] == ["request", "response", "update"]


def test_a_cancelled_meeting_is_crossed_out_for_attendees(anna: Account, ben: Account) -> None:
    meeting = CalendarItem(
        account=anna,
        folder=anna.calendar,
        subject="Plan",
        start=at(anna, 4, 10),
        end=at(anna, 4, 11),
        required_attendees=[BEN],
    )
    meeting.save(send_meeting_invitations=SEND_TO_ALL_AND_SAVE_COPY)

    meeting.cancel()

    theirs = ben.calendar.get(subject="Canceled: Plan")
    assert (theirs.is_cancelled, theirs.legacy_free_busy_status) == (True, "Free")
    assert anna.calendar.all().count() == 0


def test_nobody_is_told_when_the_caller_says_send_to_none(
    anna: Account, ben: Account, sandbox: Sandbox
) -> None:
    meeting = CalendarItem(
        account=anna,
        folder=anna.calendar,
        subject="Quiet",
        start=at(anna, 4, 10),
        end=at(anna, 4, 11),
        required_attendees=[BEN],
    )

    meeting.save(send_meeting_invitations="SendToNone")

    assert sandbox.world.ledger == []
    assert ben.inbox.all().count() == 0


def test_a_series_is_expanded_and_an_occurrence_changed_and_deleted(anna: Account) -> None:
    series = CalendarItem(
        account=anna, folder=anna.calendar, subject="Daily", start=at(anna, 2, 9), end=at(anna, 2, 10),
        recurrence=Recurrence(pattern=DailyPattern(interval=1), start=date(2026, 3, 2), number=5),
    ).save()  # fmt: skip

    second = series.occurrence(index=2)
    second.refresh()
    second.subject = "Changed"
    second.save(update_fields=["subject"])
    series.occurrence(index=4).delete()
    series.refresh()
    seen = [
        (item.subject, item.start, item.type)
        for item in anna.calendar.view(start=at(anna, 1, 0), end=at(anna, 10, 0))
    ]

    assert seen == [
        ("Daily", at(anna, 2, 9), "Occurrence"),
        ("Changed", at(anna, 3, 9), "Exception"),
        ("Daily", at(anna, 4, 9), "Occurrence"),
        ("Daily", at(anna, 6, 9), "Occurrence"),
    ]
    assert [one.original_start for one in series.modified_occurrences] == [at(anna, 3, 9)]
    assert [one.start for one in series.deleted_occurrences] == [at(anna, 5, 9)]
    assert series.last_occurrence.start == at(anna, 6, 9)


def test_a_series_keeps_its_wall_time_over_daylight_saving(anna: Account) -> None:
    CalendarItem(
        account=anna, folder=anna.calendar, subject="Weekly", start=at(anna, 25, 9), end=at(anna, 25, 10),
        recurrence=Recurrence(pattern=WeeklyPattern(interval=1, weekdays=["Wednesday"]), start=date(2026, 3, 25), number=2),
    ).save()  # fmt: skip

    seen = [
        item.start
        for item in anna.calendar.view(start=at(anna, 20, 0), end=at(anna, 31, 0) + timedelta(days=10))
    ]

    assert [moment.hour for moment in (one.astimezone(anna.default_timezone) for one in seen)] == [9, 9]
    assert seen[1] - seen[0] == timedelta(days=7) - timedelta(hours=1)


def test_sync_items_gives_creations_then_changes_then_deletions(anna: Account) -> None:
    first, second = (Message(account=anna, folder=anna.inbox, subject=name).save() for name in ("one", "two"))
    initial = [(kind, item.subject) for kind, item in anna.inbox.sync_items(only_fields=["subject"])]
    state = anna.inbox.item_sync_state

    first.subject = "one more"
    first.save(update_fields=["subject"])
    second.delete()
    Message(account=anna, folder=anna.inbox, subject="three").save()
    changes = [
        (kind, getattr(item, "subject", None))
        for kind, item in anna.inbox.sync_items(sync_state=state, only_fields=["subject"])
    ]

    assert initial == [("create", "two"), ("create", "one")]
    assert changes == [("create", "three"), ("update", "one more"), ("delete", None)]


def test_sync_items_reports_a_read_flag_alone(anna: Account, ben: Account) -> None:
    Message(account=anna, subject="Hello", to_recipients=[BEN]).send()
    list(ben.inbox.sync_items(only_fields=["subject"]))
    state = ben.inbox.item_sync_state
    received = ben.inbox.get(subject="Hello")

    received.is_read = True
    received.save(update_fields=["is_read"])
    changes = list(ben.inbox.sync_items(sync_state=state, only_fields=["subject"]))

    assert [(kind, flag) for kind, (_, flag) in changes] == [("read_flag_change", True)]


def test_sync_hierarchy_gives_folders_made_renamed_and_deleted(anna: Account) -> None:
    names = {folder.name for kind, folder in anna.root.sync_hierarchy() if kind == "create"}
    state = anna.root.folder_sync_state

    from exchangelib.folders import Folder, Messages

    made = Messages(parent=anna.inbox, name="Customers").save()
    kept = Folder(parent=anna.inbox, name="Kept").save()
    kept.name = "Renamed"
    kept.save(update_fields=["name"])
    changes = [
        (kind, getattr(folder, "name", None)) for kind, folder in anna.root.sync_hierarchy(sync_state=state)
    ]
    state = anna.root.folder_sync_state
    made.delete()
    gone = [kind for kind, _ in anna.root.sync_hierarchy(sync_state=state)]

    assert {"Inbox", "Calendar", "Contacts", "Tasks"} <= names
    assert sorted(changes) == [("create", "Customers"), ("create", "Renamed")]
    assert gone == ["delete"]
    anna.root.clear_cache()


def test_bulk_calls_keep_the_order_and_the_errors_of_single_items(anna: Account) -> None:
    made = anna.bulk_create(folder=anna.inbox, items=[Message(subject=f"no {number}") for number in range(5)])

    anna.bulk_delete([made[2]], delete_type=HARD_DELETE)
    fetched = list(anna.fetch([(one.id, one.changekey) for one in made], only_fields=["subject"]))
    gone = anna.bulk_delete([made[1], made[2]], delete_type=HARD_DELETE)

    assert [getattr(one, "subject", type(one)) for one in fetched] == [
        "no 0",
        "no 1",
        ErrorItemNotFound,
        "no 3",
        "no 4",
    ]
    assert gone[0] is True
    assert isinstance(gone[1], ErrorItemNotFound)


def test_a_move_changes_the_id_and_keeps_extended_properties(anna: Account) -> None:
    message = Message(account=anna, folder=anna.inbox, subject="Moved", token="t-1").save()
    before = message.id

    message.move(anna.junk)
    copies = anna.bulk_copy([message], to_folder=anna.inbox)

    assert message.id != before
    assert anna.junk.get(token="t-1").subject == "Moved"
    assert anna.inbox.get(token="t-1").id == copies[0][0]


class Token(ExtendedProperty):
    property_set_id = "7b2a1b0e-2c1d-4b3f-9d8e-6a5b4c3d2e1f"
    property_name = "ProcessionToken"
    property_type = "String"


@pytest.fixture(scope="module", autouse=True)
def _token_registered():
    for kind in (Message, CalendarItem, Contact, Task):
        kind.register("token", Token)
    yield
    for kind in (Message, CalendarItem, Contact, Task):
        kind.deregister("token")


def test_a_stale_change_key_is_refused_when_nothing_may_be_overwritten(anna: Account) -> None:
    message = Message(account=anna, folder=anna.inbox, subject="One").save()
    other = anna.inbox.get(subject="One")
    other.subject = "Theirs"
    other.save(update_fields=["subject"])

    message.subject = "Mine"

    with pytest.raises(ErrorIrresolvableConflict):
        message.save(update_fields=["subject"], conflict_resolution="NeverOverwrite")
    message.save(update_fields=["subject"], conflict_resolution="AlwaysOverwrite")
    assert anna.inbox.all().get().subject == "Mine"


def test_file_and_item_attachments_come_back_whole(anna: Account) -> None:
    inner = Message(account=anna, folder=anna.inbox, subject="Inner", body="Inside").save()
    message = Message(account=anna, folder=anna.inbox, subject="Outer")
    message.attach(FileAttachment(name="plan.pdf", content=b"%PDF 1", content_type="application/pdf"))
    message.attach(ItemAttachment(name="inner", item=inner))
    message.save()

    found = anna.inbox.get(subject="Outer")
    by_name = {one.name: one for one in found.attachments}

    assert by_name["plan.pdf"].content == b"%PDF 1"
    with by_name["plan.pdf"].fp as stream:
        assert stream.read() == b"%PDF 1"
    assert by_name["inner"].item.subject == "Inner"
    found.detach(by_name["plan.pdf"])
    assert [one.name for one in anna.inbox.get(subject="Outer").attachments] == ["inner"]


def test_replies_and_forwards_carry_the_thread(anna: Account, ben: Account) -> None:
    Message(
        account=anna, subject="Offer", body="Please look", to_recipients=[BEN], cc_recipients=[CARLA]
    ).send()
    received = ben.inbox.get(subject="Offer")

    received.reply(subject="Re: Offer", body="Thanks")
    received.reply_all(subject="Re: Offer", body="To all")
    received.forward(subject="Fwd: Offer", body="See", to_recipients=[CARLA])

    answers = list(anna.inbox.all().order_by("datetime_received"))
    assert {answer.in_reply_to for answer in answers} == {received.message_id}
    assert "Please look" in answers[0].text_body


def test_searching_by_message_id_sender_and_text(anna: Account, ben: Account) -> None:
    for number in range(3):
        Message(account=anna, subject=f"Offer {number}", body="x", to_recipients=[BEN]).send()
    wanted = ben.inbox.get(subject="Offer 1")

    assert ben.inbox.get(message_id=wanted.message_id).id == wanted.id
    assert ben.inbox.filter(subject__icontains="offer").count() == 3
    assert (
        ben.inbox.filter(subject__startswith="Offer", is_read=False).exclude(subject="Offer 2").count() == 2
    )
    assert [one.subject for one in ben.inbox.all().order_by("-subject").only("subject")] == [
        "Offer 2",
        "Offer 1",
        "Offer 0",
    ]
    assert ben.inbox.filter("subject:Offer").count() == 3
    assert (
        ben.inbox.filter(
            datetime_received__gt=EWSDateTime.from_datetime(datetime(2026, 1, 1, tzinfo=ben.default_timezone))
        ).count()
        == 3
    )


def test_mime_content_is_kept_as_it_came(anna: Account) -> None:
    data = b"From: x@customer.test\r\nTo: anna@example.com\r\nSubject: Raw\r\nMessage-ID: <1@customer.test>\r\n\r\nBody\r\n"

    Message(account=anna, folder=anna.inbox, mime_content=data).save()

    found = anna.inbox.get(subject="Raw")
    assert found.mime_content == data
    assert (found.message_id, found.author.email_address, found.text_body.strip()) == (
        "<1@customer.test>",
        "x@customer.test",
        "Body",
    )


def test_colleagues_have_the_names_of_the_directory(anna: Account, ben: Account) -> None:
    Message(account=anna, subject="Named", to_recipients=[BEN]).send()

    assert [box.name for box in ben.inbox.get(subject="Named").to_recipients] == ["Ben"]


def test_the_whole_folder_tree_is_walked_and_searched(anna: Account) -> None:
    from exchangelib.folders import Messages

    parent = Messages(parent=anna.inbox, name="Cases").save()
    Messages(parent=parent, name="Open").save()

    assert [folder.name for folder in anna.inbox.glob("Ca*")] == ["Cases"]
    assert (anna.inbox / "Cases" / "Open").parent.name == "Cases"
    assert "Cases" in anna.root.tree()
    parent.wipe()
    assert parent.child_folder_count == 0 or list(parent.children) == []
    parent.delete()
    anna.root.clear_cache()


def test_every_kind_of_item_is_fetched_with_all_its_fields(anna: Account, ben: Account) -> None:
    from exchangelib import DistributionList, PostItem
    from exchangelib.properties import Member

    DistributionList(
        account=anna,
        folder=anna.contacts,
        display_name="Team",
        members=[Member(mailbox=Mailbox(email_address=BEN, name="Ben"))],
    ).save()
    PostItem(account=anna, folder=anna.inbox, subject="Posted").save()
    CalendarItem(
        account=ben,
        folder=ben.calendar,
        subject="Plan",
        start=at(ben, 4, 10),
        end=at(ben, 4, 11),
        required_attendees=[ANNA],
    ).save(send_meeting_invitations=SEND_TO_ALL_AND_SAVE_COPY)
    anna.inbox.get(subject="Plan").tentatively_accept()
    ben.calendar.get(subject="Plan").cancel()

    kinds = {
        type(item).__name__
        for folder in (anna.inbox, anna.contacts, anna.calendar, anna.trash, ben.inbox, ben.sent)
        for item in folder.all()
    }

    assert kinds == {
        "DistributionList",
        "PostItem",
        "CalendarItem",
        "MeetingRequest",
        "MeetingResponse",
        "MeetingCancellation",
    }


def test_an_event_of_whole_days_has_its_days(anna: Account) -> None:
    CalendarItem(
        account=anna,
        folder=anna.calendar,
        subject="Fair",
        is_all_day=True,
        start=date(2026, 3, 18),
        end=date(2026, 3, 19),
    ).save()

    found = anna.calendar.get(subject="Fair")

    assert (found.is_all_day, found.start, found.end) == (True, date(2026, 3, 18), date(2026, 3, 19))


def test_a_probe_of_folders_tells_of_any_change_and_any_deletion(client: Client) -> None:
    tags = "".join(
        f"<t:ExtendedFieldURI PropertyTag='{tag}' PropertyType='{kind}'/>"
        for tag, kind in (("0x670A", "SystemTime"), ("0x670B", "Integer"))
    )
    body = f"<m:GetFolder><m:FolderShape><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties>{tags}</t:AdditionalProperties></m:FolderShape><m:FolderIds><t:DistinguishedFolderId Id='inbox'/><t:DistinguishedFolderId Id='drafts'/></m:FolderIds></m:GetFolder>"

    def probe() -> list[str]:
        return client.send(body).all("//t:Value/text()")

    before, again = probe(), probe()
    item, key = client.note("x")
    created = probe()
    client.set_subject(item, key, "y")
    changed = probe()
    client.delete(item)
    deleted = probe()

    assert before == again
    assert before[0] < created[0] < changed[0] < deleted[0]
    assert int(deleted[1]) == int(before[1]) + 1
    assert before[2:] == deleted[2:]
