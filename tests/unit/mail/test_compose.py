"""What a composed mail says when the standard library reads it back."""

import email
from datetime import UTC, datetime
from email import policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import getaddresses
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procession.effects import Attachment, Recipient, SendMail
from procession.errors import PermanentError
from procession.mail import compose, recipients

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
BOB, ANN = Recipient("bob@us.example", "Bob"), Recipient("ann@acme.example", "Ann")
HEADERS = ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"]


def mail(**changes: Any) -> SendMail:
    given_: dict[str, Any] = {
        "message_id": "<1@us.example>", "sender": BOB, "to": (ANN,), "subject": "Friday",
        "text": "Hello\n", "html": "<p>Hello</p>\n",
    }  # fmt: skip
    return SendMail(**(given_ | changes))


def read(data: bytes) -> EmailMessage:
    return email.message_from_bytes(data, policy=policy.default)


def composed(**changes: Any) -> EmailMessage:
    return read(compose(mail(**changes), AT))


def test_text_and_html_are_alternatives() -> None:
    message = composed()

    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert [part.get_content() for part in message.iter_parts()] == ["Hello\r\n", "<p>Hello</p>\r\n"]


@pytest.mark.parametrize(
    ("text", "html", "kind"), [("Hello\n", "", "text/plain"), ("", "<p>Hi</p>", "text/html")]
)
def test_a_mail_with_one_body_has_no_parts(text: str, html: str, kind: str) -> None:
    message = composed(text=text, html=html)

    assert message.get_content_type() == kind
    assert not message.is_multipart()


def test_the_headers_say_who_writes_what_to_whom_and_when() -> None:
    message = composed(cc=(Recipient("carl@acme.example", "Carl, the boss"),), language="de-AT")

    assert message["from"] == "Bob <bob@us.example>"
    assert message["to"] == "Ann <ann@acme.example>"
    assert message["cc"] == '"Carl, the boss" <carl@acme.example>'
    assert message["subject"] == "Friday"
    assert message["date"].datetime == AT
    assert message["message-id"] == "<1@us.example>"
    assert message["content-language"] == "de-AT"


def test_bcc_is_in_the_envelope_and_nowhere_else() -> None:
    secret = mail(bcc=(Recipient("eve@acme.example", "Eve"),))

    data = compose(secret, AT)

    assert recipients(secret) == ("ann@acme.example", "eve@acme.example")
    assert b"eve" not in data.lower()


def test_a_mail_to_bcc_only_says_that_its_recipients_are_not_shown() -> None:
    message = composed(to=(), bcc=(ANN,))

    assert message["to"] == "undisclosed-recipients:;"


def test_nobody_gets_a_mail_twice() -> None:
    assert recipients(mail(cc=(ANN, BOB), bcc=(ANN,))) == ("ann@acme.example", "bob@us.example")


def test_a_mail_by_a_process_says_that_nobody_typed_it() -> None:
    assert composed()["auto-submitted"] == "auto-generated"
    assert composed(automatic=False)["auto-submitted"] is None


def test_a_mail_that_answers_joins_the_thread() -> None:
    message = composed(in_reply_to="<2@us.example>", references=("<1@us.example>", "<2@us.example>"))

    assert message["in-reply-to"] == "<2@us.example>"
    assert message["references"] == "<1@us.example> <2@us.example>"


def test_composing_twice_gives_the_same_bytes() -> None:
    assert compose(mail(), AT) == compose(mail(), AT)


@pytest.mark.parametrize(
    "name",
    [
        "Ann Müller",
        'Ann "the boss" Lee',
        "Lee, Ann",
        "Ann\\Lee",
        "=?utf-8?q?fake?=",
        "王小明",
        "Ann " * 60,
        "x" * 300,
        "ä" * 300,
    ],
)
def test_a_name_arrives_as_it_was(name: str) -> None:
    data = compose(mail(to=(Recipient("ann@acme.example", name),)), AT)

    # The standard library's newer parser puts blanks between the encoded words of a name.
    [(words, address)] = getaddresses([str(email.message_from_bytes(data)["to"])])
    assert (str(make_header(decode_header(words))), address) == (name.strip(), "ann@acme.example")


@pytest.mark.parametrize(
    "subject",
    ["Größe: 5 €", "=?utf-8?q?no?=", "word " * 60, "ä" * 400, "x" * 1200, "👩‍👩‍👧 family", "a=b?c_d"],
)
def test_a_subject_arrives_as_it_was(subject: str) -> None:
    assert composed(subject=subject)["subject"] == subject.strip()


def test_many_recipients_are_folded() -> None:
    people = tuple(Recipient(f"person{n}@acme.example", f"Person {n}, Dr.") for n in range(200))

    data = compose(mail(to=people), AT)

    assert len(read(data)["to"].addresses) == 200
    assert max(map(len, data.split(b"\r\n"))) <= 78


