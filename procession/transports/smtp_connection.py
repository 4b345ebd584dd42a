"""One SMTP connection: opening it, handing over a mail, and what each failure means for that mail.

    when                                            server says / what happens            so
    connecting, EHLO                                refused, reset, timeout, not 220      deferred
    STARTTLS                                        not offered, untrusted certificate    configuration
    AUTH                                            5xx, not offered / 4xx                configuration / deferred
    MAIL, RCPT, DATA                                4xx, closed, timeout / 5xx            deferred / refused
    MAIL                                            530, 534, 535, 538 (RFC 4954)         configuration
    some RCPT refused, some accepted                                                      sent, named in `refused`
    the message, before its last byte was taken     closed, timeout                       deferred
    after the last byte                             2xx / 4xx / 5xx                       sent / deferred / refused
    after the last byte                             closed, timeout, no reply code        unknown

How long each of these may take, and how much a server may say, is bounded (`smtp_dialogue.py`); what is beyond counts as
closed. A server that offers PIPELINING (RFC 2920) gets MAIL, RCPT and DATA in one packet.
"""

import smtplib
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from time import monotonic
from typing import Literal, NoReturn

from typing_extensions import override

from procession.errors import (
    ConfigurationError,
    ProcessionError,
    TransportDeferred,
    TransportRefused,
    Unanswered,
    UnknownOutcome,
)
from procession.mail.addresses import envelope_address
from procession.ports import Delivery
from procession.transports.smtp_dialogue import Dialogue, Patience

Security = Literal["none", "starttls", "tls"]
Reply = tuple[int, str]

START_MAIL, CLOSING = 354, 421
WANTS_SIGN_IN = (530, 534, 535, 538)
ASK = "Ask the recipient, or look at the mail server's log, before it is sent again."
LOST = (smtplib.SMTPServerDisconnected, smtplib.SMTPResponseException, OSError)


@dataclass(frozen=True, slots=True)
class SmtpSettings:
    """A mail server and how to speak to it. `password` looks the password up when it is needed; `ca_file` holds
    certificates to trust besides those of the system; `ehlo_name` is this machine's full name unless given;
    `timeout` is that of one silence (`smtp_dialogue.py`); `per_second` 0 is no limit."""

    host: str
    port: int = 587
    security: Security = "starttls"
    user: str = ""
    password: Callable[[], str] | None = field(default=None, repr=False)
    ca_file: Path | None = None
    ehlo_name: str = ""
    timeout: timedelta = timedelta(seconds=30)
    connections: int = 4
    mails_per_connection: int = 100
    idle: timedelta = timedelta(seconds=30)
    per_second: float = 0.0

    @override
    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class StaleConnection(TransportDeferred):
    """A kept connection turned out to be closed before anything was handed over."""


