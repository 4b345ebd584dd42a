"""Requirements of behaviour, asserted one by one over bare EWS. Each test names those it shows."""

import pytest
from sandbox.actors import ANNA, BEN
from sandbox.client import Client, append_field, delete_field, field_uri, folder_xml, set_field
from sandbox.requirements import scenario

requirement = pytest.mark.requirement
PROP = '<t:ExtendedFieldURI PropertySetId="7b2a1b0e-2c1d-4b3f-9d8e-6a5b4c3d2e1f" PropertyName="Token" PropertyType="String"/>'
LAST = "//m:IncludesLastItemInRange"


def message(subject: str = "x", more: str = "") -> str:
    return f"<t:Message><t:Subject>{subject}</t:Subject>{more}</t:Message>"


def event(
    more: str = "", *, start: str = "2026-03-04T09:00:00Z", end: str = "2026-03-04T10:00:00Z", head: str = ""
) -> str:
    return f"<t:CalendarItem><t:Subject>Plan</t:Subject>{head}<t:Start>{start}</t:Start><t:End>{end}</t:End>{more}</t:CalendarItem>"


def attendee(address: str, word: str = "Required") -> str:
    return f"<t:{word}Attendees><t:Attendee><t:Mailbox><t:EmailAddress>{address}</t:EmailAddress></t:Mailbox></t:Attendee></t:{word}Attendees>"


SERIES = "<t:Recurrence><t:DailyRecurrence><t:Interval>1</t:Interval></t:DailyRecurrence><t:NumberedRecurrence><t:StartDate>2026-03-04</t:StartDate><t:NumberOfOccurrences>3</t:NumberOfOccurrences></t:NumberedRecurrence></t:Recurrence>"


def count(client: Client, folder: str) -> int:
    return int(client.find(folder).one("//m:RootFolder").get("TotalItemsInView"))


# SyncFolderItems


@requirement(
    "MS-OXWSSYNC_R382",
    "MS-OXWSSYNC_R383",
    "MS-OXWSSYNC_R3832",
    "MS-OXWSSYNC_R131",
    "MS-OXWSSYNC_R1571",
    "MS-OXWSSYNC_R380",
)
def test_without_a_state_everything_is_returned_as_never_synchronised(client: Client) -> None:
    ids = [client.note(name)[0] for name in ("one", "two", "three")]
    first = client.sync()

    again = client.sync()

    assert first.code == again.code == "NoError"
    assert first.ids() == again.ids() == list(reversed(ids))
    assert len(again.all("//t:Create/t:Message")) == 3


@requirement(
    "MS-OXWSSYNC_R504",
    "MS-OXWSSYNC_R3831",
    "MS-OXWSSYNC_R132",
    "MS-OXWSSYNC_R1572",
    "MS-OXWSSYNC_R134",
    "MS-OXWSSYNC_R184",
    "MS-OXWSSYNC_R70",
    "MS-OXWSSYNC_R65",
)
def test_with_a_state_only_what_changed_since_is_returned(client: Client) -> None:
    changed, key = client.note("changed")
    gone, _ = client.note("gone")
    client.note("same")
    state = client.sync().text("//m:SyncState")

    client.set_subject(changed, key, "changed more")
    client.delete(gone)
    fresh, _ = client.note("fresh")
    reply = client.sync(state=state)

    assert reply.all("//t:Create//t:ItemId/@Id") == [fresh]
    assert reply.all("//t:Update//t:ItemId/@Id") == [changed]
    assert reply.all("//t:Delete/t:ItemId/@Id") == [gone]
    assert client.sync(state=reply.text("//m:SyncState")).ids() == []
    import base64

    assert base64.b64decode(state, validate=True)


@requirement(
    "MS-OXWSSYNC_R136", "MS-OXWSSYNC_R194", "MS-OXWSSYNC_R195", "MS-OXWSSYNC_R1951", "MS-OXWSSYNC_R1952"
)
@pytest.mark.parametrize("read", ["true", "false"])
def test_a_read_flag_alone_is_a_read_flag_change(client: Client, read: str) -> None:
    item, key = client.note("x", f"<t:IsRead>{'false' if read == 'true' else 'true'}</t:IsRead>")
    state = client.sync().text("//m:SyncState")

    client.update(item, key, set_field("message:IsRead", "Message", f"<t:IsRead>{read}</t:IsRead>"))
    reply = client.sync(state=state)

    assert reply.all("//t:ReadFlagChange/t:ItemId/@Id") == [item]
    assert reply.text("//t:ReadFlagChange/t:IsRead") == read


def test_a_read_flag_beside_another_change_is_an_update(client: Client) -> None:
    item, key = client.note("x")
    state = client.sync().text("//m:SyncState")

    changed = client.set_subject(item, key, "y")
    client.update(item, changed.key(), set_field("message:IsRead", "Message", "<t:IsRead>false</t:IsRead>"))

    assert client.sync(state=state).all("//t:Update//t:ItemId/@Id") == [item]


@requirement(
    "MS-OXWSSYNC_R388", "MS-OXWSSYNC_R3891", "MS-OXWSSYNC_R67", "MS-OXWSSYNC_R6701", "MS-OXWSSYNC_R6702"
)
def test_pages_hold_at_most_what_was_asked_and_the_last_says_so(client: Client) -> None:
    ids = [client.note(str(number))[0] for number in range(5)]
    state, pages, lasts = "", [], []

    for _ in range(3):
        reply = client.sync(state=state, limit=2)
        pages.append(reply.ids())
        lasts.append(reply.text(LAST))
        state = reply.text("//m:SyncState")

    assert [len(page) for page in pages] == [2, 2, 1]
    assert lasts == ["false", "false", "true"]
    assert [item for page in pages for item in page] == list(reversed(ids))


@requirement(
    "MS-OXWSSYNC_R385",
    "MS-OXWSSYNC_R3851",
    "MS-OXWSSYNC_R3852",
    "MS-OXWSSYNC_R386",
    "MS-OXWSSYNC_R3861",
    "MS-OXWSSYNC_R3862",
)
def test_items_to_ignore_are_skipped_and_others_are_not(client: Client) -> None:
    ignored, kept = client.note("ignored")[0], client.note("kept")[0]

    assert client.sync(ignore=ignored).ids() == [kept]
    assert client.sync().ids() == [kept, ignored]


@requirement("MS-OXWSSYNC_R3787")
def test_mime_content_cannot_be_synchronised(client: Client) -> None:
    assert (
        client.sync(shape="<t:IncludeMimeContent>true</t:IncludeMimeContent>").code
        == "ErrorInvalidPropertyForOperation"
    )


