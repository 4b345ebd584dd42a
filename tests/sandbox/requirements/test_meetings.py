"""Requirements of meetings: who is told what, and what it does to calendars."""

import pytest
from sandbox.actors import ANNA, BEN, CARLA
from sandbox.client import Client, field_uri, folder_xml, set_field
from sandbox.requirements.test_behaviour import SERIES, attendee, count, event, requirement

from procession.sandbox.server import Sandbox

VIEW = '<m:CalendarView StartDate="2026-03-01T00:00:00Z" EndDate="2026-04-01T00:00:00Z"/>'


def invite(client: Client, more: str = "", mode: str = "SendToAllAndSaveCopy", **times: str):
    reply = client.create(event(attendee(BEN) + more, **times), attributes=f'SendMeetingInvitations="{mode}"')
    assert reply.code == "NoError", reply.data
    return reply


def ledger(sandbox: Sandbox) -> list[tuple[str, str]]:
    return [(line.kind, line.to) for line in sandbox.world.ledger]


def request_of(client: Client) -> str:
    return client.find().all("//t:MeetingRequest/t:ItemId/@Id")[0]


def answer(client: Client, kind: str, reference: str, disposition: str = "SendAndSaveCopy"):
    return client.create(
        f"<t:{kind}><t:ReferenceItemId Id='{reference}'/></t:{kind}>",
        attributes=f'MessageDisposition="{disposition}"',
    )


@requirement("MS-OXWSMTGS_R44", "MS-OXWSMTGS_R4400")
def test_creating_with_send_to_none_tells_nobody(
    client: Client, bens_client: Client, sandbox: Sandbox
) -> None:
    invite(client, mode="SendToNone")

    assert (
        count(client, "calendar"),
        count(bens_client, "inbox"),
        count(bens_client, "calendar"),
        ledger(sandbox),
    ) == (1, 0, 0, [])


@requirement("MS-OXWSMTGS_R46", "MS-OXWSMTGS_R4600", "MS-OXWSMTGS_R4601", "MS-OXWSMTGS_R4602")
def test_creating_with_send_only_to_all_tells_attendees_and_keeps_no_copy(
    client: Client, bens_client: Client, sandbox: Sandbox
) -> None:
    invite(client, mode="SendOnlyToAll")

    assert (
        count(client, "calendar"),
        count(bens_client, "inbox"),
        count(bens_client, "calendar"),
        count(client, "sentitems"),
    ) == (1, 1, 1, 0)
    assert ledger(sandbox) == [("request", BEN)]


@requirement(
    "MS-OXWSMTGS_R48", "MS-OXWSMTGS_R4800", "MS-OXWSMTGS_R4801", "MS-OXWSMTGS_R4802", "MS-OXWSMTGS_R494"
)
def test_creating_with_send_to_all_and_save_copy_keeps_one(client: Client, bens_client: Client) -> None:
    invite(client)

    assert (
        count(client, "calendar"),
        count(bens_client, "inbox"),
        count(bens_client, "calendar"),
        count(client, "sentitems"),
    ) == (1, 1, 1, 1)


@requirement("MS-OXWSMTGS_R593")
def test_an_event_without_attendees_is_an_appointment(client: Client) -> None:
    made = client.create(event()).id()

    assert client.get(made).text("//t:IsMeeting") == "false"


@requirement("MS-OXWSMTGS_R45", "MS-OXWSMTGS_R4500")
def test_deleting_with_send_to_none_tells_nobody(
    client: Client, bens_client: Client, sandbox: Sandbox
) -> None:
    made = invite(client)

    client.delete(made.id(), attributes='SendMeetingCancellations="SendToNone"')

    assert (count(client, "calendar"), count(bens_client, "inbox"), ledger(sandbox)) == (
        0,
        1,
        [("request", BEN)],
    )


@requirement("MS-OXWSMTGS_R47", "MS-OXWSMTGS_R4700", "MS-OXWSMTGS_R4701")
def test_deleting_with_send_only_to_all_keeps_no_copy(client: Client, bens_client: Client) -> None:
    made = invite(client, mode="SendOnlyToAll")

    client.delete(made.id(), attributes='SendMeetingCancellations="SendOnlyToAll"')

    assert (count(client, "calendar"), count(client, "sentitems")) == (0, 0)
    assert len(bens_client.find().all("//t:MeetingCancellation")) == 1


