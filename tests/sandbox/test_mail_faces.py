"""SMTP, IMAP and POP3 serve the same mailboxes as EWS: a change made through one is seen by the others."""

import poplib
import smtplib
from collections.abc import Iterator
from datetime import date
from email.message import EmailMessage

import pytest
from exchangelib import Account, Message
from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientError, LoginError
from sandbox.actors import ANNA, BEN, PASSWORD

from procession.sandbox.server import Sandbox


def at(endpoint: str) -> tuple[str, int]:
    host, _, port = endpoint.rpartition(":")
    return host, int(port)


def message(
    subject: str = "Hello", *, to: str = ANNA, sender: str = "customer@elsewhere.test"
) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"], mail["Message-ID"] = (
        sender,
        to,
        subject,
        f"<{subject.replace(' ', '')}@elsewhere.test>",
    )
    mail.set_content("First line\n.a dot\n")
    mail.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="offer.pdf")
    return mail


def deliver(sandbox: Sandbox, subject: str = "Hello") -> None:
    with smtplib.SMTP(*at(sandbox.endpoints.smtp)) as smtp:
        smtp.send_message(message(subject))


@pytest.fixture
def imap(sandbox: Sandbox) -> Iterator[IMAPClient]:
    host, port = at(sandbox.endpoints.imap)
    client = IMAPClient(host, port, ssl=False, timeout=20)
    client.login(ANNA, PASSWORD)
    yield client
    client.logout()


@pytest.fixture
def pop3(sandbox: Sandbox) -> poplib.POP3:
    client = poplib.POP3(*at(sandbox.endpoints.pop3), timeout=20)
    client.user(ANNA)
    client.pass_(PASSWORD)
    return client


def test_a_mail_taken_by_smtp_is_seen_by_every_other_face(
    sandbox: Sandbox, anna: Account, imap: IMAPClient
) -> None:
    deliver(sandbox)

    imap.select_folder("INBOX")
    pop3 = poplib.POP3(*at(sandbox.endpoints.pop3), timeout=20)
    pop3.user(ANNA)
    pop3.pass_(PASSWORD)

    assert anna.inbox.get(subject="Hello").attachments[0].name == "offer.pdf"
    assert imap.search(["SUBJECT", "Hello"])
    assert pop3.stat()[0] == 1
    pop3.quit()


def test_an_item_made_over_ews_is_read_over_imap_and_flags_come_back(anna: Account, imap: IMAPClient) -> None:
    Message(account=anna, folder=anna.inbox, subject="From EWS", body="Text", is_read=False).save()
    imap.select_folder("INBOX")
    (uid,) = imap.search("UNSEEN")

    imap.add_flags([uid], [b"\\Seen"])

    assert b"Subject: From EWS" in imap.fetch([uid], ["BODY.PEEK[HEADER]"])[uid][b"BODY[HEADER]"]
    assert anna.inbox.get(subject="From EWS").is_read


def test_a_read_flag_set_over_imap_is_a_read_flag_change_over_ews(
    sandbox: Sandbox, anna: Account, imap: IMAPClient
) -> None:
    deliver(sandbox)
    list(anna.inbox.sync_items(only_fields=["subject"]))
    state = anna.inbox.item_sync_state

    imap.select_folder("INBOX")
    imap.add_flags(imap.search(), [b"\\Seen"])

    assert [kind for kind, _ in anna.inbox.sync_items(sync_state=state, only_fields=["subject"])] == [
        "read_flag_change"
    ]


def test_a_stranger_may_write_to_users_but_not_through_to_others(sandbox: Sandbox) -> None:
    with smtplib.SMTP(*at(sandbox.endpoints.smtp)) as smtp:
        with pytest.raises(smtplib.SMTPRecipientsRefused) as unknown:
            smtp.sendmail("x@elsewhere.test", ["nobody@example.com"], b"x")
        with pytest.raises(smtplib.SMTPRecipientsRefused) as foreign:
            smtp.sendmail("x@elsewhere.test", ["y@elsewhere.test"], b"x")

    assert unknown.value.recipients["nobody@example.com"][0] == 550
    assert b"Unable to relay" in foreign.value.recipients["y@elsewhere.test"][1]