@requirement(
    "MS-OXWSSYNC_R3783", "MS-OXWSSYNC_R3782", "MS-OXWSSYNC_R3781", "MS-OXWSSYNC_R37814", "MS-OXWSSYNC_R37815"
)
def test_the_shape_says_which_properties_a_change_has(client: Client) -> None:
    client.note("x", scenario.EXTENDED)

    ids = client.sync(base="IdOnly")
    default = client.sync(base="Default")
    everything = client.sync(base="AllProperties")
    added = client.sync(extra=field_uri("item:Subject") + PROP)

    assert [child.tag.rpartition("}")[2] for child in ids.one("//t:Message")] == ["ItemId"]
    assert len(default.one("//t:Message")) < len(everything.one("//t:Message"))
    assert added.subjects() == ["x"]
    assert added.text("//t:ExtendedProperty/t:Value") == "t-1"


def test_a_calendar_gives_series_and_no_occurrences(client: Client) -> None:
    client.create(event(SERIES))

    assert client.sync("calendar", extra=field_uri("calendar:CalendarItemType")).all(
        "//t:CalendarItemType/text()"
    ) == ["RecurringMaster"]


@requirement("MS-OXWSCDATA_R518")
@pytest.mark.parametrize("state", ["AAAA", "not base64!", "H4sIAAAA"])
def test_a_state_that_is_none_is_refused(client: Client, state: str) -> None:
    assert client.sync(state=state).code == "ErrorInvalidSyncStateData"


def test_a_state_of_another_folder_or_user_is_refused(client: Client, bens_client: Client) -> None:
    state = client.sync("inbox").text("//m:SyncState")

    assert client.sync("drafts", state=state).code == "ErrorInvalidSyncStateData"
    assert bens_client.sync("inbox", state=state).code == "ErrorInvalidSyncStateData"


def test_several_edits_collapse_to_one_and_what_came_and_went_is_not_told(client: Client) -> None:
    item, key = client.note("a")
    state = client.sync().text("//m:SyncState")

    for subject in ("b", "c", "d"):
        key = client.set_subject(item, key, subject).key()
    short, _ = client.note("short-lived")
    client.delete(short)
    reply = client.sync(state=state, extra=field_uri("item:Subject"))

    assert (reply.ids(), reply.subjects()) == ([item], ["d"])


def test_a_move_is_a_deletion_here_and_a_creation_there_with_another_id(client: Client) -> None:
    item, _ = client.note("x")
    here, there = client.sync("inbox").text("//m:SyncState"), client.sync("junkemail").text("//m:SyncState")

    moved = client.send(
        f"<m:MoveItem><m:ToFolderId>{folder_xml('junkemail')}</m:ToFolderId><m:ItemIds><t:ItemId Id='{item}'/></m:ItemIds></m:MoveItem>"
    ).id()

    assert moved != item
    assert client.sync("inbox", here).all("//t:Delete/t:ItemId/@Id") == [item]
    assert client.sync("junkemail", there).all("//t:Create//t:ItemId/@Id") == [moved]


def test_changes_between_two_pages_belong_to_the_next_run(client: Client) -> None:
    ids = {name: client.note(name) for name in ("a", "b", "c")}
    first = client.sync(limit=1)

    client.set_subject(*ids["a"], "a more")
    client.delete(ids["c"][0])
    fresh, _ = client.note("d")
    second = client.sync(state=first.text("//m:SyncState"))
    third = client.sync(state=second.text("//m:SyncState"))

    assert first.ids() == [ids["c"][0]]
    assert second.all("//t:Create//t:ItemId/@Id") == [ids["b"][0], ids["a"][0]]
    assert third.all("//t:Create//t:ItemId/@Id") == [fresh]
    assert third.all("//t:Update//t:ItemId/@Id") == [ids["a"][0]]
    assert third.all("//t:Delete/t:ItemId/@Id") == [ids["c"][0]]


@pytest.mark.parametrize(
    ("folder", "item", "ids"),
    [
        pytest.param("contacts", scenario.CONTACT, "Contact", marks=requirement("MS-OXWSSYNC_R1611")),
        pytest.param("contacts", scenario.LIST, "DistributionList", marks=requirement("MS-OXWSSYNC_R1631")),
        pytest.param("tasks", scenario.TASK.format(rule=""), "Task", marks=requirement("MS-OXWSSYNC_R1731")),
        pytest.param("calendar", event(), "CalendarItem", marks=requirement("MS-OXWSSYNC_R1591")),
        pytest.param(
            "inbox",
            "<t:PostItem><t:Subject>P</t:Subject></t:PostItem>",
            "PostItem",
            marks=requirement("MS-OXWSSYNC_R1751"),
        ),
    ],
)
def test_each_kind_of_item_is_created_as_itself(client: Client, folder: str, item: str, ids: str) -> None:
    made = client.create(item, folder=folder).id()

    assert client.sync(folder).all(f"//t:Create/t:{ids}/t:ItemId/@Id") == [made]


@pytest.mark.parametrize(
    ("folder", "item", "kind"),
    [
        pytest.param("contacts", scenario.CONTACT, "Contact", marks=requirement("MS-OXWSSYNC_R1612")),
        pytest.param("contacts", scenario.LIST, "DistributionList", marks=requirement("MS-OXWSSYNC_R1632")),
        pytest.param("tasks", scenario.TASK.format(rule=""), "Task", marks=requirement("MS-OXWSSYNC_R1732")),
        pytest.param("calendar", event(), "CalendarItem", marks=requirement("MS-OXWSSYNC_R1592")),
        pytest.param(
            "inbox",
            "<t:PostItem><t:Subject>P</t:Subject></t:PostItem>",
            "PostItem",
            marks=requirement("MS-OXWSSYNC_R1752"),
        ),
    ],
)
def test_each_kind_of_item_is_updated_as_itself(client: Client, folder: str, item: str, kind: str) -> None:
    made = client.create(item, folder=folder)
    state = client.sync(folder).text("//m:SyncState")

    client.update(made.id(), made.key(), set_field("item:Subject", kind, "<t:Subject>Changed</t:Subject>"))

    assert client.sync(folder, state).all(f"//t:Update/t:{kind}/t:ItemId/@Id") == [made.id()]


@requirement("MS-OXWSSYNC_R1671", "MS-OXWSSYNC_R1691", "MS-OXWSSYNC_R1711")
def test_meeting_messages_are_created_as_themselves(client: Client, bens_client: Client) -> None:
    made = client.create(event(attendee(BEN)), attributes='SendMeetingInvitations="SendToAllAndSaveCopy"')
    request = bens_client.sync().all("//t:Create/t:MeetingRequest/t:ItemId/@Id")
    bens_client.create(
        f"<t:AcceptItem><t:ReferenceItemId Id='{request[0]}'/></t:AcceptItem>",
        attributes='MessageDisposition="SendOnly"',
    )
    client.delete(made.id(), attributes='SendMeetingCancellations="SendOnlyToAll"')

    assert len(client.sync().all("//t:Create/t:MeetingResponse")) == 1
    assert len(bens_client.sync().all("//t:Create/t:MeetingCancellation")) == 1