@requirement("MS-OXWSMTGS_R49", "MS-OXWSMTGS_R4900", "MS-OXWSMTGS_R4901")
def test_deleting_with_send_to_all_and_save_copy_keeps_one(client: Client, bens_client: Client) -> None:
    made = invite(client, mode="SendOnlyToAll")

    client.delete(made.id(), attributes='SendMeetingCancellations="SendToAllAndSaveCopy"')

    assert len(client.find("sentitems").all("//t:MeetingCancellation")) == 1
    assert len(bens_client.find().all("//t:MeetingCancellation")) == 1


LATER = set_field("calendar:Start", "CalendarItem", "<t:Start>2026-03-04T11:00:00Z</t:Start>") + set_field(
    "calendar:End", "CalendarItem", "<t:End>2026-03-04T12:00:00Z</t:End>"
)


def change(client: Client, made, updates: str, mode: str):
    return client.update(
        made.id(),
        client.get(made.id()).key(),
        updates,
        attributes=f'SendMeetingInvitationsOrCancellations="{mode}"',
    )


@pytest.mark.parametrize(
    ("mode", "told", "copies"),
    [
        pytest.param("SendToNone", 0, 1, marks=requirement("MS-OXWSMTGS_R60", "MS-OXWSMTGS_R6000")),
        pytest.param(
            "SendOnlyToAll",
            1,
            1,
            marks=requirement("MS-OXWSMTGS_R61", "MS-OXWSMTGS_R6100", "MS-OXWSMTGS_R6101"),
        ),
        pytest.param(
            "SendToAllAndSaveCopy",
            1,
            2,
            marks=requirement("MS-OXWSMTGS_R64", "MS-OXWSMTGS_R6400", "MS-OXWSMTGS_R6401"),
        ),
    ],
)
def test_an_update_is_told_as_its_mode_says(
    client: Client, sandbox: Sandbox, mode: str, told: int, copies: int
) -> None:
    made = invite(client)

    change(client, made, LATER, mode)

    assert ledger(sandbox).count(("update", BEN)) == told
    assert count(client, "sentitems") == copies
    assert client.get(made.id()).text("//t:Start") == "2026-03-04T11:00:00Z"


@pytest.mark.parametrize(
    ("mode", "copies"),
    [
        pytest.param("SendOnlyToChanged", 0, marks=requirement("MS-OXWSMTGS_R62", "MS-OXWSMTGS_R6200")),
        pytest.param(
            "SendToChangedAndSaveCopy",
            1,
            marks=requirement("MS-OXWSMTGS_R65", "MS-OXWSMTGS_R6500", "MS-OXWSMTGS_R6501"),
        ),
    ],
)
def test_only_attendees_who_were_added_or_removed_are_told(
    client: Client, sandbox: Sandbox, mode: str, copies: int
) -> None:
    made = invite(client, mode="SendOnlyToAll")
    people = "".join(
        f"<t:Attendee><t:Mailbox><t:EmailAddress>{one}</t:EmailAddress></t:Mailbox></t:Attendee>"
        for one in (BEN, CARLA)
    )

    change(
        client,
        made,
        set_field(
            "calendar:RequiredAttendees",
            "CalendarItem",
            f"<t:RequiredAttendees>{people}</t:RequiredAttendees>",
        ),
        mode,
    )

    assert ledger(sandbox)[1:] == [("request", CARLA)]
    assert count(client, "sentitems") == copies


def test_an_attendee_who_is_removed_gets_a_cancellation(client: Client, sandbox: Sandbox) -> None:
    made = invite(client, attendee(CARLA, "Optional"))

    change(
        client,
        made,
        "<t:DeleteItemField><t:FieldURI FieldURI='calendar:OptionalAttendees'/></t:DeleteItemField>",
        "SendOnlyToAll",
    )

    assert ("cancellation", CARLA) in ledger(sandbox)


