"""One SMTP connection: handing over a mail, and what each failure means for that mail, those of `smtp_opening.py` too.

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
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf
from time import monotonic
from typing import NoReturn

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
from procession.transports.smtp_dialogue import Dialogue, reason

Reply = tuple[int, str]

START_MAIL, CLOSING = 354, 421
WANTS_SIGN_IN = (530, 534, 535, 538)
ASK = "Ask the recipient, or look at the mail server's log, before it is sent again."
LOST = (smtplib.SMTPServerDisconnected, smtplib.SMTPResponseException, OSError)


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

    def hand_over(self, sender: str, recipients: Sequence[str], mime: bytes, until: float = inf) -> Delivery:
        """See `procession.ports.MailOut.send`. `until`: when it must be over, by the monotonic clock.

        Raises:
            StaleConnection: it has carried mail before and is closed now.
        """
        addresses = tuple(dict.fromkeys(envelope_address(recipient) for recipient in recipients))
        begin = self._begin(envelope_address(sender) if sender else "", addresses, mime)
        self.usable, self.smtp.patience.until = False, until
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
            raise Unanswered(f"the mail server was lost: {reason(error)}") from error
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
            raise Unanswered(f"the mail server was lost before it took the mail: {reason(error)}") from error
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
        self.smtp.line.hold()
        try:
            self.smtp.patience.for_message(len(data))
            self.smtp.send(data)
        except LOST as error:
            raise Unanswered(f"the mail server was lost before it took the mail: {reason(error)}") from error
        try:
            self.smtp.patience.for_answer()
            code, text = self._reply()
        except LOST as error:
            raise UnknownOutcome(
                f"no answer was read after the handover: {reason(error)}", hint=ASK
            ) from error
        self.smtp.line.free()
        if _taken((code, text)):
            return f"{code} {text}"
        if not 400 <= code < 600:  # noqa: PLR2004  RFC 5321, 4.2.1
            raise UnknownOutcome(f"the answer after the handover makes no sense: {code} {text}", hint=ASK)
        self.usable = code != CLOSING
        raise _refusal((code, text), "the mail")

    def _reply(self) -> Reply:
        code, words = self.smtp.getreply()
        return code, " ".join(words.decode("utf-8", "replace").split())[:300]


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
