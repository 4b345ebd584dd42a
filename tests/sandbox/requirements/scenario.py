"""A day in the life of a mailbox, over bare EWS: every operation, most properties. Its documents are the evidence of
`test_documents.py`: each request was accepted by, and each reply held against, the schema."""

from collections.abc import Iterator
from typing import Any

from lxml import etree
from sandbox.client import NS, Client, append_field, delete_field, field_uri, folder_xml, set_field

PROP = '<t:ExtendedFieldURI PropertySetId="7b2a1b0e-2c1d-4b3f-9d8e-6a5b4c3d2e1f" PropertyName="Token" PropertyType="String"/>'
MANY = '<t:ExtendedFieldURI DistinguishedPropertySetId="PublicStrings" PropertyId="77" PropertyType="StringArray"/>'
TAGGED = '<t:ExtendedFieldURI PropertyTag="0x6001" PropertyType="String"/>'
EXTENDED = (
    f"<t:ExtendedProperty>{PROP}<t:Value>t-1</t:Value></t:ExtendedProperty>"
    f"<t:ExtendedProperty>{MANY}<t:Values><t:Value>a</t:Value><t:Value>b</t:Value></t:Values></t:ExtendedProperty>"
    f"<t:ExtendedProperty>{TAGGED}<t:Value>tag</t:Value></t:ExtendedProperty>"
)
MESSAGE = (
    "<t:Message><t:ItemClass>IPM.Note</t:ItemClass><t:Subject>All of it</t:Subject><t:Sensitivity>Private</t:Sensitivity>"
    "<t:Body BodyType='HTML'>&lt;p&gt;Hi&lt;/p&gt;</t:Body>"
    "<t:Attachments><t:FileAttachment><t:Name>a.txt</t:Name><t:ContentType>text/plain</t:ContentType><t:ContentId>c1</t:ContentId>"
    "<t:ContentLocation>here</t:ContentLocation><t:IsInline>false</t:IsInline><t:IsContactPhoto>false</t:IsContactPhoto><t:Content>YQ==</t:Content>"
    "</t:FileAttachment></t:Attachments>"
    "<t:Categories><t:String>Red</t:String></t:Categories><t:Importance>High</t:Importance><t:InReplyTo>&lt;0@x.test&gt;</t:InReplyTo>"
    "<t:ReminderDueBy>2026-03-05T09:00:00Z</t:ReminderDueBy><t:ReminderIsSet>true</t:ReminderIsSet><t:ReminderMinutesBeforeStart>15</t:ReminderMinutesBeforeStart>"
    f"{EXTENDED}<t:Culture>en-US</t:Culture>"
    "<t:Flag><t:FlagStatus>Flagged</t:FlagStatus><t:StartDate>2026-03-02T00:00:00Z</t:StartDate><t:DueDate>2026-03-03T00:00:00Z</t:DueDate></t:Flag>"
    "<t:ToRecipients><t:Mailbox><t:Name>Ben</t:Name><t:EmailAddress>ben@example.com</t:EmailAddress><t:RoutingType>SMTP</t:RoutingType></t:Mailbox></t:ToRecipients>"
    "<t:CcRecipients><t:Mailbox><t:EmailAddress>carla@example.com</t:EmailAddress></t:Mailbox></t:CcRecipients>"
    "<t:BccRecipients><t:Mailbox><t:EmailAddress>anna@example.com</t:EmailAddress></t:Mailbox></t:BccRecipients>"
    "<t:IsReadReceiptRequested>true</t:IsReadReceiptRequested><t:IsDeliveryReceiptRequested>false</t:IsDeliveryReceiptRequested>"
    "<t:From><t:Mailbox><t:EmailAddress>anna@example.com</t:EmailAddress></t:Mailbox></t:From><t:IsRead>true</t:IsRead>"
    "<t:IsResponseRequested>true</t:IsResponseRequested><t:References>&lt;0@x.test&gt;</t:References>"
    "<t:ReplyTo><t:Mailbox><t:EmailAddress>anna@example.com</t:EmailAddress></t:Mailbox></t:ReplyTo></t:Message>"
)
EVENT = (
    "<t:CalendarItem><t:Subject>Series</t:Subject><t:Body BodyType='Text'>Plan</t:Body><t:ReminderIsSet>true</t:ReminderIsSet>"
    "<t:ReminderMinutesBeforeStart>10</t:ReminderMinutesBeforeStart>"
    "<t:Start>2026-03-04T09:00:00Z</t:Start><t:End>2026-03-04T10:00:00Z</t:End><t:IsAllDayEvent>false</t:IsAllDayEvent>"
    "<t:LegacyFreeBusyStatus>Busy</t:LegacyFreeBusyStatus><t:Location>Room 1</t:Location><t:When>Wednesdays</t:When><t:IsResponseRequested>true</t:IsResponseRequested>"
    "<t:RequiredAttendees><t:Attendee><t:Mailbox><t:EmailAddress>ben@example.com</t:EmailAddress></t:Mailbox></t:Attendee></t:RequiredAttendees>"
    "<t:OptionalAttendees><t:Attendee><t:Mailbox><t:EmailAddress>carla@example.com</t:EmailAddress></t:Mailbox></t:Attendee></t:OptionalAttendees>"
    "<t:Resources><t:Attendee><t:Mailbox><t:EmailAddress>room@example.com</t:EmailAddress></t:Mailbox></t:Attendee></t:Resources>{rule}"
    "<t:StartTimeZone Id='W. Europe Standard Time'/><t:EndTimeZone Id='W. Europe Standard Time'/><t:ConferenceType>0</t:ConferenceType>"
    "<t:AllowNewTimeProposal>true</t:AllowNewTimeProposal><t:IsOnlineMeeting>false</t:IsOnlineMeeting>"
    "<t:MeetingWorkspaceUrl>http://w.test</t:MeetingWorkspaceUrl><t:NetShowUrl>http://n.test</t:NetShowUrl></t:CalendarItem>"
)
PATTERNS = (
    "<t:WeeklyRecurrence><t:Interval>1</t:Interval><t:DaysOfWeek>Wednesday</t:DaysOfWeek><t:FirstDayOfWeek>Monday</t:FirstDayOfWeek></t:WeeklyRecurrence>",
    "<t:DailyRecurrence><t:Interval>2</t:Interval></t:DailyRecurrence>",
    "<t:AbsoluteMonthlyRecurrence><t:Interval>1</t:Interval><t:DayOfMonth>4</t:DayOfMonth></t:AbsoluteMonthlyRecurrence>",
    "<t:RelativeMonthlyRecurrence><t:Interval>1</t:Interval><t:DaysOfWeek>Monday</t:DaysOfWeek><t:DayOfWeekIndex>First</t:DayOfWeekIndex></t:RelativeMonthlyRecurrence>",
    "<t:AbsoluteYearlyRecurrence><t:DayOfMonth>4</t:DayOfMonth><t:Month>March</t:Month></t:AbsoluteYearlyRecurrence>",
    "<t:RelativeYearlyRecurrence><t:DaysOfWeek>Monday</t:DaysOfWeek><t:DayOfWeekIndex>Last</t:DayOfWeekIndex><t:Month>May</t:Month></t:RelativeYearlyRecurrence>",
)
REGENERATIONS = tuple(
    f"<t:{kind}Regeneration><t:Interval>1</t:Interval></t:{kind}Regeneration>"
    for kind in ("Daily", "Weekly", "Monthly", "Yearly")
)
RANGES = (
    "<t:NumberedRecurrence><t:StartDate>2026-03-04</t:StartDate><t:NumberOfOccurrences>4</t:NumberOfOccurrences></t:NumberedRecurrence>",
    "<t:EndDateRecurrence><t:StartDate>2026-03-04</t:StartDate><t:EndDate>2030-03-04</t:EndDate></t:EndDateRecurrence>",
    "<t:NoEndRecurrence><t:StartDate>2026-03-04</t:StartDate></t:NoEndRecurrence>",
)
CONTACT = (
    "<t:Contact><t:Body BodyType='Text'>A note</t:Body><t:FileAsMapping>LastCommaFirst</t:FileAsMapping><t:GivenName>Eva</t:GivenName><t:Initials>E.</t:Initials>"
    "<t:MiddleName>M</t:MiddleName><t:Nickname>Ev</t:Nickname><t:CompanyName>Fabrikam</t:CompanyName>"
    "<t:EmailAddresses><t:Entry Key='EmailAddress1' Name='Eva' RoutingType='SMTP'>eva@x.test</t:Entry></t:EmailAddresses>"
    "<t:PhysicalAddresses><t:Entry Key='Business'><t:Street>S</t:Street><t:City>C</t:City><t:State>B</t:State><t:CountryOrRegion>D</t:CountryOrRegion><t:PostalCode>1</t:PostalCode></t:Entry></t:PhysicalAddresses>"
    "<t:PhoneNumbers><t:Entry Key='MobilePhone'>+1</t:Entry></t:PhoneNumbers><t:AssistantName>As</t:AssistantName><t:Birthday>1980-01-01T00:00:00Z</t:Birthday>"
    "<t:BusinessHomePage>http://x.test</t:BusinessHomePage><t:Children><t:String>Kim</t:String></t:Children><t:Companies><t:String>F</t:String></t:Companies>"
    "<t:Department>D</t:Department><t:Generation>II</t:Generation><t:ImAddresses><t:Entry Key='ImAddress1'>im</t:Entry></t:ImAddresses><t:JobTitle>J</t:JobTitle>"
    "<t:Manager>M</t:Manager><t:Mileage>1</t:Mileage><t:OfficeLocation>O</t:OfficeLocation><t:PostalAddressIndex>Business</t:PostalAddressIndex><t:Profession>P</t:Profession>"
    "<t:SpouseName>S</t:SpouseName><t:Surname>Ng</t:Surname><t:WeddingAnniversary>2000-01-01T00:00:00Z</t:WeddingAnniversary></t:Contact>"
)
LIST = (
    "<t:DistributionList><t:Subject>Team</t:Subject><t:DisplayName>Team</t:DisplayName><t:Members><t:Member><t:Mailbox><t:Name>Ben</t:Name>"
    "<t:EmailAddress>ben@example.com</t:EmailAddress></t:Mailbox></t:Member></t:Members></t:DistributionList>"
)
TASK = (
    "<t:Task><t:Subject>Do</t:Subject><t:ActualWork>5</t:ActualWork><t:BillingInformation>B</t:BillingInformation><t:Companies><t:String>F</t:String></t:Companies>"
    "<t:Contacts><t:String>Eva</t:String></t:Contacts><t:DueDate>2026-03-06T00:00:00Z</t:DueDate><t:Mileage>2</t:Mileage><t:PercentComplete>50</t:PercentComplete>{rule}"
    "<t:StartDate>2026-03-04T00:00:00Z</t:StartDate><t:Status>InProgress</t:Status><t:TotalWork>9</t:TotalWork></t:Task>"
)
TIMES = "<t:TimeZone><t:Bias>-60</t:Bias><t:StandardTime><t:Bias>0</t:Bias><t:Time>03:00:00</t:Time><t:DayOrder>5</t:DayOrder><t:Month>10</t:Month><t:DayOfWeek>Sunday</t:DayOfWeek></t:StandardTime><t:DaylightTime><t:Bias>-60</t:Bias><t:Time>02:00:00</t:Time><t:DayOrder>5</t:DayOrder><t:Month>3</t:Month><t:DayOfWeek>Sunday</t:DayOfWeek></t:DaylightTime></t:TimeZone>"