# SyncFolderHierarchy

SHAPE = "<m:FolderShape><t:BaseShape>{}</t:BaseShape></m:FolderShape>"


def hierarchy(client: Client, state: str = "", *, folder: str = "", base: str = "IdOnly"):
    wanted = f"<m:SyncFolderId>{folder_xml(folder)}</m:SyncFolderId>" if folder else ""
    given = f"<m:SyncState>{state}</m:SyncState>" if state else ""
    return client.send(f"<m:SyncFolderHierarchy>{SHAPE.format(base)}{wanted}{given}</m:SyncFolderHierarchy>")


def make_folder(
    client: Client, name: str = "Made", *, parent: str = "msgfolderroot", kind: str = "Folder", more: str = ""
) -> str:
    reply = client.send(
        f"<m:CreateFolder><m:ParentFolderId>{folder_xml(parent)}</m:ParentFolderId><m:Folders><t:{kind}>{more}<t:DisplayName>{name}</t:DisplayName></t:{kind}></m:Folders></m:CreateFolder>"
    )
    assert reply.code == "NoError", reply.data
    return reply.all("//t:FolderId/@Id")[0]


def change_folder(client: Client, folder: str, name: str):
    return client.send(
        f"<m:UpdateFolder><m:FolderChanges><t:FolderChange>{folder_xml(folder)}<t:Updates><t:SetFolderField><t:FieldURI FieldURI='folder:DisplayName'/>"
        f"<t:Folder><t:DisplayName>{name}</t:DisplayName></t:Folder></t:SetFolderField></t:Updates></t:FolderChange></m:FolderChanges></m:UpdateFolder>"
    )


def delete_folder(client: Client, folder: str, how: str = "HardDelete"):
    return client.send(
        f"<m:DeleteFolder DeleteType='{how}'><m:FolderIds>{folder_xml(folder)}</m:FolderIds></m:DeleteFolder>"
    )


def get_folder(client: Client, folder: str, extra: str = ""):
    more = f"<t:AdditionalProperties>{extra}</t:AdditionalProperties>" if extra else ""
    return client.send(
        f"<m:GetFolder><m:FolderShape><t:BaseShape>AllProperties</t:BaseShape>{more}</m:FolderShape><m:FolderIds>{folder_xml(folder)}</m:FolderIds></m:GetFolder>"
    )


@requirement(
    "MS-OXWSSYNC_R262",
    "MS-OXWSSYNC_R263",
    "MS-OXWSSYNC_R2632",
    "MS-OXWSSYNC_R460",
    "MS-OXWSSYNC_R4601",
    "MS-OXWSSYNC_R44",
)
def test_without_a_state_all_folders_are_returned(client: Client) -> None:
    first, again = hierarchy(client), hierarchy(client)

    assert first.all("//t:Create//t:FolderId/@Id") == again.all("//t:Create//t:FolderId/@Id")
    assert len(first.all("//m:SyncFolderHierarchyResponseMessage")) == 1
    assert first.text("//m:IncludesLastFolderInRange") == "true"


@requirement(
    "MS-OXWSSYNC_R503", "MS-OXWSSYNC_R2631", "MS-OXWSSYNC_R84", "MS-OXWSSYNC_R85", "MS-OXWSSYNC_R117", "MS-OXWSSYNC_R49", "MS-OXWSSYNC_R10010",
    "MS-OXWSSYNC_R10020", "MS-OXWSSYNC_R259",
)  # fmt: skip
def test_with_a_state_only_folders_that_changed_are_returned(client: Client) -> None:
    renamed, gone = make_folder(client, "Old"), make_folder(client, "Gone")
    state = hierarchy(client, folder="msgfolderroot").text("//m:SyncState")

    made = make_folder(client, "New")
    change_folder(client, renamed, "Renamed")
    delete_folder(client, gone)
    reply = hierarchy(client, state, folder="msgfolderroot", base="Default")

    assert reply.all("//t:Create/t:Folder/t:FolderId/@Id") == [made]
    assert reply.all("//t:Update/t:Folder/t:DisplayName/text()") == ["Renamed"]
    assert reply.all("//t:Delete/t:FolderId/@Id") == [gone]


@requirement("MS-OXWSSYNC_R260", "MS-OXWSSYNC_R2601", "MS-OXWSSYNC_R2602")
def test_the_folder_to_synchronise_may_be_named_or_not(client: Client) -> None:
    assert hierarchy(client).code == hierarchy(client, folder="msgfolderroot").code == "NoError"


@requirement("MS-OXWSSYNC_R2571", "MS-OXWSSYNC_R2572", "MS-OXWSSYNC_R2573")
def test_the_shape_says_which_properties_a_folder_has(client: Client) -> None:
    tags = {
        base: {
            child.tag.rpartition("}")[2] for child in hierarchy(client, base=base).one("//t:Create/t:Folder")
        }
        for base in ("IdOnly", "Default", "AllProperties")
    }

    assert tags["IdOnly"] == {"FolderId"}
    assert tags["Default"] == {"FolderId", "DisplayName", "TotalCount", "ChildFolderCount", "UnreadCount"}
    assert tags["AllProperties"] > tags["Default"]


@requirement("MS-OXWSSYNC_R1021", "MS-OXWSSYNC_R1041", "MS-OXWSSYNC_R1081")
def test_each_kind_of_folder_is_created_as_itself(client: Client) -> None:
    state = hierarchy(client).text("//m:SyncState")
    made = {
        kind: make_folder(client, kind, kind=kind)
        for kind in ("CalendarFolder", "ContactsFolder", "TasksFolder")
    }

    reply = hierarchy(client, state)

    assert {kind: reply.all(f"//t:Create/t:{kind}/t:FolderId/@Id") for kind in made} == {
        kind: [folder] for kind, folder in made.items()
    }


@requirement("MS-OXWSCDATA_R5188")
def test_a_hierarchy_state_of_another_folder_is_refused(client: Client) -> None:
    state = hierarchy(client, folder="inbox").text("//m:SyncState")

    assert hierarchy(client, state, folder="msgfolderroot").code == "ErrorInvalidSyncStateData"
    assert hierarchy(client, client.sync().text("//m:SyncState")).code == "ErrorInvalidSyncStateData"


# Items


@requirement(
    "MS-OXWSCORE_R2018", "MS-OXWSCORE_R2019", "MS-OXWSCORE_R2020", "MS-OXWSCORE_R2021", "MS-OXWSCORE_R2022"
)
def test_each_kind_of_item_has_its_class(client: Client) -> None:
    kinds = {
        "IPM.Contact": (scenario.CONTACT, "contacts"),
        "IPM.Appointment": (event(), "calendar"),
        "IPM.Post": ("<t:PostItem><t:Subject>P</t:Subject></t:PostItem>", "inbox"),
        "IPM.Task": (scenario.TASK.format(rule=""), "tasks"),
        "IPM.DistList": (scenario.LIST, "contacts"),
    }

    found = {
        name: client.get(client.create(item, folder=folder).id()).text("//t:ItemClass")
        for name, (item, folder) in kinds.items()
    }

    assert found == {name: name for name in kinds}


