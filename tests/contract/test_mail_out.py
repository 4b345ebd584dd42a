"""What `procession.ports.MailOut` promises, for every way out: in memory, and SMTP on a real socket."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from procession.effects import Recipient, SendMail
from procession.errors import (
    ConfigurationError,
    PermanentError,
    TransportDeferred,
    TransportRefused,
    UnknownOutcome,
)
from procession.mail import compose
from procession.testing.certificate import Certificate, make_certificate
from procession.testing.inbox import Inbox
from procession.testing.mail_out import MemoryMailOut
from procession.transports.smtp import SmtpMailOut, SmtpSettings

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
BOB, ANN, EVE = "bob@us.example", "ann@acme.example", "eve@acme.example"


def mime(number: int = 1, *, text: str = "Hello Ann,\n.\nuntil Friday\n") -> bytes:
    mail = SendMail(
        f"<{number}@us.example>", Recipient(BOB, "Bob"), (Recipient(ANN, "Ann"),), "Until Friday", text
    )
    return compose(mail, AT)


def settings(inbox: Inbox, **changes: Any) -> SmtpSettings:
    given: dict[str, Any] = {
        "host": inbox.host,
        "port": inbox.port,
        "security": "none",
        "timeout": timedelta(seconds=5),
    }
    return SmtpSettings(**(given | changes))


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


Way = tuple[Any, Any]
"""(mail out, where its mail arrives); both have the same switches for failures."""


@pytest.fixture(params=["memory", "smtp", "smtp without pipelining", "starttls and auth", "tls"])
def way(request: pytest.FixtureRequest, certificate: Certificate) -> Iterator[Way]:
    if request.param == "memory":
        memory = MemoryMailOut()
        yield memory, memory
        return
    secured = {"ca_file": certificate.ca_file, "ehlo_name": "client.example"}
    inboxes: dict[str, Callable[[], tuple[Inbox, dict[str, Any]]]] = {
        "smtp": lambda: (Inbox(), {}),
        "smtp without pipelining": lambda: (Inbox(pipelining=False), {}),
        "starttls and auth": lambda: (
            Inbox(users={"bob": "open sesame"}, security="starttls", tls=certificate.server),
            secured | {"security": "starttls", "user": "bob", "password": lambda: "open sesame"},
        ),
        "tls": lambda: (Inbox(security="tls", tls=certificate.server), secured | {"security": "tls"}),
    }
    made, changes = inboxes[request.param]()
    with made as inbox, SmtpMailOut(settings(inbox, **changes)) as out:
        yield out, inbox


def test_a_mail_arrives_as_it_was_handed_over(way: Way) -> None:
    out, inbox = way

    delivery = out.send(BOB, [ANN, EVE], mime())

    [mail] = inbox.mails
    assert (mail.sender, mail.recipients, mail.data) == (BOB, (ANN, EVE), mime())
    assert mail.text == "Hello Ann,\n.\nuntil Friday\n"
    assert delivery.answer.startswith("250 ")
    assert delivery.refused == {}


def test_mails_arrive_in_the_order_they_are_sent(way: Way) -> None:
    out, inbox = way

    for number in range(10):
        out.send(BOB, [ANN], mime(number))

    assert [mail.message_id for mail in inbox.mails] == [f"<{number}@us.example>" for number in range(10)]


def test_a_server_that_says_later_puts_the_mail_off(way: Way) -> None:
    out, inbox = way
    inbox.refuse_next("451 4.3.0 try again later")

    with pytest.raises(
        TransportDeferred, match=r"^the mail server put off the mail: 451 4.3.0 try again later$"
    ):
        out.send(BOB, [ANN], mime())

    assert inbox.mails == []


def test_a_server_that_says_later_is_asked_again_for_each_mail(way: Way) -> None:
    out, inbox = way
    inbox.refuse_next("451 4.3.0 try again later", times=6)

    for number in range(6):
        with pytest.raises(TransportDeferred, match=r"451 4.3.0 try again later$"):
            out.send(BOB, [ANN], mime(number))
    out.send(BOB, [ANN], mime(6))

    assert [mail.message_id for mail in inbox.mails] == ["<6@us.example>"]


def test_a_server_that_says_no_refuses_the_mail(way: Way) -> None:
    out, inbox = way
    inbox.refuse_next("554 5.7.1 looks like spam")

    with pytest.raises(
        TransportRefused, match=r"^the mail server refused the mail: 554 5.7.1 looks like spam$"
    ):
        out.send(BOB, [ANN], mime())

    assert inbox.mails == []


def test_a_mail_goes_out_after_another_was_refused(way: Way) -> None:
    out, inbox = way
    inbox.refuse_next("554 5.7.1 looks like spam")
    with pytest.raises(TransportRefused):
        out.send(BOB, [ANN], mime(1))

    out.send(BOB, [ANN], mime(2))

    assert [mail.message_id for mail in inbox.mails] == ["<2@us.example>"]


def test_a_recipient_that_is_refused_is_named_and_the_others_get_the_mail(way: Way) -> None:
    out, inbox = way
    inbox.refuse_recipient(EVE)

    delivery = out.send(BOB, [ANN, EVE], mime())

    assert delivery.refused == {EVE: "550 5.1.1 nobody of this name"}
    assert inbox.mails[0].recipients == (ANN,)


def test_a_mail_whose_every_recipient_is_refused_is_refused(way: Way) -> None:
    out, inbox = way
    inbox.refuse_recipient(ANN)
    inbox.refuse_recipient(EVE)

    with pytest.raises(TransportRefused, match=r"550 5.1.1 nobody of this name"):
        out.send(BOB, [ANN, EVE], mime())

    out.send(BOB, ["carl@acme.example"], mime(2))
    assert [mail.recipients for mail in inbox.mails] == [("carl@acme.example",)]


def test_a_mail_whose_recipients_are_refused_for_now_is_put_off(way: Way) -> None:
    out, inbox = way
    inbox.refuse_recipient(ANN)
    inbox.refuse_recipient(EVE, "452 4.2.2 mailbox full")

    with pytest.raises(TransportDeferred, match=r"452 4.2.2 mailbox full"):
        out.send(BOB, [ANN, EVE], mime())


@pytest.mark.parametrize("accepted", [True, False])
def test_nobody_knows_what_became_of_a_mail_whose_answer_was_not_read(way: Way, accepted: bool) -> None:
    out, inbox = way
    inbox.drop_next(accepted=accepted)

    with pytest.raises(UnknownOutcome, match=r"^no answer was read after the handover: ") as raised:
        out.send(BOB, [ANN], mime(1))

    assert raised.value.hint or isinstance(out, MemoryMailOut)
    assert len(inbox.mails) == accepted
    out.send(BOB, [ANN], mime(2))
    assert inbox.mails[-1].message_id == "<2@us.example>"


def test_an_address_that_is_none_is_refused_before_anything_is_sent(way: Way) -> None:
    out, inbox = way

    with pytest.raises(PermanentError, match="is no e-mail address"):
        out.send(BOB, ["ann@acme.example> SIZE=1\r\nDATA"], mime())

    assert inbox.mails == []


def test_a_domain_beyond_ascii_goes_out_in_its_ascii_form(way: Way) -> None:
    out, inbox = way

    out.send(BOB, ["ann@münchen.example"], mime())

    assert inbox.mails[0].recipients == ("ann@xn--mnchen-3ya.example",)


def test_several_threads_send_at_the_same_time(way: Way) -> None:
    out, inbox = way
    threads = [threading.Thread(target=out.send, args=(BOB, [ANN], mime(number))) for number in range(12)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {mail.message_id for mail in inbox.mails} == {f"<{number}@us.example>" for number in range(12)}
    assert {mail.data for mail in inbox.mails} == {mime(number) for number in range(12)}


# What only a server can do.


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with Inbox() as opened:
        yield opened


def test_a_server_that_is_not_there_puts_the_mail_off(inbox: Inbox) -> None:
    with Inbox() as gone:
        port = gone.port
    out = SmtpMailOut(settings(inbox, port=port))

    with pytest.raises(
        TransportDeferred, match=rf"^127.0.0.1:{port} cannot be reached: Connection refused"
    ) as raised:
        out.send(BOB, [ANN], mime())

    assert raised.value.hint == "Nothing listens there: check host and port, and that the server runs."


def test_one_connection_carries_many_mails(inbox: Inbox) -> None:
    with SmtpMailOut(settings(inbox)) as out:
        for number in range(5):
            out.send(BOB, [ANN], mime(number))

        assert inbox.connections == 1


def test_a_connection_carries_no_more_mails_than_it_may(inbox: Inbox) -> None:
    with SmtpMailOut(settings(inbox, mails_per_connection=2)) as out:
        for number in range(5):
            out.send(BOB, [ANN], mime(number))

    assert inbox.connections == 3
    assert len(inbox.mails) == 5


def test_a_connection_that_was_idle_too_long_is_not_used_again(inbox: Inbox) -> None:
    with SmtpMailOut(settings(inbox, idle=timedelta(0))) as out:
        out.send(BOB, [ANN], mime(1))
        out.send(BOB, [ANN], mime(2))

    assert inbox.connections == 2


def test_a_kept_connection_that_the_server_closed_costs_no_mail(inbox: Inbox) -> None:
    with SmtpMailOut(settings(inbox)) as out:
        out.send(BOB, [ANN], mime(1))
        inbox.cut_connections()

        out.send(BOB, [ANN], mime(2))

    assert [mail.message_id for mail in inbox.mails] == ["<1@us.example>", "<2@us.example>"]


def test_a_server_that_says_goodbye_on_a_kept_connection_costs_no_mail(inbox: Inbox) -> None:
    with SmtpMailOut(settings(inbox)) as out:
        out.send(BOB, [ANN], mime(1))
        inbox.refuse_next("421 4.4.2 idle too long", at="MAIL")

        out.send(BOB, [ANN], mime(2))

    assert [mail.message_id for mail in inbox.mails] == ["<1@us.example>", "<2@us.example>"]


def test_a_server_that_says_goodbye_on_a_new_connection_puts_the_mail_off(inbox: Inbox) -> None:
    inbox.refuse_next("421 4.3.2 shutting down", at="MAIL")

    with (
        SmtpMailOut(settings(inbox)) as out,
        pytest.raises(TransportDeferred, match=r"421 4.3.2 shutting down"),
    ):
        out.send(BOB, [ANN], mime())


def test_a_refused_sender_leaves_the_connection_usable(inbox: Inbox) -> None:
    inbox.refuse_next("550 5.7.1 not your address", at="MAIL")
    with SmtpMailOut(settings(inbox)) as out:
        with pytest.raises(TransportRefused, match=r"refused the sender: 550 5.7.1 not your address"):
            out.send(BOB, [ANN], mime(1))

        out.send(BOB, [ANN], mime(2))

        assert inbox.connections == 1


def test_a_server_that_does_not_answer_in_time_leaves_the_outcome_unknown(inbox: Inbox) -> None:
    inbox.faults.delay = timedelta(seconds=5)

    with (
        SmtpMailOut(settings(inbox, timeout=timedelta(seconds=0.2))) as out,
        pytest.raises(UnknownOutcome, match="no answer was read after the handover: no answer in time"),
    ):
        out.send(BOB, [ANN], mime())


def test_a_server_that_did_not_answer_three_mails_is_not_asked_for_the_fourth(inbox: Inbox) -> None:
    inbox.drop_next(3, accepted=False)

    with SmtpMailOut(settings(inbox)) as out:
        for number in range(3):
            with pytest.raises(UnknownOutcome):
                out.send(BOB, [ANN], mime(number))
        with pytest.raises(
            TransportDeferred,
            match=rf"^127.0.0.1:{inbox.port} did not answer the last 3 mails, so this one was not handed over: ",
        ):
            out.send(BOB, [ANN], mime(3))

    assert inbox.connections == 3


def test_a_wrong_password_is_the_operators_matter(certificate: Certificate) -> None:
    with Inbox(users={"bob": "right"}, security="starttls", tls=certificate.server) as inbox:
        out = SmtpMailOut(
            settings(
                inbox, security="starttls", ca_file=certificate.ca_file, user="bob", password=lambda: "wrong"
            )
        )

        with pytest.raises(
            ConfigurationError, match="does not accept the user 'bob' with this password"
        ) as raised:
            out.send(BOB, [ANN], mime())

    assert raised.value.hint == "Check the user and the secret that the password names."
    assert "wrong" not in str(raised.value)


def test_a_server_that_wants_a_sign_in_is_the_operators_matter(certificate: Certificate) -> None:
    with Inbox(users={"bob": "right"}, security="starttls", tls=certificate.server) as inbox:
        out = SmtpMailOut(settings(inbox, security="starttls", ca_file=certificate.ca_file))

        with out, pytest.raises(ConfigurationError, match="the mail server wants us to sign in: 530"):
            out.send(BOB, [ANN], mime())
        with pytest.raises(ConfigurationError, match="the mail server wants us to sign in: 530"):
            out.probe(BOB)


def test_a_user_for_a_server_that_offers_no_sign_in_is_the_operators_matter(inbox: Inbox) -> None:
    out = SmtpMailOut(settings(inbox, user="bob", password=lambda: "secret"))

    with pytest.raises(ConfigurationError, match="offers no way to sign in that is known here"):
        out.probe()


def test_a_user_without_a_password_is_the_operators_matter(inbox: Inbox) -> None:
    with pytest.raises(ConfigurationError, match=r"'bob' has no password for 127.0.0.1"):
        SmtpMailOut(settings(inbox, user="bob")).probe()


def test_a_server_without_starttls_is_the_operators_matter(inbox: Inbox) -> None:
    with pytest.raises(ConfigurationError, match="does not offer STARTTLS") as raised:
        SmtpMailOut(settings(inbox, security="starttls")).probe()

    assert raised.value.hint == "Set security to tls (port 465), or to none."


def test_a_certificate_of_an_unknown_authority_is_not_trusted(certificate: Certificate) -> None:
    with (
        Inbox(security="tls", tls=certificate.server) as inbox,
        pytest.raises(ConfigurationError, match=r"^the certificate of 127.0.0.1:\d+ is not trusted: "),
    ):
        SmtpMailOut(settings(inbox, security="tls")).probe()


def test_a_certificate_for_another_host_is_not_trusted(tmp_path: Path) -> None:
    other = make_certificate(tmp_path, host="mail.example")

    with (
        Inbox(security="starttls", tls=other.server) as inbox,
        pytest.raises(ConfigurationError, match="is not trusted: IP address mismatch"),
    ):
        SmtpMailOut(settings(inbox, security="starttls", ca_file=other.ca_file)).probe()


def test_tls_to_a_server_that_speaks_none_is_the_operators_matter(inbox: Inbox) -> None:
    with pytest.raises(ConfigurationError, match="does not speak TLS as expected") as raised:
        SmtpMailOut(settings(inbox, security="tls")).probe()

    assert raised.value.hint == "Set security to starttls (port 587), tls (port 465) or none (port 25)."


def test_certificates_that_cannot_be_read_are_the_operators_matter(inbox: Inbox, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        SmtpMailOut(settings(inbox, security="tls", ca_file=tmp_path / "none.pem")).probe()

    (tmp_path / "letter.pem").write_text("Dear Ann", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="cannot be read: it is no PEM file") as raised:
        SmtpMailOut(settings(inbox, security="tls", ca_file=tmp_path / "letter.pem")).probe()
    assert raised.value.hint == "Name the PEM file of your certificate authority as ca_file."


def test_a_local_part_beyond_ascii_needs_a_server_that_takes_it() -> None:
    with Inbox() as able, SmtpMailOut(settings(able)) as out:
        out.send(BOB, ["änn@acme.example"], mime())

        assert able.mails[0].recipients == ("änn@acme.example",)

    with Inbox(smtputf8=False) as unable, SmtpMailOut(settings(unable)) as out:
        with pytest.raises(TransportRefused, match="takes no addresses with letters beyond ASCII"):
            out.send(BOB, ["änn@acme.example"], mime(1))
        out.send(BOB, [ANN], mime(2))

        assert unable.connections == 1


def test_the_probe_says_what_works(certificate: Certificate) -> None:
    with Inbox(users={"bob": "right"}, security="starttls", tls=certificate.server) as inbox:
        found = SmtpMailOut(
            settings(
                inbox, security="starttls", ca_file=certificate.ca_file, user="bob", password=lambda: "right"
            )
        ).probe()

    assert (
        found
        == f"127.0.0.1:{inbox.port} takes mail, secured by STARTTLS, signed in as bob, up to 33 MB a mail"
    )


def test_a_bare_line_feed_cannot_end_a_message_early(inbox: Inbox) -> None:
    smuggled = b"Subject: one\r\n\r\nfirst\n.\nMAIL FROM:<eve@evil.example>\r\n.\n"

    with SmtpMailOut(settings(inbox)) as out:
        out.send(BOB, [ANN], smuggled)

    [mail] = inbox.mails
    assert mail.data == smuggled.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def test_settings_show_no_password() -> None:
    shown = repr(SmtpSettings("mail.example", password=lambda: "secret"))

    assert "password" not in shown
    assert "secret" not in shown