@requirement("MS-OXWSMTGS_R72", "MS-OXWSMTGS_R484", "MS-OXWSMTGS_R485")
def test_a_request_is_new_and_an_update_before_any_answer_is_full(
    client: Client, bens_client: Client
) -> None:
    made = invite(client)
    change(
        client,
        made,
        set_field("calendar:Location", "CalendarItem", "<t:Location>Room</t:Location>"),
        "SendOnlyToAll",
    )

    kinds = [bens_client.get(item).text("//t:MeetingRequestType") for item in bens_client.find().ids()]

    assert sorted(kinds) == ["FullUpdate", "NewMeetingRequest"]


@requirement("MS-OXWSMTGS_R71", "MS-OXWSMTGS_R587")
def test_who_has_accepted_is_informed_of_what_is_no_new_time(client: Client, bens_client: Client) -> None:
    made = invite(client)
    answer(bens_client, "AcceptItem", request_of(bens_client))

    change(
        client,
        made,
        set_field("calendar:Location", "CalendarItem", "<t:Location>Room</t:Location>"),
        "SendOnlyToAll",
    )

    assert bens_client.get(request_of(bens_client)).text("//t:MeetingRequestType") == "InformationalUpdate"
    assert bens_client.get(bens_client.find("calendar").id()).text("//t:MyResponseType") == "Accept"


@pytest.mark.parametrize(
    ("kind", "response"),
    [
        pytest.param("AcceptItem", "Accept", marks=requirement("MS-OXWSMTGS_R82")),
        pytest.param("TentativelyAcceptItem", "Tentative", marks=requirement("MS-OXWSMTGS_R81")),
        pytest.param("DeclineItem", "Decline", marks=requirement("MS-OXWSMTGS_R83")),
    ],
)
@requirement("MS-OXWSMTGS_R489")
def test_an_answer_is_noted_by_the_organizer(
    client: Client, bens_client: Client, kind: str, response: str
) -> None:
    made = invite(client)

    answer(bens_client, kind, request_of(bens_client))

    assert client.get(made.id()).text("//t:RequiredAttendees/t:Attendee/t:ResponseType") == response
    assert (
        client.get(client.find().all("//t:MeetingResponse/t:ItemId/@Id")[0]).text("//t:ResponseType")
        == response
    )


@requirement("MS-OXWSMTGS_R79", "MS-OXWSMTGS_R80", "MS-OXWSMTGS_R84")
def test_before_any_answer_each_side_says_where_it_stands(client: Client, bens_client: Client) -> None:
    made = invite(client)

    mine, theirs = client.get(made.id()), bens_client.get(bens_client.find("calendar").id())

    assert mine.text("//t:RequiredAttendees/t:Attendee/t:ResponseType") == "Unknown"
    assert (mine.text("//t:MyResponseType"), theirs.text("//t:MyResponseType")) == (
        "Organizer",
        "NoResponseReceived",
    )


@requirement("MS-OXWSMTGS_R491", "MS-OXWSMTGS_R490", "MS-OXWSMTGS_R492")
def test_a_meeting_is_cancelled_and_then_removed_with_response_objects(
    client: Client, bens_client: Client
) -> None:
    made = invite(client)

    client.create(
        f"<t:CancelCalendarItem><t:ReferenceItemId Id='{made.id()}'/></t:CancelCalendarItem>",
        attributes='MessageDisposition="SendAndSaveCopy"',
    )
    cancelled = bens_client.get(bens_client.find("calendar").id()).text("//t:IsCancelled")
    cancellation = bens_client.find().all("//t:MeetingCancellation/t:ItemId/@Id")[0]
    bens_client.create(f"<t:RemoveItem><t:ReferenceItemId Id='{cancellation}'/></t:RemoveItem>")

    assert cancelled == "true"
    assert (count(client, "calendar"), count(bens_client, "calendar")) == (0, 0)
    assert bens_client.find().all("//t:MeetingCancellation") == []


