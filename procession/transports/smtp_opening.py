"""Opening an SMTP connection: connect, secure it, sign in; and what is wrong if that fails (table in `smtp_connection.py`)."""

import smtplib
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from math import inf
from pathlib import Path
from typing import Literal

from typing_extensions import override

from procession.errors import ConfigurationError, ProcessionError, TransportDeferred, Unanswered
from procession.transports.smtp_connection import Connection
from procession.transports.smtp_dialogue import Dialogue, Patience, cause, reason
from procession.transports.sockets import Line, Sockets

Security = Literal["none", "starttls", "tls"]


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


def open_connection(
    settings: SmtpSettings, until: float = inf, sockets: Sockets | None = None
) -> Connection:  # fmt: skip
    """Connect, secure the connection and sign in; `until` as for `hand_over`. It can be cut among `sockets`.

    Raises:
        TransportDeferred: the server cannot be reached, or wants us to come later.
        ConfigurationError: the server is not what the settings say, or refuses the user.
    """
    try:
        smtp = _connected(settings, until, Line(sockets or Sockets()))
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


def _connected(settings: SmtpSettings, until: float, line: Line) -> Dialogue:
    context = _trust(settings.ca_file) if settings.security == "tls" else None
    patience = Patience(settings.timeout.total_seconds(), until=until)
    return Dialogue(settings.host, settings.port, settings.ehlo_name, patience, line, context)


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
            return kind(f"{settings} does not take mail now: {reason(error)}")
        case smtplib.SMTPException() if not isinstance(error, smtplib.SMTPServerDisconnected):
            return ConfigurationError(
                f"{settings} offers no way to sign in that is known here",
                hint="Leave the user empty, or secure the connection: many servers offer AUTH only then.",
            )
    return Unanswered(f"{settings} cannot be reached: {reason(error)}", hint=_where_to_look(error))


def _where_to_look(error: Exception) -> str:
    match cause(error):
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