@requirement("MS-OXWSCORE_R2023", "MS-OXWSCDATA_R619")
@pytest.mark.parametrize(
    "item",
    [
        "<t:Message><t:ItemClass>IPM.Contact</t:ItemClass></t:Message>",
        "<t:Contact><t:ItemClass>IPM.Note</t:ItemClass></t:Contact>",
        "<t:Task><t:ItemClass>IPM.Post</t:ItemClass></t:Task>",
    ],
)
def test_a_class_of_another_kind_is_refused(client: Client, item: str) -> None:
    assert client.create(item).code == "ErrorObjectTypeChanged"


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("Normal", marks=requirement("MS-OXWSCORE_R1651")),
        pytest.param("Personal", marks=requirement("MS-OXWSCORE_R1652")),
        pytest.param("Private", marks=requirement("MS-OXWSCORE_R1653")),
        pytest.param("Confidential", marks=requirement("MS-OXWSCORE_R1650")),
    ],
)
def test_each_sensitivity_is_kept(client: Client, value: str) -> None:
    item, _ = client.note("x", f"<t:Sensitivity>{value}</t:Sensitivity>")

    assert client.get(item).text("//t:Sensitivity") == value


@requirement("MS-OXWSCORE_R1679", "MS-OXWSCORE_R1680")
def test_a_body_is_html_or_text(client: Client) -> None:
    html, text = (
        client.note("x", "<t:Body BodyType='HTML'>&lt;b&gt;x&lt;/b&gt;</t:Body>")[0],
        client.note("x", "<t:Body BodyType='Text'>x</t:Body>")[0],
    )

    assert client.get(html).one("//t:Body").get("BodyType") == "HTML"
    assert client.get(text).one("//t:Body").get("BodyType") == "Text"


@requirement("MS-OXWSCORE_R1620", "MS-OXWSCORE_R1621", "MS-OXWSATT_R53201")
def test_an_item_says_whether_it_has_attachments(client: Client) -> None:
    item, _ = client.note("x")
    before = client.get(item).text("//t:HasAttachments")

    client.send(
        f"<m:CreateAttachment><m:ParentItemId Id='{item}'/><m:Attachments><t:FileAttachment><t:Name>f</t:Name><t:Content>YQ==</t:Content></t:FileAttachment></m:Attachments></m:CreateAttachment>"
    )

    assert (before, client.get(item).text("//t:HasAttachments")) == ("false", "true")


@requirement("MS-OXWSCORE_R1616", "MS-OXWSCORE_R1617")
def test_an_item_says_whether_a_reminder_is_set(client: Client) -> None:
    found = [
        client.get(client.create(event(head=f"<t:ReminderIsSet>{value}</t:ReminderIsSet>")).id()).text(
            "//t:ReminderIsSet"
        )
        for value in ("true", "false")
    ]

    assert found == ["true", "false"]


@requirement(
    "MS-OXWSCORE_R1608", "MS-OXWSCORE_R1609", "MS-OXWSCORE_R84", "MS-OXWSCORE_R1607", "MS-OXWSCORE_R1613"
)
def test_a_message_is_a_draft_until_it_is_sent(client: Client, bens_client: Client) -> None:
    to = f"<t:ToRecipients><t:Mailbox><t:EmailAddress>{BEN}</t:EmailAddress></t:Mailbox></t:ToRecipients>"
    draft = client.create(message("d", to))
    before = client.get(draft.id())

    client.send(
        f"<m:SendItem SaveItemToFolder='true'><m:ItemIds><t:ItemId Id='{draft.id()}' ChangeKey='{draft.key()}'/></m:ItemIds></m:SendItem>"
    )
    received = bens_client.get(bens_client.find().id())

    assert (before.text("//t:IsDraft"), received.text("//t:IsDraft")) == ("true", "false")
    assert (received.text("//t:IsSubmitted"), received.text("//t:IsResend")) == ("false", "false")


@requirement("MS-OXWSCORE_R85", "MS-OXWSCORE_R1611")
@pytest.mark.parametrize(("to", "expected"), [(ANNA, "true"), (BEN, "false")])
def test_a_message_says_whether_one_sent_it_to_oneself(client: Client, to: str, expected: str) -> None:
    addressed = (
        f"<t:ToRecipients><t:Mailbox><t:EmailAddress>{to}</t:EmailAddress></t:Mailbox></t:ToRecipients>"
    )
    client.create(message("self", addressed), attributes='MessageDisposition="SendAndSaveCopy"')

    assert client.get(client.find("sentitems").id()).text("//t:IsFromMe") == expected


@requirement("MS-OXWSCORE_R87", "MS-OXWSCORE_R1614", "MS-OXWSCORE_R1615")
def test_a_message_says_whether_it_was_modified(client: Client) -> None:
    item, key = client.note("x")
    before = client.get(item).text("//t:IsUnmodified")

    client.set_subject(item, key, "y")

    assert (before, client.get(item).text("//t:IsUnmodified")) == ("true", "false")


@requirement("MS-OXWSCORE_R96", "MS-OXWSCORE_R97", "MS-OXWSCORE_R98", "MS-OXWSCORE_R99", "MS-OXWSCORE_R2036")
def test_display_texts_are_the_names_of_the_recipients(client: Client) -> None:
    people = "".join(
        f"<t:Mailbox><t:Name>{name}</t:Name><t:EmailAddress>{name}@x.test</t:EmailAddress></t:Mailbox>"
        for name in ("Eva", "Tom")
    )
    item = client.create(
        message("x", f"<t:ToRecipients>{people}</t:ToRecipients><t:CcRecipients>{people}</t:CcRecipients>")
    ).id()

    found = client.get(item)

    assert (found.text("//t:DisplayTo"), found.text("//t:DisplayCc")) == ("Eva; Tom", "Eva; Tom")


@requirement("MS-OXWSCORE_R69")
def test_mime_content_is_base64_of_the_message(client: Client) -> None:
    import base64

    item, _ = client.note("In MIME")

    data = base64.b64decode(
        client.get(item, shape="<t:IncludeMimeContent>true</t:IncludeMimeContent>").text("//t:MimeContent"),
        validate=True,
    )

    assert b"Subject: In MIME" in data