@dataclass(slots=True)
class Connection:
    """An open connection. `described` says in a sentence what works; `usable` is False after a failure."""

    smtp: Dialogue
    described: str
    mails: int = 0
    used_at: float = field(default_factory=monotonic)
    usable: bool = True

    def hand_over(self, sender: str, recipients: Sequence[str], mime: bytes) -> Delivery:
        """See `procession.ports.MailOut.send`.

        Raises:
            StaleConnection: it has carried mail before and is closed now.
        """
        addresses = tuple(dict.fromkeys(envelope_address(recipient) for recipient in recipients))
        begin = self._begin(envelope_address(sender) if sender else "", addresses, mime)
        self.usable = False
        refused = self._open(begin, addresses)
        answer = self._message(mime)
        self.usable = True
        self.mails += 1
        self.used_at = monotonic()
        return Delivery(answer, refused)

    def try_sender(self, sender: str) -> None:
        """Ask whether a mail from this address would be taken, and hand none over.

        Raises:
            TransportDeferred, TransportRefused, ConfigurationError: it would not.
        """
        try:
            self.smtp.patience.for_commands(1)
            self.smtp.send(f"MAIL FROM:<{envelope_address(sender)}>\r\n".encode())
            reply = self._reply()
        except LOST as error:
            raise Unanswered(f"the mail server was lost: {_reason(error)}") from error
        if not _taken(reply):
            self._give_up(reply, f"the sender {sender}", started=False)
        self._reset()

    def quit(self) -> None:
        """Say goodbye, if anyone is still listening."""
        try:
            self.smtp.patience.for_courtesy()
            self.smtp.quit()
        except LOST:
            self.close()

    def close(self) -> None:
        self.usable = False
        self.smtp.close()

    def _begin(self, sender: str, recipients: Sequence[str], mime: bytes) -> str:
        """The MAIL command with what this mail needs of the server."""
        offered, options = self.smtp.esmtp_features, ""
        if "size" in offered:
            options += f" SIZE={len(mime)}"
        if "8bitmime" in offered and not mime.isascii():
            options += " BODY=8BITMIME"
        if not "".join((sender, *recipients)).isascii() or not mime.partition(b"\r\n\r\n")[0].isascii():
            if "smtputf8" not in offered:
                raise TransportRefused(
                    "the mail server takes no addresses with letters beyond ASCII (SMTPUTF8)"
                )
            options += " SMTPUTF8"
        return f"MAIL FROM:<{sender}>{options}"

    def _open(self, begin: str, recipients: Sequence[str]) -> dict[str, str]:
        """MAIL, RCPT and DATA; returns `{refused address: the server's words}`."""
        replies: list[Reply] = []
        try:
            self._ask([begin, *(f"RCPT TO:<{address}>" for address in recipients), "DATA"], replies)
        except LOST as error:
            if self.mails and (not replies or replies[0][0] == CLOSING):
                raise StaleConnection("the mail server had closed the connection") from error
            raise Unanswered(f"the mail server was lost before it took the mail: {_reason(error)}") from error
        return self._judged(replies, recipients)

    def _ask(self, commands: Sequence[str], replies: list[Reply]) -> None:
        """Send the commands and append their replies: all at once, or in turn until there is no use going on."""
        self.smtp.patience.for_commands(len(commands))
        if "pipelining" in self.smtp.esmtp_features:
            self.smtp.send("".join(f"{command}\r\n" for command in commands).encode())
            replies.extend(self._reply() for _ in commands)
            return
        for command in commands:
            if command == "DATA" and not any(_taken(reply) for reply in replies[1:]):
                return
            self.smtp.send(f"{command}\r\n".encode())
            replies.append(self._reply())
            if not _taken(replies[0]) or replies[-1][0] == CLOSING:
                return

    def _judged(self, replies: Sequence[Reply], recipients: Sequence[str]) -> dict[str, str]:
        if self.mails and replies[0][0] == CLOSING:
            raise StaleConnection("the mail server had closed the connection")
        started = replies[-1][0] == START_MAIL
        if not _taken(replies[0]):
            self._give_up(replies[0], "the sender", started=started)
        answers = dict(zip(recipients, replies[1:], strict=False))
        refused = {
            address: f"{code} {text}" for address, (code, text) in answers.items() if not _taken((code, text))
        }
        if len(refused) == len(answers):
            later = [reply for reply in answers.values() if reply[0] < 500]  # noqa: PLR2004  RFC 5321: 5xx is for good
            self._give_up(next(iter(later or answers.values())), "every recipient", started=started)
        if not started:
            self._give_up(replies[-1], "the mail", started=False)
        return refused

    def _give_up(self, reply: Reply, what: str, *, started: bool) -> NoReturn:
        """Leave the connection clean for the next mail, and say what the server said."""
        if not started and reply[0] != CLOSING:
            self._reset()
        raise _refusal(reply, what)

    def _reset(self) -> None:
        try:
            self.smtp.patience.for_courtesy()
            self.smtp.send(b"RSET\r\n")
            self.usable = _taken(self._reply())
        except LOST:
            return

    def _message(self, mime: bytes) -> str:
        """The message itself; returns the server's answer. Its last bytes end it: if they were not written, it was not
        handed over."""
        data = _transparent(mime)
        try:
            self.smtp.patience.for_message(len(data))
            self.smtp.send(data)
        except LOST as error:
            raise Unanswered(f"the mail server was lost before it took the mail: {_reason(error)}") from error
        try:
            self.smtp.patience.for_answer()
            code, text = self._reply()
        except LOST as error:
            raise UnknownOutcome(
                f"no answer was read after the handover: {_reason(error)}", hint=ASK
            ) from error
        if _taken((code, text)):
            return f"{code} {text}"
        if not 400 <= code < 600:  # noqa: PLR2004  RFC 5321, 4.2.1
            raise UnknownOutcome(f"the answer after the handover makes no sense: {code} {text}", hint=ASK)
        self.usable = code != CLOSING
        raise _refusal((code, text), "the mail")

    def _reply(self) -> Reply:
        code, words = self.smtp.getreply()
        return code, " ".join(words.decode("utf-8", "replace").split())[:300]