def test_a_user_who_logs_in_sends_as_themselves_and_nobody_else(sandbox: Sandbox) -> None:
    with smtplib.SMTP(*at(sandbox.endpoints.smtp)) as smtp:
        smtp.login(ANNA, PASSWORD)
        smtp.sendmail(ANNA, [BEN, "far@elsewhere.test"], message(to=BEN, sender=ANNA).as_bytes())
        with pytest.raises(smtplib.SMTPSenderRefused):
            smtp.sendmail(BEN, [ANNA], b"x")

    assert [(line.to, line.local) for line in sandbox.world.ledger] == [
        (BEN, True),
        ("far@elsewhere.test", False),
    ]


def test_a_wrong_password_is_refused_by_every_mail_face(sandbox: Sandbox) -> None:
    host, port = at(sandbox.endpoints.imap)
    imap, pop3 = IMAPClient(host, port, ssl=False), poplib.POP3(*at(sandbox.endpoints.pop3))
    with smtplib.SMTP(*at(sandbox.endpoints.smtp)) as smtp, pytest.raises(smtplib.SMTPAuthenticationError):
        smtp.login(ANNA, "wrong")
    pop3.user(ANNA)

    with pytest.raises(LoginError):
        imap.login(ANNA, "wrong")
    with pytest.raises(poplib.error_proto, match="Logon failure"):
        pop3.pass_("wrong")
    imap.shutdown()
    pop3.close()


def test_imap_lists_special_folders_and_keeps_names_of_any_script(imap: IMAPClient) -> None:
    imap.create_folder("Kunden/Süd & Ost")

    names = {name: flags for flags, _, name in imap.list_folders()}

    assert "Kunden/Süd & Ost" in names
    assert b"\\Drafts" in names["Drafts"]
    assert imap.find_special_folder(b"\\Sent") == "Sent Items"
    imap.rename_folder("Kunden/Süd & Ost", "Kunden/Nord")
    assert imap.folder_exists("Kunden/Nord")
    imap.delete_folder("Kunden/Nord")
    assert not imap.folder_exists("Kunden/Nord")


def test_imap_fetch_gives_structure_sections_and_parts(sandbox: Sandbox, imap: IMAPClient) -> None:
    deliver(sandbox)
    imap.select_folder("INBOX", readonly=True)
    (uid,) = imap.search()

    row = imap.fetch(
        [uid],
        [
            "ENVELOPE",
            "BODYSTRUCTURE",
            "RFC822.SIZE",
            "BODY[1]",
            "BODY[2.MIME]",
            "BODY[HEADER.FIELDS (SUBJECT)]",
            "BODY[TEXT]<0.2>",
            "FLAGS",
        ],
    )[uid]

    assert row[b"ENVELOPE"].subject == b"Hello"
    assert row[b"BODYSTRUCTURE"][0][1][:2] == (b"APPLICATION", b"PDF")
    assert row[b"BODY[1]"] == b"First line\r\n.a dot\r\n"
    assert b"offer.pdf" in row[b"BODY[2.MIME]"]
    assert row[b"BODY[HEADER.FIELDS (SUBJECT)]"] == b"Subject: Hello\r\n\r\n"
    assert row[b"BODY[TEXT]<0>"] == b"--"
    assert row[b"FLAGS"] == ()


def test_imap_append_answers_with_the_uid_and_the_message_is_whole(imap: IMAPClient, anna: Account) -> None:
    data = message("Filed").as_bytes().replace(b"\n", b"\r\n")

    answer = imap.append("Sent Items", data, [b"\\Seen"])
    imap.select_folder("Sent Items")
    (uid,) = imap.search()

    assert f" {uid}]".encode() in answer
    assert imap.fetch([uid], ["RFC822"])[uid][b"RFC822"] == data
    assert anna.sent.get(subject="Filed").mime_content == data