@requirement("MS-OXWSCDATA_R713", "MS-OXWSCORE_R23093")
@pytest.mark.parametrize(
    ("item", "folder"),
    [(scenario.CONTACT, "contacts"), (scenario.TASK.format(rule=""), "tasks"), (scenario.LIST, "contacts")],
)
def test_exchange_2010_has_mime_of_messages_and_events_only(client: Client, item: str, folder: str) -> None:
    made = client.create(item, folder=folder).id()
    client.version = "Exchange2010_SP2"

    assert (
        client.get(made, shape="<t:IncludeMimeContent>true</t:IncludeMimeContent>").code
        == "ErrorUnsupportedMimeConversion"
    )


@requirement("MS-OXWSCORE_R23091")
def test_later_versions_have_mime_of_everything(client: Client) -> None:
    made = client.create(scenario.CONTACT, folder="contacts").id()

    assert (
        client.get(made, shape="<t:IncludeMimeContent>true</t:IncludeMimeContent>")
        .one("//t:MimeContent")
        .text
    )


@requirement("MS-OXWSCORE_R2002", "MS-OXWSCORE_R2005", "MS-OXWSCORE_R2008", "MS-OXWSCORE_R2010")
@pytest.mark.parametrize(
    "flag",
    [
        "<t:FlagStatus>Flagged</t:FlagStatus><t:StartDate>2026-03-02T00:00:00Z</t:StartDate>",
        "<t:FlagStatus>Flagged</t:FlagStatus><t:CompleteDate>2026-03-02T00:00:00Z</t:CompleteDate>",
        "<t:FlagStatus>NotFlagged</t:FlagStatus><t:DueDate>2026-03-02T00:00:00Z</t:DueDate>",
        "<t:FlagStatus>Complete</t:FlagStatus><t:StartDate>2026-03-02T00:00:00Z</t:StartDate><t:DueDate>2026-03-02T00:00:00Z</t:DueDate>",
    ],
)
def test_dates_that_do_not_go_with_a_flags_status_are_refused(client: Client, flag: str) -> None:
    assert client.create(message("x", f"<t:Flag>{flag}</t:Flag>")).code == "ErrorInvalidArgument"


@requirement(
    "MS-OXWSCORE_R1648",
    "MS-OXWSCORE_R1649",
    "MS-OXWSCORE_R465",
    "MS-OXWSCORE_R463",
    "MS-OXWSCORE_R424",
    "MS-OXWSCORE_R462",
)
@pytest.mark.parametrize(("save", "kept"), [("true", 1), ("false", 0)])
def test_a_copy_of_what_is_sent_is_kept_if_wanted(
    client: Client, bens_client: Client, save: str, kept: int
) -> None:
    to = f"<t:ToRecipients><t:Mailbox><t:EmailAddress>{BEN}</t:EmailAddress></t:Mailbox></t:ToRecipients>"
    draft = client.create(message("d", to))
    folder = f"<m:SavedItemFolderId>{folder_xml('junkemail')}</m:SavedItemFolderId>" if save == "true" else ""

    client.send(
        f"<m:SendItem SaveItemToFolder='{save}'><m:ItemIds><t:ItemId Id='{draft.id()}' ChangeKey='{draft.key()}'/></m:ItemIds>{folder}</m:SendItem>"
    )

    assert (count(client, "junkemail"), count(bens_client, "inbox"), count(client, "drafts")) == (kept, 1, 0)


@requirement("MS-OXWSCORE_R388", "MS-OXWSCORE_R45", "MS-OXWSCORE_R46", "MS-OXWSCORE_R47")
def test_a_move_takes_the_item_to_its_folder_and_tells_its_id_if_wanted(client: Client) -> None:
    first, second = client.note("a")[0], client.note("b")[0]
    body = "<m:MoveItem><m:ToFolderId>{}</m:ToFolderId><m:ItemIds><t:ItemId Id='{}'/></m:ItemIds><m:ReturnNewItemIds>{}</m:ReturnNewItemIds></m:MoveItem>"

    told = client.send(body.format(folder_xml("junkemail"), first, "true"))
    untold = client.send(body.format(folder_xml("junkemail"), second, "false"))

    assert told.ids() == [
        client.find(
            "junkemail", order=f"<t:FieldOrder Order='Ascending'>{field_uri('item:Subject')}</t:FieldOrder>"
        ).id()
    ]
    assert untold.ids() == []
    assert (count(client, "inbox"), count(client, "junkemail")) == (0, 2)


@requirement("MS-OXWSCORE_R1600", "MS-OXWSCORE_R1601")
def test_a_copy_leaves_the_item_where_it_is(client: Client) -> None:
    item, _ = client.note("a", scenario.EXTENDED)

    copied = client.send(
        f"<m:CopyItem><m:ToFolderId>{folder_xml('junkemail')}</m:ToFolderId><m:ItemIds><t:ItemId Id='{item}'/></m:ItemIds></m:CopyItem>"
    ).id()

    assert client.get(item).code == "NoError"
    assert client.find("junkemail").ids() == [copied]
    assert client.get(copied, extra=PROP).text("//t:ExtendedProperty/t:Value") == "t-1"


@requirement(
    "MS-OXWSCORE_R466", "MS-OXWSCORE_R555", "MS-OXWSCORE_R556", "MS-OXWSCORE_R557", "MS-OXWSCORE_R561"
)
def test_an_update_sets_appends_and_deletes(client: Client) -> None:
    item, key = client.note(
        "x", "<t:Body BodyType='Text'>one</t:Body><t:Categories><t:String>Red</t:String></t:Categories>"
    )

    client.update(
        item,
        key,
        set_field("item:Subject", "Message", "<t:Subject>y</t:Subject>")
        + append_field("item:Body", "Message", "<t:Body BodyType='Text'> two</t:Body>")
        + delete_field("item:Categories"),
    )
    found = client.get(item)

    assert (found.subjects(), found.text("//t:Body"), found.all("//t:Categories")) == (["y"], "one two", [])


@requirement("MS-OXWSCDATA_R335")
def test_a_change_sets_one_property_only(client: Client) -> None:
    item, key = client.note("x")

    reply = client.update(
        item,
        key,
        set_field(
            "item:Subject", "Message", "<t:Subject>y</t:Subject><t:Sensitivity>Private</t:Sensitivity>"
        ),
    )

    assert reply.code == "ErrorIncorrectUpdatePropertyCount"


@requirement("MS-OXWSCORE_R61", "MS-OXWSCORE_R65")
@pytest.mark.parametrize(
    ("how", "code", "subject"),
    [
        ("NeverOverwrite", "ErrorIrresolvableConflict", "theirs"),
        ("AlwaysOverwrite", "NoError", "mine"),
        ("AutoResolve", "NoError", "mine"),
    ],
)
def test_conflicts_are_settled_as_the_caller_says(client: Client, how: str, code: str, subject: str) -> None:
    item, key = client.note("x")
    client.set_subject(item, key, "theirs")

    reply = client.set_subject(item, key, "mine", resolution=how)

    assert (reply.code, client.get(item).subjects()) == (code, [subject])
    if code == "NoError":
        assert reply.text("//m:ConflictResults/t:Count") == "0"