class Recorder(Client):
    """A client that keeps every accepted request and its reply."""

    documents: list[Any]
    replies: dict[str, Any]

    def send(self, body: str, **more: Any) -> Any:
        reply = super().send(body, **more)
        if reply.codes and reply.codes[0] == "NoError":
            declared = " ".join(f'xmlns:{prefix}="{NS[prefix]}"' for prefix in "tm")
            request = etree.fromstring(
                body.replace(" ", f" {declared} ", 1)
                if " " in body.partition(">")[0]
                else body.replace(">", f" {declared}>", 1)
            )
            self.documents += [request, reply.one("//s:Body/*")]
            self.replies[etree.QName(request).localname] = reply.root
        return reply


def recorder(url: str, address: str, password: str) -> Recorder:
    made = Recorder(url, address, password)
    made.documents, made.replies = [], {}
    return made


def run(anna: Recorder, ben: Recorder) -> None:
    for step in (_items, _meetings, _changes, _folders, _attachments, _others):
        step(anna, ben)


def _items(anna: Recorder, _ben: Recorder) -> None:
    extra = f"{PROP}{MANY}{TAGGED}" + "".join(
        field_uri(f"item:{name}")
        for name in (
            "MimeContent",
            "StoreEntryId",
            "Preview",
            "UniqueBody",
            "NormalizedBody",
            "TextBody",
            "DisplayBcc",
        )
    )
    for item, folder in (
        (MESSAGE, "drafts"),
        (CONTACT, "contacts"),
        (LIST, "contacts"),
        (TASK.format(rule=""), "tasks"),
        ("<t:PostItem><t:Subject>P</t:Subject></t:PostItem>", "inbox"),
    ):
        made = anna.create(item, folder=folder)
        for base in ("IdOnly", "Default", "AllProperties"):
            anna.get(made.id(), base=base)
        anna.get(
            made.id(),
            extra=extra,
            shape="<t:IncludeMimeContent>true</t:IncludeMimeContent><t:BodyType>Text</t:BodyType><t:FilterHtmlContent>true</t:FilterHtmlContent>",
        )
        anna.find(folder, base="AllProperties")
        anna.sync(folder, base="AllProperties", extra=PROP)
    indexed = "<t:IndexedFieldURI FieldURI='contacts:EmailAddress' FieldIndex='EmailAddress1'/>"
    anna.find("contacts", extra=indexed)
    for rule in REGENERATIONS + PATTERNS:
        made = anna.create(
            TASK.format(rule=f"<t:Recurrence>{rule}{RANGES[0]}</t:Recurrence>"), folder="tasks"
        )
        anna.get(made.id())