def test_imap_copy_and_move_answer_with_both_uids(sandbox: Sandbox, imap: IMAPClient, anna: Account) -> None:
    deliver(sandbox)
    imap.select_folder("INBOX")
    (uid,) = imap.search()

    typ, _data = imap._imap.uid("COPY", str(uid), "Drafts")
    assert imap._imap.response("COPYUID")[1][0].split()[1] == str(uid).encode()
    moved = imap.move([uid], "Junk Email")
    imap.select_folder("Junk Email")

    assert (typ, anna.drafts.all().count(), moved) == ("OK", 1, None)
    assert len(imap.search()) == 1
    assert anna.inbox.all().count() == 0


def test_imap_condstore_tells_changes_since_and_guards_a_store(sandbox: Sandbox, imap: IMAPClient) -> None:
    deliver(sandbox, "One")
    deliver(sandbox, "Two")
    imap.enable("CONDSTORE")
    opened = imap.select_folder("INBOX")
    first, second = imap.search()

    imap.add_flags([first], [b"\\Flagged"])
    changed = imap.fetch([first, second], ["FLAGS"], [f"CHANGEDSINCE {opened[b'HIGHESTMODSEQ']}"])
    _typ, _data = imap._imap.uid(
        "STORE", f"{first},{second}", f"(UNCHANGEDSINCE {opened[b'HIGHESTMODSEQ']})", "+FLAGS", "(\\Answered)"
    )

    assert list(changed) == [first]
    assert changed[first][b"MODSEQ"][0] > opened[b"HIGHESTMODSEQ"]
    assert imap.get_flags([first, second]) == {first: (b"\\Flagged",), second: (b"\\Answered",)}
    assert imap.folder_status("INBOX", ["HIGHESTMODSEQ"])[b"HIGHESTMODSEQ"] > opened[b"HIGHESTMODSEQ"]


def test_imap_idle_is_told_of_a_mail_that_arrives(sandbox: Sandbox, imap: IMAPClient) -> None:
    imap.select_folder("INBOX")
    imap.idle()

    deliver(sandbox)
    told = imap.idle_check(timeout=10)

    imap.idle_done()
    assert (1, b"EXISTS") in told


def test_imap_expunge_removes_only_what_is_marked_and_ews_sees_it_gone(
    sandbox: Sandbox, imap: IMAPClient, anna: Account
) -> None:
    deliver(sandbox, "Kept")
    deliver(sandbox, "Gone")
    imap.select_folder("INBOX")
    (gone,) = imap.search(["SUBJECT", "Gone"])

    imap.delete_messages([gone])
    imap.expunge()

    assert [item.subject for item in anna.inbox.all().only("subject")] == ["Kept"]
    assert len(imap.search()) == 1


def test_imap_uids_are_never_used_again_and_uidvalidity_stays(
    sandbox: Sandbox, imap: IMAPClient, anna: Account
) -> None:
    deliver(sandbox, "One")
    before = imap.select_folder("INBOX")
    (first,) = imap.search()
    anna.inbox.all().delete()

    deliver(sandbox, "Two")
    after = imap.select_folder("INBOX")

    assert before[b"UIDVALIDITY"] == after[b"UIDVALIDITY"]
    assert imap.search()[0] >= before[b"UIDNEXT"] > first


def test_imap_searches_by_flag_date_header_size_and_both_ways(sandbox: Sandbox, imap: IMAPClient) -> None:
    deliver(sandbox, "One")
    deliver(sandbox, "Two")
    imap.select_folder("INBOX")
    one, two = imap.search()
    imap.add_flags([one], [b"\\Seen"])

    assert imap.search("SEEN") == [one]
    assert imap.search(["NOT", "SEEN"]) == [two]
    assert imap.search(["OR", "SUBJECT", "one", "SUBJECT", "two"]) == [one, two]
    assert imap.search(["SINCE", date(2026, 3, 1)]) == [one, two]
    assert imap.search(["BEFORE", date(2026, 3, 1)]) == []
    assert imap.search(["HEADER", "Message-ID", "<Two@elsewhere.test>"]) == [two]
    assert imap.search(["LARGER", 100, "BODY", "First"]) == [one, two]
    assert imap.search(["UID", f"{two}:*"]) == [two]


