"""Every property of every kind of item: its element, its URI, its codec, its word in the model.

Each table is in the order of the schema, which is the order of a reply. A row without a word is computed
(`procession.sandbox.ews.computed`); a row with `write=False` cannot be set by clients.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from procession.sandbox.ews import codecs as c
from procession.sandbox.ews import recurrences as r
from procession.sandbox.ews.codecs import Codec


@dataclass(frozen=True, slots=True)
class Field:
    """A property. `lists` says that FindItem and SyncFolderItems can give it; `since` is a version's rank."""

    tag: str
    uri: str
    codec: Codec
    word: str = ""
    write: bool = True
    lists: bool = True
    since: int = 2007
    plain: bool = True
    """Part of the AllProperties shape."""


def _rows(prefix: str, *rows: tuple[object, ...], **common: bool) -> tuple[Field, ...]:
    """Fields of (tag, codec, word, options…), options being names of `_OPTIONS`."""
    fields = []
    for tag, codec, word, *options in rows:
        settings: dict[str, bool | int] = dict(common)
        for option in options:
            settings |= _OPTIONS[str(option)]
        fields.append(Field(str(tag), f"{prefix}:{tag}", codec, str(word), **settings))  # type: ignore[arg-type]  # rows are written below
    return tuple(fields)


_OPTIONS: Mapping[str, dict[str, bool | int]] = {
    "fixed": {"write": False},
    "get": {"lists": False},
    "asked": {"plain": False},
    "2010": {"since": 2010},
    "2013": {"since": 2013},
    "2016": {"since": 2016},
}