def _meetings(anna: Recorder, ben: Recorder) -> None:
    sent = 'SendMeetingInvitations="SendToAllAndSaveCopy"'
    for place, pattern in enumerate(PATTERNS):
        rule = f"<t:Recurrence>{pattern}{RANGES[place % 3]}</t:Recurrence>"
        made = anna.create(EVENT.format(rule=rule), attributes=sent)
        anna.get(made.id())
        anna.get(f"<t:OccurrenceItemId RecurringMasterId='{made.id()}' InstanceIndex='1'/>")
    first = anna.create(
        EVENT.format(rule=f"<t:Recurrence>{PATTERNS[0]}{RANGES[0]}</t:Recurrence>"), attributes=sent
    )
    occurrences = [
        anna.get(f"<t:OccurrenceItemId RecurringMasterId='{first.id()}' InstanceIndex='{number}'/>")
        for number in (1, 2)
    ]
    moved = set_field("calendar:Location", "CalendarItem", "<t:Location>Elsewhere</t:Location>")
    anna.update(
        occurrences[0].id(),
        occurrences[0].key(),
        moved,
        attributes='SendMeetingInvitationsOrCancellations="SendToAllAndSaveCopy"',
    )
    anna.delete(occurrences[1].id(), attributes='SendMeetingCancellations="SendToAllAndSaveCopy"')
    anna.get(
        first.id(),
        extra=field_uri("calendar:ConflictingMeetingCount")
        + field_uri("calendar:AdjacentMeetingCount")
        + field_uri("calendar:MeetingTimeZone"),
    )
    anna.get(f"<t:RecurringMasterItemId OccurrenceId='{occurrences[0].id()}'/>")
    single = anna.create(EVENT.format(rule=""), attributes=sent)
    requests = ben.find("inbox", base="Default")
    for item in requests.ids():
        ben.get(item)
    latest = requests.all("//t:MeetingRequest/t:ItemId/@Id")
    for name, item in zip(("AcceptItem", "TentativelyAcceptItem", "DeclineItem"), latest, strict=False):
        ben.create(
            f"<t:{name}><t:Body BodyType='Text'>ok</t:Body><t:ReferenceItemId Id='{item}'/></t:{name}>",
            attributes='MessageDisposition="SendAndSaveCopy"',
        )
    for item in anna.find("inbox").ids():
        anna.get(item)
    anna.delete(single.id(), attributes='SendMeetingCancellations="SendToAllAndSaveCopy"')
    for item in ben.find("inbox").ids():
        ben.get(item)
    ben.sync("inbox", base="AllProperties")
    view = '<m:CalendarView StartDate="2026-03-01T00:00:00Z" EndDate="2026-04-01T00:00:00Z"/>'
    anna.find("calendar", view=view, base="AllProperties")