def open_connection(settings: SmtpSettings) -> Connection:
    """Connect, secure the connection and sign in.

    Raises:
        TransportDeferred: the server cannot be reached, or wants us to come later.
        ConfigurationError: the server is not what the settings say, or refuses the user.
    """
    try:
        smtp = _connected(settings)
    except (smtplib.SMTPException, OSError) as error:
        raise _failed_to_open(error, settings) from error
    try:
        _secured(smtp, settings)
        return Connection(smtp, _described(smtp, settings))
    except (smtplib.SMTPException, OSError) as error:
        smtp.close()
        raise _failed_to_open(error, settings) from error
    except ProcessionError:
        smtp.close()
        raise


def _connected(settings: SmtpSettings) -> Dialogue:
    context = _trust(settings.ca_file) if settings.security == "tls" else None
    patience = Patience(settings.timeout.total_seconds())
    return Dialogue(settings.host, settings.port, settings.ehlo_name, patience, context)


def _secured(smtp: smtplib.SMTP, settings: SmtpSettings) -> None:
    smtp.ehlo_or_helo_if_needed()
    if settings.security == "starttls":
        smtp.starttls(context=_trust(settings.ca_file))
        smtp.ehlo_or_helo_if_needed()
    if settings.user:
        _sign_in(smtp, settings)
    smtp.command_encoding = "utf-8"


def _sign_in(smtp: smtplib.SMTP, settings: SmtpSettings) -> None:
    if settings.password is None:
        raise ConfigurationError(
            f"{settings.user!r} has no password for {settings}", hint="Set password to env:NAME."
        )
    try:
        smtp.login(settings.user, settings.password())
    except UnicodeEncodeError:  # smtplib sends ASCII only
        raise ConfigurationError(
            f"the user or the password for {settings} has letters beyond ASCII",
            hint="Give this user a password without them.",
        ) from None


@lru_cache(maxsize=8)
def _trust(ca_file: Path | None) -> ssl.SSLContext:
    """Cached: reading the certificates of the system costs as much as twenty mails."""
    context = ssl.create_default_context()
    if ca_file:
        try:
            context.load_verify_locations(ca_file)
        except OSError as error:
            why = "it is no PEM file" if isinstance(error, ssl.SSLError) else error.strerror
            raise ConfigurationError(
                f"the certificates in {ca_file} cannot be read: {why}",
                hint="Name the PEM file of your certificate authority as ca_file.",
            ) from error
    return context


def _failed_to_open(error: Exception, settings: SmtpSettings) -> ProcessionError:
    """Foreign errors → ours; the most specific first."""
    match error:
        case ssl.SSLError():
            return _failed_to_secure(error, settings)
        case smtplib.SMTPAuthenticationError() if error.smtp_code >= 500:  # noqa: PLR2004  for good
            return ConfigurationError(
                f"{settings} does not accept the user {settings.user!r} with this password",
                hint="Check the user and the secret that the password names.",
            )
        case smtplib.SMTPNotSupportedError() if "STARTTLS" in str(error):
            return ConfigurationError(
                f"{settings} does not offer STARTTLS", hint="Set security to tls (port 465), or to none."
            )
        case smtplib.SMTPResponseException():
            kind = TransportDeferred if error.smtp_code >= 0 else Unanswered
            return kind(f"{settings} does not take mail now: {_reason(error)}")
        case smtplib.SMTPException() if not isinstance(error, smtplib.SMTPServerDisconnected):
            return ConfigurationError(
                f"{settings} offers no way to sign in that is known here",
                hint="Leave the user empty, or secure the connection: many servers offer AUTH only then.",
            )
    return Unanswered(f"{settings} cannot be reached: {_reason(error)}", hint=_where_to_look(error))