@requirement("MS-OXWSMTGS_R53", "MS-OXWSMTGS_R54", "MS-OXWSMTGS_R55", "MS-OXWSMTGS_R56")
def test_an_event_says_what_it_is_of_a_series(client: Client) -> None:
    client.create(event())
    series = client.create(event(SERIES)).id()
    second = client.get(f"<t:OccurrenceItemId RecurringMasterId='{series}' InstanceIndex='2'/>")
    client.update(
        second.id(),
        second.key(),
        set_field("calendar:Location", "CalendarItem", "<t:Location>Other</t:Location>"),
    )

    kinds = client.find("calendar", view=VIEW, extra=field_uri("calendar:CalendarItemType")).all(
        "//t:CalendarItemType/text()"
    )

    assert sorted(kinds) == ["Exception", "Occurrence", "Occurrence", "Single"]
    assert client.get(series).text("//t:CalendarItemType") == "RecurringMaster"


@requirement(
    "MS-OXWSMTGS_R373",
    "MS-OXWSMTGS_R377",
    "MS-OXWSMTGS_R381",
    "MS-OXWSMTGS_R383",
    "MS-OXWSMTGS_R385",
    "MS-OXWSMTGS_R387",
)
def test_a_series_lists_its_exceptions_and_deleted_occurrences(client: Client) -> None:
    series = client.create(event(SERIES)).id()
    first, second = (
        client.get(f"<t:OccurrenceItemId RecurringMasterId='{series}' InstanceIndex='{number}'/>")
        for number in (1, 2)
    )
    client.update(first.id(), first.key(), LATER)
    client.delete(second.id())

    found = client.get(series)

    assert found.all("//t:ModifiedOccurrences/t:Occurrence/t:ItemId/@Id") == [first.id()]
    assert [
        found.text(f"//t:ModifiedOccurrences/t:Occurrence/t:{name}")
        for name in ("Start", "End", "OriginalStart")
    ] == ["2026-03-04T11:00:00Z", "2026-03-04T12:00:00Z", "2026-03-04T09:00:00Z"]
    assert found.text("//t:DeletedOccurrences/t:DeletedOccurrence/t:Start") == "2026-03-05T09:00:00Z"


def test_changing_an_occurrence_changes_the_series(client: Client) -> None:
    series = client.create(event(SERIES))
    state = client.sync("calendar").text("//m:SyncState")
    first = client.get(f"<t:OccurrenceItemId RecurringMasterId='{series.id()}' InstanceIndex='1'/>")

    client.update(first.id(), first.key(), LATER)

    assert client.sync("calendar", state).all("//t:Update//t:ItemId/@Id") == [series.id()]
    assert client.get(series.id()).key() != series.key()


@requirement("MS-OXWSMTGS_R1193", "MS-OXWSMTGS_R1231")
@pytest.mark.parametrize("name", ["CopyItem", "MoveItem"])
def test_an_occurrence_cannot_be_moved_or_copied(client: Client, name: str) -> None:
    series = client.create(event(SERIES)).id()
    first = client.get(f"<t:OccurrenceItemId RecurringMasterId='{series}' InstanceIndex='1'/>").id()

    reply = client.send(
        f"<m:{name}><m:ToFolderId>{folder_xml('calendar')}</m:ToFolderId><m:ItemIds><t:ItemId Id='{first}'/></m:ItemIds></m:{name}>"
    )

    assert reply.code == "ErrorCalendarCannotMoveOrCopyOccurrence"


@requirement("MS-OXWSMTGS_R1223", "MS-OXWSMTGS_R1194")
def test_an_event_that_is_no_series_has_no_occurrences(client: Client) -> None:
    single = client.create(event()).id()
    wanted = f"<t:OccurrenceItemId RecurringMasterId='{single}' InstanceIndex='1'/>"

    assert client.get(wanted).code == "ErrorCalendarCannotUseIdForRecurringMasterId"
    copied = client.send(
        f"<m:CopyItem><m:ToFolderId>{folder_xml('calendar')}</m:ToFolderId><m:ItemIds>{wanted}</m:ItemIds></m:CopyItem>"
    )
    assert copied.code == "ErrorCalendarCannotUseIdForRecurringMasterId"