def _changes(anna: Recorder, ben: Recorder) -> None:
    item, key = anna.note("Changing")
    state = anna.sync().text("//m:SyncState")
    anna.update(
        item,
        key,
        set_field("item:Body", "Message", "<t:Body BodyType='Text'>a</t:Body>")
        + append_field("item:Body", "Message", "<t:Body BodyType='Text'>b</t:Body>")
        + delete_field("item:Culture"),
        resolution="AlwaysOverwrite",
    )
    other, _ = anna.note("Going")
    seen, seen_key = anna.note("Seen")
    more = anna.sync(state=state).text("//m:SyncState")
    anna.delete(other)
    anna.update(seen, seen_key, set_field("message:IsRead", "Message", "<t:IsRead>false</t:IsRead>"))
    anna.sync(state=more, ignore=item)
    draft = anna.create(MESSAGE)
    anna.send(
        f"<m:SendItem SaveItemToFolder='true'><m:ItemIds><t:ItemId Id='{draft.id()}' ChangeKey='{draft.key()}'/></m:ItemIds><m:SavedItemFolderId>{folder_xml('sentitems')}</m:SavedItemFolderId></m:SendItem>"
    )
    for name in ("CopyItem", "MoveItem"):
        anna.send(
            f"<m:{name}><m:ToFolderId>{folder_xml('junkemail')}</m:ToFolderId><m:ItemIds><t:ItemId Id='{item}'/></m:ItemIds><m:ReturnNewItemIds>true</m:ReturnNewItemIds></m:{name}>"
        )
    received = ben.find("inbox", base="Default").all("//t:Message/t:ItemId/@Id")[0]
    for name in ("ReplyToItem", "ReplyAllToItem", "ForwardItem"):
        to = (
            "<t:ToRecipients><t:Mailbox><t:EmailAddress>anna@example.com</t:EmailAddress></t:Mailbox></t:ToRecipients>"
            if name == "ForwardItem"
            else ""
        )
        ben.create(
            f"<t:{name}>{to}<t:ReferenceItemId Id='{received}'/><t:NewBodyContent BodyType='Text'>x</t:NewBodyContent></t:{name}>",
            attributes='MessageDisposition="SaveOnly"',
        )
    ben.get(received)