def _where_to_look(error: Exception) -> str:
    match _cause(error):
        case socket.gaierror():
            return "Check the host, and that this machine can look up names."
        case ConnectionRefusedError():
            return "Nothing listens there: check host and port, and that the server runs."
        case TimeoutError() | smtplib.SMTPServerDisconnected():
            return "Check host and port, that no firewall is between, and security: tls for 465, starttls for 587."
    return "Check host and port, and the network."


def _failed_to_secure(error: ssl.SSLError, settings: SmtpSettings) -> ProcessionError:
    match error:
        case ssl.SSLCertVerificationError():
            return ConfigurationError(
                f"the certificate of {settings} is not trusted: {error.verify_message}",
                hint="Name your certificate authority's file as ca_file, or the host as the certificate has it.",
            )
        case ssl.SSLEOFError() | ssl.SSLZeroReturnError():
            return Unanswered(f"{settings} closed the connection while it was being secured")
    return ConfigurationError(
        f"{settings} does not speak TLS as expected: {error.reason}",
        hint="Set security to starttls (port 587), tls (port 465) or none (port 25).",
    )


def _described(smtp: smtplib.SMTP, settings: SmtpSettings) -> str:
    how = {"none": "without encryption", "starttls": "secured by STARTTLS", "tls": "secured by TLS"}
    who = f"signed in as {settings.user}" if settings.user else "without signing in"
    size = smtp.esmtp_features.get("size", "")
    limit = f", up to {int(size) // 1_000_000} MB a mail" if size.isdigit() and int(size) >= 1_000_000 else ""  # noqa: PLR2004
    return f"{settings} takes mail, {how[settings.security]}, {who}{limit}"


def _refusal(reply: Reply, what: str) -> ProcessionError:
    code, text = reply
    if code in WANTS_SIGN_IN:
        return ConfigurationError(
            f"the mail server wants us to sign in: {code} {text}", hint="Set the user and its password."
        )
    kind = TransportRefused if code >= 500 else TransportDeferred  # noqa: PLR2004  for good
    return kind(
        f"the mail server {'refused' if kind is TransportRefused else 'put off'} {what}: {code} {text}"
    )


def _transparent(mime: bytes) -> bytes:
    """CRLF line ends only, dots at their starts doubled (RFC 5321, 4.5.2), and the dot that ends a message."""
    data = mime.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
    data = data if data.endswith(b"\r\n") else data + b"\r\n"
    data = data.replace(b"\r\n.", b"\r\n..")
    return (b"." + data if data.startswith(b".") else data) + b".\r\n"


def _taken(reply: Reply) -> bool:
    return 200 <= reply[0] < 300  # noqa: PLR2004  RFC 5321, 4.2.1


def _reason(error: BaseException) -> str:
    if isinstance(error, smtplib.SMTPResponseException) and error.smtp_code < 0:
        return "what answers there does not speak SMTP"
    if isinstance(error, smtplib.SMTPResponseException):
        words = error.smtp_error
        text = words.decode("utf-8", "replace") if isinstance(words, bytes) else str(words)
        return f"{error.smtp_code} {text}"
    cause = _cause(error)
    if isinstance(cause, TimeoutError):
        return "no answer in time"
    return (getattr(cause, "strerror", None) or str(cause)).rstrip(".")


def _cause(error: BaseException) -> BaseException:
    return error.__context__ if isinstance(error.__context__, OSError) else error