def test_an_update_without_a_change_key_is_refused_unless_it_overwrites(client: Client) -> None:
    item, _ = client.note("x")

    assert client.set_subject(item, "", "y").code == "ErrorChangeKeyRequiredForWriteOperations"
    assert client.set_subject(item, "", "y", resolution="AlwaysOverwrite").code == "NoError"


# Contacts and tasks


@requirement("MS-OXWSCONT_R301001", "MS-OXWSCDATA_R262")
def test_a_contact_is_made_in_a_contacts_folder_only(client: Client) -> None:
    assert (
        client.create(scenario.CONTACT, folder="inbox").code == "ErrorCannotCreateContactInNonContactFolder"
    )
    assert client.create(scenario.CONTACT, folder="contacts").code == "NoError"


@requirement(
    "MS-OXWSCONT_R355",
    "MS-OXWSCONT_R356",
    "MS-OXWSCONT_R357",
    "MS-OXWSCONT_R196",
    "MS-OXWSCONT_R198",
    "MS-OXWSCONT_R200",
    "MS-OXWSCONT_R202",
    "MS-OXWSCONT_R204",
    "MS-OXWSCONT_R208",
    "MS-OXWSCONT_R35",
)
def test_a_complete_name_is_made_of_the_names(client: Client) -> None:
    found = client.get(client.create(scenario.CONTACT, folder="contacts").id())

    name = {child.tag.rpartition("}")[2]: child.text for child in found.one("//t:CompleteName")}

    assert name == {
        "FirstName": "Eva",
        "MiddleName": "M",
        "LastName": "Ng",
        "Suffix": "II",
        "Initials": "E.",
        "FullName": "Eva M Ng",
        "Nickname": "Ev",
    }


# Attachments


@requirement("MS-OXWSATT_R78002")
def test_an_item_attachment_without_an_item_is_refused(client: Client) -> None:
    item, _ = client.note("x")

    reply = client.send(
        f"<m:CreateAttachment><m:ParentItemId Id='{item}'/><m:Attachments><t:ItemAttachment><t:Name>x</t:Name></t:ItemAttachment></m:Attachments></m:CreateAttachment>"
    )

    assert reply.code == "ErrorMissingItemForCreateItemAttachment"


@requirement("MS-OXWSATT_R318001")
@pytest.mark.parametrize(
    "kind", ["MeetingMessage", "MeetingRequest", "MeetingResponse", "MeetingCancellation"]
)
def test_meeting_messages_cannot_be_attached(client: Client, kind: str) -> None:
    item, _ = client.note("x")

    reply = client.send(
        f"<m:CreateAttachment><m:ParentItemId Id='{item}'/><m:Attachments><t:ItemAttachment><t:Name>x</t:Name><t:{kind}/></t:ItemAttachment></m:Attachments></m:CreateAttachment>"
    )

    assert reply.code == "ErrorInvalidItemForOperationCreateItemAttachment"


@requirement(
    "MS-OXWSATT_R533",
    "MS-OXWSATT_R534",
    "MS-OXWSATT_R43",
    "MS-OXWSATT_R45",
    "MS-OXWSATT_R443",
    "MS-OXWSATT_R446",
    "MS-OXWSATT_R439",
    "MS-OXWSATT_R440",
    "MS-OXWSATT_R482",
    "MS-OXWSATT_R556",
    "MS-OXWSATT_R466",
)
def test_attachments_are_made_read_and_deleted_and_change_their_item(client: Client) -> None:
    import base64

    item, key = client.note("x")
    made = client.send(
        f"<m:CreateAttachment><m:ParentItemId Id='{item}'/><m:Attachments><t:FileAttachment><t:Name>f.txt</t:Name><t:Content>YWJj</t:Content></t:FileAttachment></m:Attachments></m:CreateAttachment>"
    ).one("//t:AttachmentId")
    read = client.send(
        f"<m:GetAttachment><m:AttachmentIds><t:AttachmentId Id='{made.get('Id')}'/></m:AttachmentIds></m:GetAttachment>"
    )
    gone = client.send(
        f"<m:DeleteAttachment><m:AttachmentIds><t:AttachmentId Id='{made.get('Id')}'/></m:AttachmentIds></m:DeleteAttachment>"
    ).one("//m:RootItemId")

    assert (read.text("//t:Name"), read.text("//t:Content")) == ("f.txt", "YWJj")
    assert made.get("RootItemId") == gone.get("RootItemId") == item
    assert len({key, made.get("RootItemChangeKey"), gone.get("RootItemChangeKey")}) == 3
    assert gone.get("RootItemChangeKey") == client.get(item).key()
    assert all(
        len(base64.b64decode(value)) <= 512 for value in (*made.attrib.values(), *gone.attrib.values())
    )
    assert client.get(item).all("//t:Attachments") == []


@requirement("MS-OXWSATT_R479001", "MS-OXWSATT_R479002")
@pytest.mark.parametrize(("asked", "there"), [("true", False), ("false", True)])
def test_scripts_of_an_attached_item_are_filtered_if_wanted(client: Client, asked: str, there: bool) -> None:
    item, _ = client.note("x")
    inner = message(
        "inner", "<t:Body BodyType='HTML'>&lt;p&gt;hi&lt;script&gt;evil()&lt;/script&gt;&lt;/p&gt;</t:Body>"
    )
    made = client.send(
        f"<m:CreateAttachment><m:ParentItemId Id='{item}'/><m:Attachments><t:ItemAttachment><t:Name>x</t:Name>{inner}</t:ItemAttachment></m:Attachments></m:CreateAttachment>"
    ).all("//t:AttachmentId/@Id")[0]

    read = client.send(
        f"<m:GetAttachment><m:AttachmentShape><t:FilterHtmlContent>{asked}</t:FilterHtmlContent></m:AttachmentShape><m:AttachmentIds><t:AttachmentId Id='{made}'/></m:AttachmentIds></m:GetAttachment>"
    )

    assert ("evil" in read.text("//t:Body")) is there


# Folders


@requirement(
    "MS-OXWSFOLD_R70",
    "MS-OXWSFOLD_R585",
    "MS-OXWSFOLD_R586",
    "MS-OXWSFOLD_R587",
    "MS-OXWSFOLD_R588",
    "MS-OXWSFOLD_R589",
    "MS-OXWSFOLD_R8402",
)
@pytest.mark.parametrize(
    ("role", "folder_class"),
    [
        ("calendar", "IPF.Appointment"),
        ("contacts", "IPF.Contact"),
        ("journal", "IPF.Journal"),
        ("inbox", "IPF.Note"),
        ("notes", "IPF.StickyNote"),
        ("tasks", "IPF.Task"),
    ],
)
def test_distinguished_folders_have_their_classes(client: Client, role: str, folder_class: str) -> None:
    found = get_folder(client, role, "<t:FieldURI FieldURI='folder:DistinguishedFolderId'/>")

    assert (found.text("//t:FolderClass"), found.text("//t:DistinguishedFolderId")) == (folder_class, role)