ITEM = _rows(
    "item",
    ("MimeContent", c.BYTES, "mime", "get", "asked"),
    ("ItemId", c.TEXT, "", "fixed"),
    ("ParentFolderId", c.TEXT, "", "fixed"),
    ("ItemClass", c.TEXT, "item_class"),
    ("Subject", c.TEXT, "subject"),
    ("Sensitivity", c.TEXT, "sensitivity"),
    ("Body", c.BODY, "body", "get"),
    ("Attachments", c.TEXT, "", "get", "fixed"),
    ("DateTimeReceived", c.MOMENT, "", "fixed"),
    ("Size", c.INT, "", "fixed"),
    ("Categories", c.STRINGS, "categories"),
    ("Importance", c.TEXT, "importance"),
    ("InReplyTo", c.TEXT, "in_reply_to"),
    ("IsSubmitted", c.BOOL, "is_submitted", "fixed"),
    ("IsDraft", c.BOOL, "is_draft", "fixed"),
    ("IsFromMe", c.BOOL, "is_from_me", "fixed"),
    ("IsResend", c.BOOL, "is_resend", "fixed"),
    ("IsUnmodified", c.BOOL, "is_unmodified", "fixed"),
    ("InternetMessageHeaders", c.HEADERS, "", "fixed", "get"),
    ("DateTimeSent", c.MOMENT, "", "fixed"),
    ("DateTimeCreated", c.MOMENT, "", "fixed"),
    ("ResponseObjects", c.TEXT, "", "fixed", "get"),
    ("ReminderDueBy", c.MOMENT, "reminder_due_by"),
    ("ReminderIsSet", c.BOOL, "reminder_is_set"),
    ("ReminderNextTime", c.MOMENT, "", "fixed"),
    ("ReminderMinutesBeforeStart", c.INT, "reminder_minutes"),
    ("DisplayCc", c.TEXT, "", "fixed"),
    ("DisplayTo", c.TEXT, "", "fixed"),
    ("DisplayBcc", c.TEXT, "", "fixed", "asked"),
    ("HasAttachments", c.BOOL, "", "fixed"),
    ("Culture", c.TEXT, "culture"),
    ("EffectiveRights", c.RIGHTS, "", "fixed"),
    ("LastModifiedName", c.TEXT, "", "fixed"),
    ("LastModifiedTime", c.MOMENT, "", "fixed"),
    ("IsAssociated", c.BOOL, "", "fixed", "2010"),
    ("WebClientReadFormQueryString", c.TEXT, "", "fixed", "2010"),
    ("ConversationId", c.TEXT, "", "fixed", "2010"),
    ("UniqueBody", c.BODY, "", "fixed", "get", "asked", "2010"),
    ("Flag", c.FLAG, "flag", "2013"),
    ("StoreEntryId", c.BYTES, "", "fixed", "2013", "asked"),
    ("InstanceKey", c.BYTES, "", "fixed", "2013"),
    ("NormalizedBody", c.BODY, "", "fixed", "get", "asked", "2013"),
    ("Preview", c.TEXT, "", "fixed", "asked", "2013"),
    ("TextBody", c.BODY, "", "fixed", "get", "asked", "2013"),
    ("IconIndex", c.TEXT, "", "fixed", "2013"),
)
MESSAGE = _rows(
    "message",
    ("Sender", c.SINGLE, "sender"),
    ("ToRecipients", c.ADDRESSES, "to", "get"),
    ("CcRecipients", c.ADDRESSES, "cc", "get"),
    ("BccRecipients", c.ADDRESSES, "bcc", "get"),
    ("IsReadReceiptRequested", c.BOOL, "read_receipt"),
    ("IsDeliveryReceiptRequested", c.BOOL, "delivery_receipt"),
    ("ConversationIndex", c.BYTES, "", "fixed"),
    ("ConversationTopic", c.TEXT, "", "fixed"),
    ("From", c.SINGLE, "from"),
    ("InternetMessageId", c.TEXT, "message_id"),
    ("IsRead", c.BOOL, "is_read"),
    ("IsResponseRequested", c.BOOL, "response_requested"),
    ("References", c.TEXT, "references"),
    ("ReplyTo", c.ADDRESSES, "reply_to", "get"),
    ("ReceivedBy", c.SINGLE, "", "fixed"),
    ("ReceivedRepresenting", c.SINGLE, "", "fixed"),
)
_TIMES = _rows(
    "calendar",
    ("Start", c.MOMENT, "start"),
    ("End", c.MOMENT, "end"),
    ("OriginalStart", c.MOMENT, "occurrence_of", "fixed"),
    ("IsAllDayEvent", c.BOOL, "all_day"),
    ("LegacyFreeBusyStatus", c.TEXT, "free_busy"),
    ("Location", c.TEXT, "location"),
    ("When", c.TEXT, "when"),
    ("IsMeeting", c.BOOL, "", "fixed"),
    ("IsCancelled", c.BOOL, "is_cancelled", "fixed"),
    ("IsRecurring", c.BOOL, "", "fixed"),
    ("MeetingRequestWasSent", c.BOOL, "request_sent", "fixed"),
)
_PEOPLE = _rows(
    "calendar",
    ("CalendarItemType", c.TEXT, "", "fixed"),
    ("MyResponseType", c.TEXT, "my_response", "fixed"),
    ("Organizer", c.SINGLE, "organizer", "fixed"),
    ("RequiredAttendees", c.ATTENDEES, "required", "get"),
    ("OptionalAttendees", c.ATTENDEES, "optional", "get"),
    ("Resources", c.ATTENDEES, "resources", "get"),
)
_SERIES = _rows(
    "calendar",
    ("ConflictingMeetingCount", c.INT, "", "fixed", "get", "asked"),
    ("AdjacentMeetingCount", c.INT, "", "fixed", "get", "asked"),
    ("Duration", c.TEXT, "", "fixed"),
    ("TimeZone", c.TEXT, "", "fixed"),
    ("AppointmentReplyTime", c.MOMENT, "reply_time", "fixed"),
    ("AppointmentSequenceNumber", c.INT, "sequence", "fixed"),
    ("AppointmentState", c.INT, "", "fixed"),
    ("Recurrence", r.RECURRENCE, "recurrence", "get"),
    ("FirstOccurrence", r.OCCURRENCE, "", "fixed", "get"),
    ("LastOccurrence", r.OCCURRENCE, "", "fixed", "get"),
    ("ModifiedOccurrences", r.OCCURRENCES, "", "fixed", "get"),
    ("DeletedOccurrences", r.DELETED, "", "fixed", "get"),
    ("MeetingTimeZone", c.TEXT, "", "get", "asked"),
    ("StartTimeZone", c.ZONE, "start_zone", "get", "2010"),
    ("EndTimeZone", c.ZONE, "end_zone", "get", "2010"),
    ("ConferenceType", c.INT, "conference_type"),
    ("AllowNewTimeProposal", c.BOOL, "allow_new_time"),
    ("IsOnlineMeeting", c.BOOL, "is_online"),
    ("MeetingWorkspaceUrl", c.TEXT, "workspace_url"),
    ("NetShowUrl", c.TEXT, "netshow_url"),
)
_IDENTITY = _rows(
    "calendar",
    ("UID", c.TEXT, "uid"),
    ("RecurrenceId", c.MOMENT, "occurrence_of", "fixed"),
    ("DateTimeStamp", c.MOMENT, "stamp", "fixed"),
)
_RESPONSE_REQUESTED = _rows("calendar", ("IsResponseRequested", c.BOOL, "response_requested"))
_ORGANIZER = _rows("calendar", ("IsOrganizer", c.BOOL, "", "fixed", "2013"))
EVENT = _IDENTITY + _TIMES + _RESPONSE_REQUESTED + _PEOPLE + _SERIES + _ORGANIZER
MEETING = (
    _rows(
        "meeting",
        ("AssociatedCalendarItemId", c.TEXT, "", "fixed", "get"),
        ("IsDelegated", c.BOOL, "is_delegated", "fixed"),
        ("IsOutOfDate", c.BOOL, "", "fixed", "get"),
        ("HasBeenProcessed", c.BOOL, "processed", "fixed", "get"),
        ("ResponseType", c.TEXT, "response", "fixed"),
    )
    + _IDENTITY
    + _ORGANIZER
)
REQUEST = (
    _rows("meetingRequest", ("MeetingRequestType", c.TEXT, "request_type", "fixed"), ("IntendedFreeBusyStatus", c.TEXT, "free_busy", "fixed"))
    + _TIMES
    + _PEOPLE
    + _SERIES
)  # fmt: skip
_ANSWER = (
    *tuple(field for field in _TIMES + _SERIES if field.tag in {"Start", "End", "Location", "Recurrence"}),
    _PEOPLE[0],
)
CONTACT = _rows(
    "contacts",
    ("FileAs", c.TEXT, "file_as"),
    ("FileAsMapping", c.TEXT, "file_as_mapping"),
    ("DisplayName", c.TEXT, "display_name"),
    ("GivenName", c.TEXT, "given_name"),
    ("Initials", c.TEXT, "initials"),
    ("MiddleName", c.TEXT, "middle_name"),
    ("Nickname", c.TEXT, "nickname"),
    ("CompleteName", c.COMPLETE_NAME, "", "fixed", "get"),
    ("CompanyName", c.TEXT, "company_name"),
    ("EmailAddresses", c.EMAILS, "emails"),
    ("PhysicalAddresses", c.POSTALS, "addresses"),
    ("PhoneNumbers", c.ENTRIES, "phones"),
    ("AssistantName", c.TEXT, "assistant_name"),
    ("Birthday", c.MOMENT, "birthday"),
    ("BusinessHomePage", c.TEXT, "home_page"),
    ("Children", c.STRINGS, "children"),
    ("Companies", c.STRINGS, "companies"),
    ("ContactSource", c.TEXT, "contact_source", "fixed"),
    ("Department", c.TEXT, "department"),
    ("Generation", c.TEXT, "generation"),
    ("ImAddresses", c.ENTRIES, "im_addresses"),
    ("JobTitle", c.TEXT, "job_title"),
    ("Manager", c.TEXT, "manager"),
    ("Mileage", c.TEXT, "mileage"),
    ("OfficeLocation", c.TEXT, "office"),
    ("PostalAddressIndex", c.TEXT, "postal_index"),
    ("Profession", c.TEXT, "profession"),
    ("SpouseName", c.TEXT, "spouse_name"),
    ("Surname", c.TEXT, "surname"),
    ("WeddingAnniversary", c.MOMENT, "anniversary"),
    ("HasPicture", c.BOOL, "", "fixed", "2010"),
    ("PhoneticFullName", c.TEXT, "phonetic_full_name", "2010", "fixed"),
    ("PhoneticFirstName", c.TEXT, "phonetic_first_name", "2010", "fixed"),
    ("PhoneticLastName", c.TEXT, "phonetic_last_name", "2010", "fixed"),
    ("Alias", c.TEXT, "alias", "2010", "fixed"),
    ("Notes", c.TEXT, "", "2010", "fixed", "get"),
)
TASK = _rows(
    "task",
    ("ActualWork", c.INT, "actual_work"),
    ("AssignedTime", c.MOMENT, "assigned_time", "fixed"),
    ("BillingInformation", c.TEXT, "billing"),
    ("ChangeCount", c.INT, "change_count", "fixed"),
    ("Companies", c.STRINGS, "companies"),
    ("CompleteDate", c.MOMENT, "complete_date"),
    ("Contacts", c.STRINGS, "contacts"),
    ("DelegationState", c.TEXT, "delegation_state", "fixed"),
    ("Delegator", c.TEXT, "delegator", "fixed"),
    ("DueDate", c.MOMENT, "due"),
    ("IsComplete", c.BOOL, "", "fixed"),
    ("IsRecurring", c.BOOL, "", "fixed"),
    ("IsTeamTask", c.BOOL, "", "fixed"),
    ("Mileage", c.TEXT, "mileage"),
    ("Owner", c.TEXT, "task_owner", "fixed"),
    ("PercentComplete", c.FLOAT, "percent"),
    ("Recurrence", r.RECURRENCE, "recurrence", "get"),
    ("StartDate", c.MOMENT, "start_date"),
    ("Status", c.TEXT, "status"),
    ("StatusDescription", c.TEXT, "", "fixed"),
    ("TotalWork", c.INT, "total_work"),
)
LIST = tuple(field for field in CONTACT if field.tag in {"DisplayName", "FileAs", "ContactSource"}) + _rows(
    "distributionlist", ("Members", c.MEMBERS, "members", "get")
)
_POSTED = _rows("postitem", ("PostedTime", c.MOMENT, "posted", "fixed"))
_BY_TAG = {field.tag: field for field in (*MESSAGE, *_POSTED)}
POST = tuple(
    _BY_TAG[tag]
    for tag in ("ConversationIndex", "ConversationTopic", "From", "InternetMessageId", "IsRead", "PostedTime", "References", "Sender")
)  # fmt: skip