@pytest.mark.parametrize(
    "line",
    [
        b"x FETCH (((",
        b"x SELECT",
        b"x NONSENSE",
        b"x UID FETCH a FLAGS",
        b"x UID (1:* 5) FLAGS",
        b"x LIST",
        b"\xff\xfe",
        b"x STORE 1 BAD",
    ],
)
def test_imap_answers_nonsense_with_bad_and_goes_on(sandbox: Sandbox, imap: IMAPClient, line: bytes) -> None:
    imap.select_folder("INBOX")

    imap._imap.send(line + b"\r\n")
    answer = imap._imap.readline()

    assert b" BAD" in answer or b"* BAD" in answer
    assert imap.noop()[0] == b"Done"


def test_imap_says_no_to_what_is_not_there(imap: IMAPClient) -> None:
    with pytest.raises(IMAPClientError, match="There is no such folder"):
        imap.select_folder("Nowhere")
    with pytest.raises(IMAPClientError, match="Select a folder first"):
        imap._raw_command_untagged(b"SEARCH", [b"ALL"])
    with pytest.raises(IMAPClientError, match="This folder stays"):
        imap.delete_folder("INBOX")


def test_pop3_deletes_when_the_client_quits_and_not_before(
    sandbox: Sandbox, pop3: poplib.POP3, anna: Account
) -> None:
    pop3.quit()
    deliver(sandbox, "One")
    again = poplib.POP3(*at(sandbox.endpoints.pop3), timeout=20)
    again.user(ANNA)
    again.pass_(PASSWORD)

    lines = again.retr(1)[1]
    again.dele(1)
    before = anna.inbox.all().count()
    again.quit()

    assert b".a dot" in lines
    assert (before, anna.inbox.all().count()) == (1, 0)


def test_pop3_uidl_stays_with_the_message(sandbox: Sandbox) -> None:
    deliver(sandbox, "One")
    deliver(sandbox, "Two")

    seen = []
    for _ in range(2):
        client = poplib.POP3(*at(sandbox.endpoints.pop3), timeout=20)
        client.user(ANNA)
        client.pass_(PASSWORD)
        seen.append([line.split()[1] for line in client.uidl()[1]])
        assert client.top(1, 0)[1][-1] == b""
        client.rset()
        client.quit()

    assert seen[0] == seen[1]
    assert len(set(seen[0])) == 2


def test_a_mail_face_fails_on_demand_and_the_mail_is_there_or_not_as_the_fault_says(
    sandbox: Sandbox, anna: Account
) -> None:
    from procession.sandbox.faults import read_fault

    sandbox.faults.add(read_fault("smtp.DATA=busy"))
    sandbox.faults.add(read_fault("smtp.DATA#2=drop-reply"))

    with pytest.raises(smtplib.SMTPDataError, match="451"):
        deliver(sandbox, "Refused")
    with pytest.raises(smtplib.SMTPServerDisconnected):
        deliver(sandbox, "Taken, but not said so")

    assert [item.subject for item in anna.inbox.all().only("subject")] == ["Taken, but not said so"]


def test_imap_and_pop3_fail_on_demand(sandbox: Sandbox, imap: IMAPClient, pop3: poplib.POP3) -> None:
    from procession.sandbox.faults import read_fault

    sandbox.faults.add(read_fault("imap.SELECT=busy"))
    sandbox.faults.add(read_fault("pop3.STAT=drop"))

    with pytest.raises(IMAPClientError, match="busy"):
        imap.select_folder("INBOX")
    with pytest.raises((poplib.error_proto, OSError)):
        pop3.stat()
    pop3.close()
    assert imap.select_folder("INBOX")[b"EXISTS"] == 0


def test_a_mistake_of_our_own_ends_a_command_and_not_the_connection(
    imap: IMAPClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from procession.sandbox.imap import face

    monkeypatch.setitem(face.COMMANDS, "NAMESPACE", lambda _session, _words: str(1 / 0))

    with pytest.raises(IMAPClientError, match=r"\[SERVERBUG\] An internal server error occurred"):
        imap.namespace()
    assert imap.noop()[0] == b"Done"