@requirement("MS-OXWSFOLD_R5890", "MS-OXWSFOLD_R5892", "MS-OXWSFOLD_R589201", "MS-OXWSFOLD_R589202")
def test_a_folder_may_have_a_class_of_its_own(client: Client) -> None:
    own, plain = (
        make_folder(client, "Own", more="<t:FolderClass>IPF.MyOwn</t:FolderClass>"),
        make_folder(client, "Plain"),
    )

    assert get_folder(client, own).text("//t:FolderClass") == "IPF.MyOwn"
    assert get_folder(client, plain).text("//t:FolderClass") == "IPF.Note"


@requirement("MS-OXWSFOLD_R67", "MS-OXWSFOLD_R71021")
def test_a_new_folder_has_a_name_and_no_id(client: Client) -> None:
    body = "<m:CreateFolder><m:ParentFolderId><t:DistinguishedFolderId Id='inbox'/></m:ParentFolderId><m:Folders><t:Folder>{}</t:Folder></m:Folders></m:CreateFolder>"

    assert (
        client.send(body.format("<t:FolderId Id='x'/><t:DisplayName>x</t:DisplayName>")).code
        == "ErrorInvalidPropertySet"
    )
    assert client.send(body.format("")).code == "ErrorFolderSavePropertyError"


@requirement("MS-OXWSFOLD_R216", "MS-OXWSFOLD_R217", "MS-OXWSFOLD_R252")
def test_a_folder_needs_a_parent_and_a_name_nobody_has(client: Client) -> None:
    parent = make_folder(client, "Parent")
    make_folder(client, "Child", parent=parent)
    body = f"<m:CreateFolder><m:ParentFolderId>{folder_xml(parent)}</m:ParentFolderId><m:Folders><t:Folder><t:DisplayName>Child</t:DisplayName></t:Folder></m:Folders></m:CreateFolder>"

    again = client.send(body)
    delete_folder(client, parent)

    assert again.code == "ErrorFolderExists"
    assert client.send(body).code == "ErrorParentFolderNotFound"


@requirement(
    "MS-OXWSFOLD_R7201",
    "MS-OXWSFOLD_R5900",
    "MS-OXWSFOLD_R7501",
    "MS-OXWSFOLD_R5912",
    "MS-OXWSFOLD_R9901",
    "MS-OXWSFOLD_R10010",
    "MS-OXWSFOLD_R10011",
)
def test_a_folder_counts_its_items_its_unread_ones_and_its_folders(client: Client) -> None:
    make_folder(client, "Sub", parent="inbox")
    for read in ("true", "false", "false"):
        client.note("x", f"<t:IsRead>{read}</t:IsRead>")

    found = get_folder(client, "inbox")

    assert [found.text(f"//t:{name}") for name in ("TotalCount", "UnreadCount", "ChildFolderCount")] == [
        "3",
        "2",
        "1",
    ]


@requirement("MS-OXWSFOLD_R73", "MS-OXWSFOLD_R76", "MS-OXWSFOLD_R83")
@pytest.mark.parametrize("name", ["TotalCount", "ChildFolderCount", "EffectiveRights"])
def test_what_a_folder_counts_cannot_be_set(client: Client, name: str) -> None:
    folder = make_folder(client)
    value = (
        "<t:EffectiveRights><t:CreateAssociated>true</t:CreateAssociated><t:CreateContents>true</t:CreateContents><t:CreateHierarchy>true</t:CreateHierarchy><t:Delete>true</t:Delete><t:Modify>true</t:Modify><t:Read>true</t:Read></t:EffectiveRights>"
        if name == "EffectiveRights"
        else f"<t:{name}>7</t:{name}>"
    )

    reply = client.send(
        f"<m:UpdateFolder><m:FolderChanges><t:FolderChange>{folder_xml(folder)}<t:Updates><t:SetFolderField><t:FieldURI FieldURI='folder:{name}'/><t:Folder>{value}</t:Folder></t:SetFolderField></t:Updates></t:FolderChange></m:FolderChanges></m:UpdateFolder>"
    )

    assert reply.code == "ErrorInvalidPropertySet"


@requirement("MS-OXWSFOLD_R507")
def test_nothing_is_appended_to_a_folder(client: Client) -> None:
    folder = make_folder(client)

    reply = client.send(
        f"<m:UpdateFolder><m:FolderChanges><t:FolderChange>{folder_xml(folder)}<t:Updates><t:AppendToFolderField><t:FieldURI FieldURI='folder:DisplayName'/><t:Folder><t:DisplayName>x</t:DisplayName></t:Folder></t:AppendToFolderField></t:Updates></t:FolderChange></m:FolderChanges></m:UpdateFolder>"
    )

    assert reply.codes == ["ErrorInvalidPropertyAppend"]


@requirement("MS-OXWSFOLD_R308")
@pytest.mark.parametrize("role", ["inbox", "deleteditems", "calendar"])
def test_distinguished_folders_cannot_be_deleted(client: Client, role: str) -> None:
    assert delete_folder(client, role).code == "ErrorDeleteDistinguishedFolder"


@requirement("MS-OXWSFOLD_R306", "MS-OXWSFOLD_R34301", "MS-OXWSFOLD_R341")
def test_a_folder_deleted_for_good_is_gone(client: Client) -> None:
    folder = make_folder(client)

    delete_folder(client, folder)

    assert get_folder(client, folder).code == "ErrorFolderNotFound"


@requirement("MS-OXWSFOLD_R34302")
def test_a_folder_may_go_to_the_deleted_items(client: Client) -> None:
    folder = make_folder(client)

    delete_folder(client, folder, "MoveToDeletedItems")

    assert get_folder(client, folder).all("//t:ParentFolderId/@Id") == get_folder(client, "deleteditems").all(
        "//t:FolderId/@Id"
    )


@requirement("MS-OXWSFOLD_R429", "MS-OXWSFOLD_R594", "MS-OXWSFOLD_R595", "MS-OXWSFOLD_R596")
def test_a_folder_moves_with_all_it_has(client: Client) -> None:
    folder = make_folder(client, "Case", more="<t:FolderClass>IPF.Note.Case</t:FolderClass>")
    make_folder(client, "Sub", parent=folder)
    client.note("inside", folder=folder)

    client.send(
        f"<m:MoveFolder><m:ToFolderId>{folder_xml('inbox')}</m:ToFolderId><m:FolderIds>{folder_xml(folder)}</m:FolderIds></m:MoveFolder>"
    )
    found = get_folder(client, folder)

    assert found.all("//t:ParentFolderId/@Id") == get_folder(client, "inbox").all("//t:FolderId/@Id")
    assert [
        found.text(f"//t:{name}") for name in ("DisplayName", "FolderClass", "TotalCount", "ChildFolderCount")
    ] == ["Case", "IPF.Note.Case", "1", "1"]