TABLES: Mapping[str, tuple[Field, ...]] = {
    "item": ITEM,
    "message": ITEM + MESSAGE,
    "event": ITEM + EVENT,
    "contact": ITEM + CONTACT,
    "task": ITEM + TASK,
    "list": (*ITEM, LIST[1], LIST[0], *LIST[2:]),
    "post": ITEM + POST,
    "meeting_request": ITEM + MESSAGE + MEETING + REQUEST,
    "meeting_response": ITEM + MESSAGE + MEETING + _ANSWER,
    "meeting_cancellation": ITEM + MESSAGE + MEETING + _ANSWER,
}
ELEMENTS: Mapping[str, str] = {
    "item": "Item",
    "message": "Message",
    "event": "CalendarItem",
    "contact": "Contact",
    "task": "Task",
    "list": "DistributionList",
    "post": "PostItem",
    "meeting_request": "MeetingRequest",
    "meeting_response": "MeetingResponse",
    "meeting_cancellation": "MeetingCancellation",
}
KINDS = {element: kind for kind, element in ELEMENTS.items()}

INDEXED: Mapping[str, str] = {
    # a dictionary's URI: (word of the model)
    "contacts:EmailAddress": "emails",
    "contacts:PhoneNumber": "phones",
    "contacts:ImAddress": "im_addresses",
    "contacts:PhysicalAddress:Street": "addresses",
    "contacts:PhysicalAddress:City": "addresses",
    "contacts:PhysicalAddress:State": "addresses",
    "contacts:PhysicalAddress:CountryOrRegion": "addresses",
    "contacts:PhysicalAddress:PostalCode": "addresses",
    "distributionlist:Members:Member": "members",
    "item:InternetMessageHeader": "headers",
}


@cache
def by_uri(kind: str) -> Mapping[str, Field]:
    """The fields of a kind by URI. A word that several kinds share answers to each one's URI."""
    return {field.uri: field for field in TABLES[kind]}


@cache
def by_tag(kind: str) -> Mapping[str, Field]:
    return {field.tag: field for field in TABLES[kind]}


@cache
def everywhere() -> Mapping[str, Field]:
    """Every field of any kind by URI."""
    return {field.uri: field for table in TABLES.values() for field in table}