@requirement("MS-OXWSMTGS_R1222", "MS-OXWSMTGS_R1212", "MS-OXWSMTGS_R1232")
@pytest.mark.parametrize("operation", ["GetItem", "DeleteItem", "MoveItem"])
def test_an_id_that_is_no_occurrence_has_no_series(client: Client, operation: str) -> None:
    single = client.create(event()).id()
    ids = f"<m:ItemIds><t:RecurringMasterItemId OccurrenceId='{single}'/></m:ItemIds>"
    bodies = {
        "GetItem": f"<m:GetItem><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape>{ids}</m:GetItem>",
        "DeleteItem": f"<m:DeleteItem DeleteType='HardDelete' SendMeetingCancellations='SendToNone'>{ids}</m:DeleteItem>",
        "MoveItem": f"<m:MoveItem><m:ToFolderId>{folder_xml('calendar')}</m:ToFolderId>{ids}</m:MoveItem>",
    }

    assert client.send(bodies[operation]).code == "ErrorCalendarCannotUseIdForOccurrenceId"


def test_a_number_beyond_the_series_and_a_deleted_occurrence_say_so(client: Client) -> None:
    series = client.create(event(SERIES)).id()
    wanted = "<t:OccurrenceItemId RecurringMasterId='{}' InstanceIndex='{}'/>"
    client.delete(client.get(wanted.format(series, 1)).id())

    assert client.get(wanted.format(series, 1)).code == "ErrorCalendarOccurrenceIsDeletedFromRecurrence"
    assert client.get(wanted.format(series, 9)).code == "ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange"


@requirement("MS-OXWSMTGS_R1203", "MS-OXWSMTGS_R1244")
def test_an_event_lasts_five_years_at_most(client: Client) -> None:
    made = client.create(event())
    too_long = set_field("calendar:End", "CalendarItem", "<t:End>2036-01-01T00:00:00Z</t:End>")

    assert client.create(event(end="2036-01-01T00:00:00Z")).code == "ErrorCalendarDurationIsTooLong"
    assert client.update(made.id(), made.key(), too_long).code == "ErrorCalendarDurationIsTooLong"


@requirement("MS-OXWSMTGS_R1204")
def test_an_event_ends_after_it_starts(client: Client) -> None:
    assert (
        client.create(event(end="2026-03-04T08:00:00Z")).code == "ErrorCalendarEndDateIsEarlierThanStartDate"
    )


@requirement("MS-OXWSMTGS_R1213")
def test_deleting_an_event_says_whom_to_tell(client: Client) -> None:
    made = client.create(event()).id()

    assert client.delete(made, attributes="").code == "ErrorSendMeetingCancellationsRequired"


@requirement("MS-OXWSMTGS_R1240", "MS-OXWSMTGS_R1342")
@pytest.mark.parametrize("kind", ["AcceptItem", "TentativelyAcceptItem", "DeclineItem"])
def test_an_answer_says_what_to_do_with_its_message(client: Client, bens_client: Client, kind: str) -> None:
    invite(client)

    reply = bens_client.create(
        f"<t:{kind}><t:ReferenceItemId Id='{request_of(bens_client)}'/></t:{kind}>", attributes=""
    )

    assert reply.code == "ErrorMessageDispositionRequired"


@requirement("MS-OXWSMTGS_R1241")
def test_a_message_that_is_made_or_changed_says_what_to_do_with_it(client: Client) -> None:
    draft = client.create("<t:Message><t:Subject>x</t:Subject></t:Message>")
    updates = set_field("item:Subject", "Message", "<t:Subject>y</t:Subject>")

    assert (
        client.create("<t:Message><t:Subject>x</t:Subject></t:Message>", attributes="").code
        == "ErrorMessageDispositionRequired"
    )
    assert (
        client.update(draft.id(), draft.key(), updates, attributes="").code
        == "ErrorMessageDispositionRequired"
    )


@requirement("MS-OXWSMTGS_R12052")
def test_a_weekly_series_is_of_named_days(client: Client) -> None:
    rule = "<t:Recurrence><t:WeeklyRecurrence><t:Interval>1</t:Interval><t:DaysOfWeek>Weekday</t:DaysOfWeek></t:WeeklyRecurrence><t:NoEndRecurrence><t:StartDate>2026-03-04</t:StartDate></t:NoEndRecurrence></t:Recurrence>"

    assert client.create(event(rule)).code == "ErrorCalendarInvalidDayForWeeklyRecurrence"