def test_a_domain_beyond_ascii_is_written_in_its_ascii_form() -> None:
    ann = Recipient("ann@münchen.example", "Ann")

    assert recipients(mail(to=(ann,))) == ("ann@xn--mnchen-3ya.example",)
    assert composed(to=(ann,))["to"] == "Ann <ann@xn--mnchen-3ya.example>"


def test_a_local_part_beyond_ascii_is_written_as_it_is() -> None:
    data = compose(mail(to=(Recipient("änn@acme.example"),)), AT)

    assert "To: änn@acme.example\r\n".encode() in data


@pytest.mark.parametrize(
    "address",
    ["", "ann", "ann@", "a b@acme.example", "ann@acme.example\r\nBcc: eve@evil.example", "Ann <a@b.example>"],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(PermanentError, match="is no e-mail address"):
        compose(mail(to=(Recipient(address),)), AT)


def test_a_mail_without_recipients_is_refused() -> None:
    with pytest.raises(PermanentError, match=r"^the mail has no recipient$"):
        compose(mail(to=()), AT)


@pytest.mark.parametrize("field", ["message_id", "in_reply_to"])
@pytest.mark.parametrize(
    "value", ["1@us.example", "<1@us.example>\r\nBcc: eve@evil.example", "<a b@c>", "<ä@us.example>"]
)
def test_a_message_id_that_is_none_is_refused(field: str, value: str) -> None:
    with pytest.raises(PermanentError, match="is no Message-ID"):
        compose(mail(**{field: value}), AT)


def test_an_attachment_comes_behind_the_text() -> None:
    content = bytes(range(256)) * 100

    message = composed(attachments=(Attachment("offer.pdf", "application/pdf", content),))

    assert message.get_content_type() == "multipart/mixed"
    [offer] = message.iter_attachments()
    assert (offer.get_content_type(), offer.get_filename(), offer.get_content()) == (
        "application/pdf",
        "offer.pdf",
        content,
    )
    body = message.get_body(("plain",))
    assert body is not None
    assert body.get_content() == "Hello\r\n"


def test_an_attachments_parameters_are_kept() -> None:
    message = composed(
        attachments=(
            Attachment(
                "a.ics", "text/calendar", b"BEGIN:VCALENDAR\r\n", {"method": "REQUEST", "charset": "utf-8"}
            ),
        )
    )

    _, _, invitation = next(message.iter_parts()).iter_parts()
    assert dict(invitation["content-type"].params) == {"method": "REQUEST", "charset": "utf-8"}


def tree(part: EmailMessage) -> Any:
    inner = [tree(one) for one in part.iter_parts()] if part.is_multipart() else []
    return (part.get_content_type(), inner) if inner else part.get_content_type()


def ics(name: str = "invitation.ics", **parameters: str) -> Attachment:
    return Attachment(name, "text/calendar", b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", parameters)


REQUEST = {"method": "REQUEST", "charset": "utf-8"}
OFFER = Attachment("offer.pdf", "application/pdf", b"%PDF")


@pytest.mark.parametrize(("text", "html", "before"), [
    ("Hello", "<p>Hello</p>", ["text/plain", "text/html"]), ("Hello", "", ["text/plain"]), ("", "<p>Hello</p>", ["text/html"]),
])  # fmt: skip
def test_an_invitation_is_the_last_alternative_and_a_file_besides(
    text: str, html: str, before: list[str]
) -> None:
    """As Exchange writes it (MS-OXCMAIL 2.1.3.3.8.2). Outlook takes a part with Content-Disposition: attachment for a
    file, and not for an invitation that can be accepted (MS-STANOICAL 2.2.174 and 2.2.175)."""
    message = composed(text=text, html=html, attachments=(OFFER, ics(**REQUEST)))

    inner = ("multipart/alternative", [*before, "text/calendar"])
    assert tree(message) == ("multipart/mixed", [inner, "application/pdf", "application/ics"])
    *_, invitation = next(message.iter_parts()).iter_parts()
    assert invitation["content-disposition"] is None
    assert dict(invitation["content-type"].params) == REQUEST
    file = list(message.iter_attachments())[-1]
    assert (file.get_filename(), file.get_content_disposition()) == ("invitation.ics", "attachment")
    assert file.get_payload(decode=True) == invitation.get_payload(decode=True) == ics().content


def test_of_two_invitations_the_first_can_be_accepted_and_the_other_is_a_file() -> None:
    message = composed(attachments=(ics(**REQUEST), ics("other.ics", **REQUEST)))

    inner = ("multipart/alternative", ["text/plain", "text/html", "text/calendar"])
    assert tree(message) == ("multipart/mixed", [inner, "application/ics", "application/ics"])


def test_a_calendar_file_that_asks_nobody_anything_is_a_file_like_any_other() -> None:
    message = composed(attachments=(ics("holidays.ics"),))

    assert tree(message) == (
        "multipart/mixed",
        [("multipart/alternative", ["text/plain", "text/html"]), "text/calendar"],
    )


@pytest.mark.parametrize(
    "name", ["Größe & Preis.pdf", "日本.txt", "x" * 300 + ".pdf", 'a"b.txt', "ä" * 200 + ".pdf"]
)
def test_an_attachments_name_arrives_as_it_was(name: str) -> None:
    [attached] = composed(attachments=(Attachment(name, "application/pdf", b"x"),)).iter_attachments()

    assert attached.get_filename() == name


@pytest.mark.parametrize(
    "media_type", ["", "pdf", "multipart/mixed", "message/rfc822", "text/plain\r\nX-Evil: 1", "a/b; c=d"]
)
def test_an_attachment_of_no_usable_type_is_plain_bytes(media_type: str) -> None:
    [attached] = composed(attachments=(Attachment("a", media_type, b"x"),)).iter_attachments()

    assert attached.get_content_type() == "application/octet-stream"


def test_a_parameter_with_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(PermanentError, match="cannot be a parameter of an attachment"):
        compose(mail(attachments=(Attachment("a", "text/plain", b"", {"a\r\nb": "c"}),)), AT)


def test_an_attachments_name_holds_no_folders() -> None:
    [attached] = composed(
        attachments=(Attachment("../../etc/passwd", "text/plain", b"x"),)
    ).iter_attachments()

    assert attached.get_filename() == ".._.._etc_passwd"


def test_text_in_few_letters_beyond_ascii_stays_readable_on_the_wire() -> None:
    data = compose(mail(text="Grüße aus Köln, bis Freitag in alter Frische\n", html=""), AT)

    assert b"Content-Transfer-Encoding: quoted-printable\r\n" in data
    assert b"Gr=C3=BC=C3=9Fe aus K=C3=B6ln, bis Freitag" in data


def test_a_body_cannot_end_its_own_part() -> None:
    first = compose(mail(), AT)
    boundary = first.partition(b'boundary="')[2].partition(b'"')[0].decode()
    text = f"--{boundary}--\n\n--{boundary}\nContent-Type: text/html\n\nevil\n"

    message = composed(text=text)

    assert [part.get_content() for part in message.iter_parts()] == [
        text.replace("\n", "\r\n"),
        "<p>Hello</p>\r\n",
    ]


any_text = st.text(st.characters(codec="utf-8") | st.sampled_from("\r\n\t\x00\x0b\x85\u2028:<>\"'=?;,"))


@given(subject=any_text, name=any_text, other=any_text, file=any_text, value=any_text)
def test_no_text_can_add_or_hide_a_header(subject: str, name: str, other: str, file: str, value: str) -> None:
    data = compose(
        mail(
            subject=subject, sender=Recipient("bob@us.example", name), cc=(Recipient("carl@acme.example", other),),
            attachments=(Attachment(file, "application/pdf", b"content", {"note": value}),),
        ),
        AT,
    )  # fmt: skip

    message = read(data)
    assert message.keys() == [*HEADERS[:2], "Cc", *HEADERS[2:]]
    assert message["from"].addresses[0].addr_spec == "bob@us.example"
    assert [address.addr_spec for address in message["cc"].addresses] == ["carl@acme.example"]
    [attached] = message.iter_attachments()
    assert set(attached.keys()) == {"Content-Type", "Content-Disposition", "Content-Transfer-Encoding"}
    assert attached.get_content() == b"content"


@given(text=any_text, html=any_text)
def test_every_body_arrives_and_every_line_is_well_formed(text: str, html: str) -> None:
    data = compose(mail(text=f"text {text}", html=f"html {html}"), AT)

    plain, rich = (part.get_content() for part in read(data).iter_parts())
    assert (plain, rich) == (on_the_wire(f"text {text}"), on_the_wire(f"html {html}"))
    assert data.endswith(b"\r\n")
    assert all(len(line) <= 998 for line in data.split(b"\r\n"))
    assert all((a == 13) == (b == 10) for a, b in pairwise(data))


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_long_lines_of_any_text_arrive(text: str) -> None:
    message = composed(text=text * 300, html="")

    assert message.get_content() == on_the_wire(text * 300)


@given(st.text(st.characters(exclude_categories=["C", "Z"]), max_size=2000))
def test_any_subject_without_controls_arrives(subject: str) -> None:
    assert composed(subject=subject)["subject"] == subject


def on_the_wire(text: str) -> str:
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return (lines if lines.endswith("\n") else f"{lines}\n").replace("\n", "\r\n")