def _folders(anna: Recorder, _ben: Recorder) -> None:
    shape = "<m:FolderShape><t:BaseShape>{}</t:BaseShape></m:FolderShape>"
    state = anna.send(f"<m:SyncFolderHierarchy>{shape.format('AllProperties')}</m:SyncFolderHierarchy>").text(
        "//m:SyncState"
    )
    names = ("Folder", "CalendarFolder", "ContactsFolder", "TasksFolder")
    made = [
        anna.send(
            f"<m:CreateFolder><m:ParentFolderId>{folder_xml('msgfolderroot')}</m:ParentFolderId><m:Folders><t:{name}><t:DisplayName>New {name}</t:DisplayName></t:{name}></m:Folders></m:CreateFolder>"
        ).all("//t:FolderId/@Id")[0]
        for name in names
    ]
    for wanted in [
        *map(folder_xml, made),
        *(folder_xml(name) for name in ("inbox", "calendar", "contacts", "tasks", "root")),
    ]:
        extra = '<t:AdditionalProperties><t:FieldURI FieldURI="folder:DistinguishedFolderId"/><t:ExtendedFieldURI PropertyTag="0x670A" PropertyType="SystemTime"/></t:AdditionalProperties>'
        anna.send(
            f"<m:GetFolder><m:FolderShape><t:BaseShape>AllProperties</t:BaseShape>{extra}</m:FolderShape><m:FolderIds>{wanted}</m:FolderIds></m:GetFolder>"
        )
    anna.send(
        f"<m:FindFolder Traversal='Deep'>{shape.format('Default')}<m:IndexedPageFolderView MaxEntriesReturned='100' Offset='0' BasePoint='Beginning'/><m:ParentFolderIds>{folder_xml('root')}</m:ParentFolderIds></m:FindFolder>"
    )
    renamed = "<t:SetFolderField><t:FieldURI FieldURI='folder:DisplayName'/><t:Folder><t:DisplayName>Other</t:DisplayName></t:Folder></t:SetFolderField>"
    anna.send(
        f"<m:UpdateFolder><m:FolderChanges><t:FolderChange>{folder_xml(made[0])}<t:Updates>{renamed}</t:Updates></t:FolderChange></m:FolderChanges></m:UpdateFolder>"
    )
    for name in ("CopyFolder", "MoveFolder"):
        anna.send(
            f"<m:{name}><m:ToFolderId>{folder_xml('inbox')}</m:ToFolderId><m:FolderIds>{folder_xml(made[0])}</m:FolderIds></m:{name}>"
        )
    later = anna.send(
        f"<m:SyncFolderHierarchy>{shape.format('IdOnly')}<m:SyncFolderId>{folder_xml('msgfolderroot')}</m:SyncFolderId></m:SyncFolderHierarchy>"
    ).text("//m:SyncState")
    anna.send(
        f"<m:EmptyFolder DeleteType='HardDelete' DeleteSubFolders='true'><m:FolderIds>{folder_xml(made[0])}</m:FolderIds></m:EmptyFolder>"
    )
    for folder in made[2:]:
        anna.send(
            f"<m:DeleteFolder DeleteType='HardDelete'><m:FolderIds>{folder_xml(folder)}</m:FolderIds></m:DeleteFolder>"
        )
    for old in (state, later):
        anna.send(
            f"<m:SyncFolderHierarchy>{shape.format('AllProperties')}<m:SyncFolderId>{folder_xml('msgfolderroot')}</m:SyncFolderId><m:SyncState>{old}</m:SyncState></m:SyncFolderHierarchy>"
        )
    anna.send(
        f"<m:MarkAllItemsAsRead><m:ReadFlag>true</m:ReadFlag><m:SuppressReadReceipts>true</m:SuppressReadReceipts><m:FolderIds>{folder_xml('inbox')}</m:FolderIds></m:MarkAllItemsAsRead>"
    )