@requirement("MS-OXWSMTGS_R751", "MS-OXWSMTGS_R750", "MS-OXWSMTGS_R268")
def test_a_request_that_was_overtaken_is_out_of_date(client: Client, bens_client: Client) -> None:
    made = invite(client)
    first = request_of(bens_client)
    before = bens_client.get(first).text("//t:IsOutOfDate")

    change(client, made, LATER, "SendOnlyToAll")

    assert (before, bens_client.get(first).text("//t:IsOutOfDate")) == ("false", "true")
    assert answer(bens_client, "AcceptItem", first).code == "ErrorCalendarMeetingRequestIsOutOfDate"


@requirement(
    "MS-OXWSMTGS_R756",
    "MS-OXWSMTGS_R7561",
    "MS-OXWSMTGS_R759",
    "MS-OXWSMTGS_R761",
    "MS-OXWSMTGS_R762",
    "MS-OXWSMTGS_R763",
    "MS-OXWSMTGS_R755",
    "MS-OXWSMTGS_R313",
    "MS-OXWSMTGS_R500",
    "MS-OXWSMTGS_R287",
    "MS-OXWSMTGS_R335",
)
def test_a_request_describes_its_meeting(client: Client, bens_client: Client) -> None:
    invite(client)

    found = bens_client.get(request_of(bens_client))

    flags = {
        name: found.text(f"//t:MeetingRequest/t:{name}")
        for name in ("IsMeeting", "IsCancelled", "IsRecurring", "MeetingRequestWasSent", "IsAllDayEvent")
    }
    assert flags == {
        "IsMeeting": "true",
        "IsCancelled": "false",
        "IsRecurring": "false",
        "MeetingRequestWasSent": "true",
        "IsAllDayEvent": "false",
    }
    assert found.text("//t:Organizer/t:Mailbox/t:EmailAddress") == ANNA
    assert [found.text(f"//t:{name}") for name in ("Start", "End", "AppointmentSequenceNumber")] == [
        "2026-03-04T09:00:00Z",
        "2026-03-04T10:00:00Z",
        "0",
    ]


@requirement("MS-OXWSMTGS_R760", "MS-OXWSMTGS_R339")
def test_a_request_for_a_series_says_so(client: Client, bens_client: Client) -> None:
    invite(client, SERIES)

    found = bens_client.get(request_of(bens_client))

    assert found.text("//t:IsRecurring") == "true"
    assert found.text("//t:Recurrence/t:DailyRecurrence/t:Interval") == "1"


@requirement("MS-OXWSMTGS_R319", "MS-OXWSMTGS_R299")
def test_resources_and_the_text_of_when_stay_with_the_organizer(client: Client, bens_client: Client) -> None:
    rooms = "<t:Resources><t:Attendee><t:Mailbox><t:EmailAddress>room@example.com</t:EmailAddress></t:Mailbox></t:Attendee></t:Resources>"
    client.create(
        event(f"<t:When>Soon</t:When>{attendee(BEN)}{rooms}"),
        attributes='SendMeetingInvitations="SendOnlyToAll"',
    )

    found = bens_client.get(request_of(bens_client))

    assert found.all("//t:Resources") == found.all("//t:When") == []


@requirement("MS-OXWSMTGS_R321", "MS-OXWSMTGS_R323")
def test_a_request_counts_what_conflicts_and_what_is_adjacent(client: Client, bens_client: Client) -> None:
    bens_client.create(event(start="2026-03-04T09:30:00Z", end="2026-03-04T09:45:00Z"))
    bens_client.create(event(start="2026-03-04T10:00:00Z", end="2026-03-04T11:00:00Z"))
    invite(client)

    found = bens_client.get(
        request_of(bens_client),
        extra=field_uri("calendar:ConflictingMeetingCount") + field_uri("calendar:AdjacentMeetingCount"),
    )

    assert (found.text("//t:ConflictingMeetingCount"), found.text("//t:AdjacentMeetingCount")) == ("1", "1")


def test_an_attendee_cannot_be_answered_for_twice_by_the_organizer(client: Client) -> None:
    made = invite(client)

    assert answer(client, "AcceptItem", made.id()).code == "ErrorCalendarIsOrganizerForAccept"
