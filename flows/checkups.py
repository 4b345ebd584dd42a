"""What `procession doctor` looks at: each connection is really tried, and told of in words."""

import socket
from collections.abc import Collection, Iterator
from datetime import timedelta
from email.utils import parseaddr
from urllib.parse import urlsplit

from flows.project import Project
from flows.server import HOST, api_url, healthy, named_server
from flows.settings import FILE, Settings
from procession.application import Checkup
from procession.errors import ConfigurationError, ProcessErrors, ProcessionError, TransportRefused
from procession.publications import Asked
from procession.spelling import count
from procession.witness import held

CLOCKS_APART = timedelta(seconds=2)
"""A difference of clocks that is worth a word."""


def checkups(application: Project) -> Iterator[Checkup]:
    """One after the other, so that a slow one does not hold up the words about those before it."""
    yield _settings(application)
    yield _database(application)
    yield from _held(application)
    yield _mail(application)
    yield from _redirected(application)
    yield _prefect(application)
    yield _templates(application)
    yield _processes(application)
    yield from _current(application)
    yield from _incidents(application)


def _settings(application: Project) -> Checkup:
    file = application.project / FILE
    found = (
        f"project {application.project}, {f'with {FILE}' if file.exists() else f'without {FILE} (defaults)'}"
    )
    try:
        _secrets_are_there(application.settings)
    except ProcessionError as error:
        return Checkup("settings", "unwell", error.message, error.hint)
    if application.settings.mail_domain.endswith((".localhost", "example.com")):
        mend = "Set mail_domain to a domain of yours: it stands in the Message-ID of every mail."
        return Checkup("settings", "not set up", found, mend)
    return Checkup("settings", "well", found)


def _secrets_are_there(settings: Settings) -> None:
    """Raises:
    ConfigurationError: a secret is not where the settings say, or the user or the password of a pair is missing.
    """
    settings.database_url()
    settings.smtp_password()
    if bool(settings.smtp.user) != bool(settings.smtp.password):
        given, missing = ("user", "password") if settings.smtp.user else ("password", "user")
        raise ConfigurationError(
            f"smtp.{given} is set, and smtp.{missing} is not",
            hint=f"Set smtp.{missing} too, or leave both empty for a server that asks nobody.",
        )


def _database(application: Project) -> Checkup:
    shown = application.settings.database
    try:
        with application.store.unit(write=False) as unit:
            users = len(unit.records.find("user", {}, limit=1000))
    except ProcessionError as error:
        return Checkup("database", "unwell", f"{shown}: {error.message}", error.hint)
    ahead = application.ports().clock.now() - application.clock.now()
    if abs(ahead) > CLOCKS_APART:
        seconds, word = abs(ahead).total_seconds(), "ahead of" if ahead > timedelta(0) else "behind"
        mend = "Let both follow a time server. What is due goes by the database's clock, so nothing is lost."
        return Checkup(
            "database", "unwell", f"its clock is {seconds:.0f} seconds {word} this machine's", mend
        )
    return Checkup("database", "well", f"{shown}, tables up to date, {count(users, 'user')}")


def _held(application: Project) -> Iterator[Checkup]:
    """Whether somebody must say what the database is; told of one that an engine would hold when it starts, too."""
    try:
        with application.store.unit(write=False) as unit:
            standing = unit.journal.standing(application.witness.last_sent())
    except ProcessionError:
        return
    doubt = application.witness.doubt(standing)
    if because := standing.held or (doubt.because if doubt else ""):
        error = held(because)
        yield Checkup("backup", "unwell", error.message, error.hint)


def _mail(application: Project) -> Checkup:
    from procession.transports.redirected import RedirectedMailOut
    from procession.transports.smtp import SmtpMailOut

    server = application.mail_out
    if isinstance(server, RedirectedMailOut):
        server = server.server
    if not isinstance(server, SmtpMailOut):
        mend = f"Set PROCESSION_SMTP_HOST, or host below [smtp] in {FILE}. Until then no mail can be sent."
        return Checkup("mail server", "not set up", "none is set", mend)
    sender = application.settings.default_sender
    try:
        return Checkup("mail server", "well", server.probe(parseaddr(sender)[1]))
    except TransportRefused as error:
        mend = f"Set default_sender, now {sender}, to an address that this server lets you use."
        return Checkup("mail server", "unwell", error.message, mend)
    except ProcessionError as error:
        return Checkup("mail server", "unwell", error.message, error.hint)