def _attachments(anna: Recorder, _ben: Recorder) -> None:
    item, _ = anna.note("Attached")
    inner = f"<t:ItemAttachment><t:Name>inner</t:Name>{MESSAGE}</t:ItemAttachment>"
    file = "<t:FileAttachment><t:Name>f</t:Name><t:Content>YQ==</t:Content></t:FileAttachment>"
    others = "".join(
        f"<t:ItemAttachment><t:Name>i</t:Name>{one}</t:ItemAttachment>"
        for one in (CONTACT, TASK.format(rule=""), EVENT.format(rule=""))
    )
    made = anna.send(
        f"<m:CreateAttachment><m:ParentItemId Id='{item}'/><m:Attachments>{file}{inner}{others}</m:Attachments></m:CreateAttachment>"
    )
    ids = made.all("//t:AttachmentId/@Id")
    wanted = "".join(f"<t:AttachmentId Id='{one}'/>" for one in ids)
    anna.send(
        f"<m:GetAttachment><m:AttachmentShape><t:IncludeMimeContent>true</t:IncludeMimeContent><t:BodyType>Best</t:BodyType></m:AttachmentShape><m:AttachmentIds>{wanted}</m:AttachmentIds></m:GetAttachment>"
    )
    anna.get(item)
    anna.send(
        f"<m:DeleteAttachment><m:AttachmentIds><t:AttachmentId Id='{ids[0]}'/></m:AttachmentIds></m:DeleteAttachment>"
    )


def _others(anna: Recorder, _ben: Recorder) -> None:
    item, _ = anna.note("Converted")
    anna.send(
        f"<m:ConvertId DestinationFormat='HexEntryId'><m:SourceIds><t:AlternateId Format='EwsId' Id='{item}' Mailbox='anna@example.com'/></m:SourceIds></m:ConvertId>"
    )
    anna.send(
        "<m:ResolveNames ReturnFullContactData='true'><m:UnresolvedEntry>carla</m:UnresolvedEntry></m:ResolveNames>"
    )
    anna.send(
        "<m:GetServerTimeZones ReturnFullTimeZoneData='true'><m:Ids><t:Id>W. Europe Standard Time</t:Id></m:Ids></m:GetServerTimeZones>"
    )
    anna.send(
        f"<m:GetUserAvailabilityRequest>{TIMES}<m:MailboxDataArray><t:MailboxData><t:Email><t:Address>ben@example.com</t:Address></t:Email><t:AttendeeType>Required</t:AttendeeType></t:MailboxData></m:MailboxDataArray>"
        "<t:FreeBusyViewOptions><t:TimeWindow><t:StartTime>2026-03-04T00:00:00</t:StartTime><t:EndTime>2026-03-05T00:00:00</t:EndTime></t:TimeWindow><t:MergedFreeBusyIntervalInMinutes>30</t:MergedFreeBusyIntervalInMinutes><t:RequestedView>DetailedMerged</t:RequestedView></t:FreeBusyViewOptions></m:GetUserAvailabilityRequest>"
    )


def rows(documents: list[Any]) -> Iterator[tuple[str, str, str]]:
    from sandbox.requirements.schema_walk import schema

    for document in documents:
        yield from schema().rows(document)