@requirement(
    "MS-OXWSFOLD_R37801",
    "MS-OXWSFOLD_R37802",
    "MS-OXWSFOLD_R3791",
    "MS-OXWSFOLD_R380",
    "MS-OXWSFOLD_R381",
    "MS-OXWSFOLD_R367",
)
@pytest.mark.parametrize(
    ("how", "subfolders", "trash", "left"),
    [("HardDelete", "true", 0, "0"), ("MoveToDeletedItems", "false", 1, "1")],
)
def test_emptying_a_folder(client: Client, how: str, subfolders: str, trash: int, left: str) -> None:
    folder = make_folder(client)
    make_folder(client, "Sub", parent=folder)
    client.note("inside", folder=folder)

    client.send(
        f"<m:EmptyFolder DeleteType='{how}' DeleteSubFolders='{subfolders}'><m:FolderIds>{folder_xml(folder)}</m:FolderIds></m:EmptyFolder>"
    )

    assert (count(client, folder), count(client, "deleteditems")) == (0, trash)
    assert get_folder(client, folder).text("//t:ChildFolderCount") == left


@requirement(
    "MS-OXWSFOLD_R7701",
    "MS-OXWSFOLD_R78",
    "MS-OXWSFOLD_R7801",
    "MS-OXWSFOLD_R5251",
    "MS-OXWSFOLD_R5261",
    "MS-OXWSFOLD_R583",
)
def test_a_folder_keeps_extended_properties_until_they_are_deleted(client: Client) -> None:
    folder = make_folder(client)
    change = "<m:UpdateFolder><m:FolderChanges><t:FolderChange>{}<t:Updates>{}</t:Updates></t:FolderChange></m:FolderChanges></m:UpdateFolder>"
    value = f"<t:SetFolderField>{PROP}<t:Folder><t:ExtendedProperty>{PROP}<t:Value>mine</t:Value></t:ExtendedProperty></t:Folder></t:SetFolderField>"

    client.send(change.format(folder_xml(folder), value))
    before = get_folder(client, folder, PROP).all("//t:ExtendedProperty/t:Value/text()")
    client.send(change.format(folder_xml(folder), f"<t:DeleteFolderField>{PROP}</t:DeleteFolderField>"))

    assert (before, get_folder(client, folder, PROP).all("//t:ExtendedProperty")) == (["mine"], [])


# Extended properties


@requirement(
    "MS-OXWSXPROP_R42",
    "MS-OXWSXPROP_R157",
    "MS-OXWSXPROP_R161",
    "MS-OXWSXPROP_R158",
    "MS-OXWSXPROP_R51",
    "MS-OXWSXPROP_R138",
    "MS-OXWSXPROP_R139",
    "MS-OXWSXPROP_R140",
    "MS-OXWSXPROP_R43",
    "MS-OXWSXPROP_R47",
    "MS-OXWSXPROP_R53",
    "MS-OXWSXPROP_R55",
)
@pytest.mark.parametrize(
    "attributes",
    [
        "DistinguishedPropertySetId='Common' PropertySetId='7b2a1b0e-2c1d-4b3f-9d8e-6a5b4c3d2e1f' PropertyName='x'",
        "DistinguishedPropertySetId='Common' PropertyTag='0x6001'",
        "PropertySetId='7b2a1b0e-2c1d-4b3f-9d8e-6a5b4c3d2e1f' PropertyTag='0x6001'",
        "PropertyTag='0x6001' PropertyName='x'",
        "PropertyTag='0x6001' PropertyId='1'",
        "DistinguishedPropertySetId='Common'",
        "PropertySetId='7b2a1b0e-2c1d-4b3f-9d8e-6a5b4c3d2e1f'",
        "PropertyName='x'",
        "PropertyId='1'",
    ],
)
def test_an_extended_property_named_by_the_wrong_parts_is_refused(client: Client, attributes: str) -> None:
    value = f"<t:ExtendedProperty><t:ExtendedFieldURI {attributes} PropertyType='String'/><t:Value>x</t:Value></t:ExtendedProperty>"

    assert client.create(message("x", value)).code == "ErrorInvalidExtendedProperty"


@requirement("MS-OXWSXPROP_R50", "MS-OXWSXPROP_R122")
def test_a_property_tag_is_hexadecimal_or_a_number(client: Client) -> None:
    item, _ = client.note(
        "x",
        "<t:ExtendedProperty><t:ExtendedFieldURI PropertyTag='0x6001' PropertyType='String'/><t:Value>v</t:Value></t:ExtendedProperty>",
    )

    found = client.get(item, extra="<t:ExtendedFieldURI PropertyTag='24577' PropertyType='String'/>")

    assert found.text("//t:ExtendedProperty/t:Value") == "v"


@requirement("MS-OXWSXPROP_R23")
def test_a_property_of_several_values_keeps_them(client: Client) -> None:
    item, _ = client.note("x", scenario.EXTENDED)

    assert client.get(item, extra=scenario.MANY).all("//t:Values/t:Value/text()") == ["a", "b"]


# Ids


@requirement(
    "MS-OXWSITEMID_R37",
    "MS-OXWSITEMID_R38",
    "MS-OXWSITEMID_R39",
    "MS-OXWSITEMID_R63",
    "MS-OXWSITEMID_R64",
    "MS-OXWSITEMID_R75",
    "MS-OXWSITEMID_R66",
    "MS-OXWSITEMID_R67",
    "MS-OXWSITEMID_R74",
)
def test_an_id_is_laid_out_as_the_specification_says(client: Client) -> None:
    import base64
    import struct
    from uuid import UUID

    item, _ = client.note("x")
    made = client.create(event(SERIES)).id()
    occurrence = client.get(f"<t:OccurrenceItemId RecurringMasterId='{made}' InstanceIndex='1'/>").id()

    for value, instruction in ((item, 0), (occurrence, 1)):
        data = base64.b64decode(value)
        compression, storage, length = struct.unpack_from("<BBH", data)
        guid = UUID(data[4 : 4 + length].decode())
        found, size = struct.unpack_from("<BH", data, 4 + length)
        assert (compression, storage, found) == (0, 3, instruction)
        assert len(data) == 7 + length + size
        assert str(guid)
    conversation = base64.b64decode(client.get(item).all("//t:ConversationId/@Id")[0])
    compression, storage, length = struct.unpack_from("<BBH", conversation)
    assert (compression, storage, struct.unpack_from("<BH", conversation, 4 + length)) == (0, 4, (0, 16))
    assert len(conversation) == 7 + length + 16