def _redirected(application: Project) -> Iterator[Checkup]:
    if address := application.redirect_all_to:
        found = f"ALL MAIL GOES TO {address}, and none to those it is for"
        yield Checkup(
            "redirect",
            "not set up",
            found,
            "This is a test system. Remove mail.redirect_all_to from one that writes to customers.",
        )


def _prefect(application: Project) -> Checkup:
    named = named_server(application.settings.prefect.api_url)
    if named:
        if healthy(named, timeout_seconds=application.settings.prefect.patience_seconds):
            return Checkup("Prefect", "well", f"{named} answers")
        mend = "Start that server, or unset PREFECT_API_URL to let `procession serve` start one. Processes run without it."
        if "/api" not in urlsplit(named).path:
            mend = f"The address of an API ends in /api: try {named.rstrip('/')}/api."
        return Checkup("Prefect", "unwell", f"{named} does not answer", mend)
    port = application.settings.prefect.port
    if port and healthy(api_url(port)):
        return Checkup("Prefect", "well", f"a server answers at {_ui(api_url(port))}")
    if port and not _is_free(port):
        mend = "Stop that program, or choose another port with PROCESSION_PREFECT_PORT. Processes run without Prefect."
        return Checkup("Prefect", "unwell", f"port {port} is taken by another program", mend)
    return Checkup("Prefect", "well", f"`procession serve` starts a server on port {port or 'any free one'}")


def _templates(application: Project) -> Checkup:
    try:
        names = application.templates.names()
    except ProcessionError as error:
        return Checkup("templates", "unwell", error.message, error.hint)
    return Checkup(
        "templates", "well", f"{count(len(names), 'mail')}: {', '.join(names)}" if names else "none yet"
    )


def _processes(application: Project) -> Checkup:
    try:
        plans = application.plans()
    except ProcessErrors as error:
        return Checkup(
            "processes",
            "unwell",
            count(len(error.problems), "problem"),
            "See them all with: procession check",
        )
    except ProcessionError as error:
        return Checkup("processes", "unwell", error.message, error.hint)
    return Checkup(
        "processes",
        "well",
        f"{count(len(plans), 'process')}: {', '.join(sorted(plans))}" if plans else "none yet",
    )


def _current(application: Project) -> Iterator[Checkup]:
    """What an engine of this program would run of the database, and where the files say something else."""
    what, definitions = "current versions", application.definitions
    try:
        definitions.refresh()
        published = application.publish(Asked(dry_run=True))
    except ProcessionError:
        return  # told of already
    if definitions.unusable:
        found = "; ".join(f"{process}, {why}" for process, why in definitions.unusable.items())
        yield Checkup(what, "unwell", f"this program cannot run {found}",
                      "Mend that, upgrade this program, or retire it: procession process retire NAME. Until then its "
                      "engine starts nothing, and leaves that to engines that can.")  # fmt: skip
        return
    told = [count(len(definitions.plans), "process"), *published.sentences()]
    mend = _how_to_publish(application, {change.what for change in published.changes})
    yield Checkup(what, "well", "; ".join(told), mend)


def _how_to_publish(application: Project, found: Collection[str]) -> str:
    if "new" in found:
        by_itself = "; `procession serve` does it when it starts" if application.publishes else ""
        return f"To publish new files: procession deploy{by_itself}"
    return "To publish older files: procession deploy --back" if "older" in found else ""


def _incidents(application: Project) -> Iterator[Checkup]:
    try:
        with application.store.unit(write=False) as unit:
            stopped = len(unit.journal.instances(states=["incident"], limit=1000))
            mails = unit.outbox.count(["failed", "unknown"])
    except ProcessionError:
        return
    found = f"{count(stopped, 'stopped instance')}, {count(mails['failed'], 'failed mail')}, {count(mails['unknown'], 'mail')} of unknown fate"
    if stopped or any(mails.values()):
        yield Checkup("incidents", "unwell", found, "See what to do with: procession incidents")
    else:
        yield Checkup("incidents", "well", "none")


def _ui(api: str) -> str:
    parts = urlsplit(api)
    return f"{parts.scheme}://{parts.netloc}"


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
