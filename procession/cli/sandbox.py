"""`procession sandbox`: a local Exchange to develop against, and commands that act on a running one.

Without a command it starts a sandbox and serves until it is interrupted. `add-mail`, `add-meeting`, `fault` and
`ledger` talk to a running one.
"""

import base64
import ipaddress
import json
import logging
import tempfile
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from procession.errors import ConfigurationError, ProcessionError

if TYPE_CHECKING:
    from procession.sandbox.server import Listening, Sandbox

app = typer.Typer(
    help="A local Exchange to develop against: mail, meetings and contacts over EWS, SMTP, IMAP and POP3.",
    invoke_without_command=True,
    add_completion=False,
)
USERS = ("anna@example.com:anna", "ben@example.com:ben")
DEFAULT_PORT = 8443
ANSWER_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The options of a start that make the world, rather than the server."""

    users: tuple[tuple[str, str], ...]
    empty: bool
    faults: tuple[str, ...]


Users = Annotated[
    list[str] | None, typer.Option("--user", help="A user, as ADDRESS:PASSWORD. Repeat it for more.")
]
Host = Annotated[str, typer.Option(help="The address to listen on. Anything but loopback lets others in.")]
Port = Annotated[
    int, typer.Option(help="The port of EWS; SMTP, IMAP and POP3 take the three after it. 0 is any.")
]
Tls = Annotated[bool, typer.Option("--tls", help="Speak TLS, with a certificate of its own.")]
Faults = Annotated[
    list[str] | None,
    typer.Option("--fault", help="A fault, as in CreateItem#2=drop-reply. Repeat it for more."),
]
Empty = Annotated[bool, typer.Option("--empty", help="Start without mail, meetings and contacts.")]
Version = Annotated[str, typer.Option(help="Exchange2010_SP2, Exchange2013_SP1 or Exchange2016.")]
File = Annotated[Path | None, typer.Option(help="A file to keep everything in. Without it nothing is kept.")]
Log = Annotated[bool, typer.Option("--log", help="One line for each request, on standard error.")]
Json = Annotated[bool, typer.Option("--json", help="One line of JSON when it is ready.")]


@app.callback()
def start(
    context: typer.Context,
    user: Users = None,
    host: Host = "127.0.0.1",
    port: Port = DEFAULT_PORT,
    tls: Tls = False,
    fault: Faults = None,
    empty: Empty = False,
    version: Version = "Exchange2016",
    database: File = None,
    log: Log = False,
    as_json: Json = False,
) -> None:
    """Start a sandbox and serve until interrupted."""
    if context.invoked_subcommand is not None:
        return
    try:
        wanted = _Wanted(_users(user or list(USERS)), empty, tuple(fault or ()))
        listening = _listening(host, port, version, tls=tls, database=database)
        with _sandbox(wanted, listening, log=log) as sandbox:
            _announce(sandbox, as_json=as_json)
            sandbox.wait()
    except ProcessionError as error:
        _fail(error.message, error.hint)
    except OSError as error:
        _fail(
            f"The sandbox cannot listen: {error.strerror or error}",
            "Name another --port; 0 takes any free one.",
        )
    except KeyboardInterrupt:
        raise typer.Exit from None


def _fail(message: str, hint: str = "") -> None:
    typer.echo(f"{message}{'' if message.endswith('.') else '.'}{f' {hint}' if hint else ''}", err=True)
    raise typer.Exit(2)


def _users(given: list[str]) -> tuple[tuple[str, str], ...]:
    """Raises ConfigurationError for a user that is not ADDRESS:PASSWORD."""
    users = []
    for text in given:
        address, _, password = text.partition(":")
        if "@" not in address or not password:
            raise ConfigurationError(
                f"'{text}' is not a user.", hint="Write ADDRESS:PASSWORD, as in anna@example.com:secret."
            )
        users.append((address, password))
    return tuple(users)


def _listening(host: str, port: int, version: str, *, tls: bool, database: Path | None) -> "Listening":
    """Raises ConfigurationError for a version that is not served."""
    from procession.sandbox.server import Listening, SystemClock

    if version not in {"Exchange2010_SP2", "Exchange2013_SP1", "Exchange2016"}:
        raise ConfigurationError(
            f"The sandbox does not know {version}.",
            hint="It serves Exchange2010_SP2, Exchange2013_SP1 and Exchange2016.",
        )
    if not _is_loopback(host):
        typer.echo(
            f"Warning: listening on {host}, so others can reach this sandbox and read its passwords.",
            err=True,
        )
    secure = None
    if tls:
        from procession.sandbox import certificate

        path = certificate.make(
            Path(tempfile.mkdtemp(prefix="procession-sandbox-")), host, SystemClock().now()
        )
        typer.echo(f"The certificate to trust is {path}", err=True)
        secure = certificate.context(path)
    ports = (port, port + 1, port + 2, port + 3) if port else (0, 0, 0, 0)
    return Listening(host, *ports, tls=secure, version=version, database=database)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _sandbox(wanted: _Wanted, listening: "Listening", *, log: bool) -> "Sandbox":
    from procession.sandbox.faults import FaultPlan, read_fault
    from procession.sandbox.mailbox.contents import fill
    from procession.sandbox.mailbox.world import World
    from procession.sandbox.server import Sandbox, SystemClock

    # aiosmtpd warns about a property of its own that it sets itself at each login.
    logging.getLogger("mail.log").setLevel(logging.ERROR)
    faults = FaultPlan()
    for text in wanted.faults:
        faults.add(read_fault(text))
    sandbox = Sandbox(World(SystemClock()), listening, _line if log else None, faults)
    if not sandbox.world.mailboxes:
        for address, password in wanted.users:
            sandbox.world.add_user(address, password)
        if not wanted.empty:
            fill(sandbox.world)
    return sandbox


def _line(text: str) -> None:
    typer.echo(text, err=True)


def _announce(sandbox: "Sandbox", *, as_json: bool) -> None:
    endpoints = sandbox.endpoints
    users = [{"address": box.address, "password": box.password} for box in sandbox.world.mailboxes.values()]
    if as_json:
        faces = {"ews": endpoints.ews, "smtp": endpoints.smtp, "imap": endpoints.imap, "pop3": endpoints.pop3}
        typer.echo(json.dumps({**faces, "users": users}))
        return
    typer.echo("The sandbox is ready.\n")
    for name, value in (
        ("EWS", endpoints.ews),
        ("SMTP", endpoints.smtp),
        ("IMAP", endpoints.imap),
        ("POP3", endpoints.pop3),
    ):
        typer.echo(f"  {name:5} {value}")
    typer.echo("")
    for row in users:
        typer.echo(f"  {row['address']}  password {row['password']}")
    typer.echo("\nStop it with Ctrl-C.")


# Commands for a running sandbox

Url = Annotated[str, typer.Option(help="The EWS address of the running sandbox.")]
User = Annotated[str, typer.Option(help="Who asks, as ADDRESS:PASSWORD.")]
RUNNING = f"http://127.0.0.1:{DEFAULT_PORT}/EWS/Exchange.asmx"


def _ask(url: str, user: str, action: str, given: dict[str, Any]) -> dict[str, Any]:
    root = url.removesuffix("/").rsplit("/EWS", 1)[0]
    token = base64.b64encode(user.encode()).decode()
    request = urllib.request.Request(  # noqa: S310 - what the caller named
        f"{root}/sandbox/{action}", json.dumps(given).encode(), {"Authorization": f"Basic {token}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as reply:  # noqa: S310 - what the caller named
            found: dict[str, Any] = json.load(reply)
            return found
    except urllib.error.HTTPError as error:
        if error.code == 401:  # noqa: PLR2004 - HTTP's number
            _fail("The sandbox knows no such user and password.", "Give --user ADDRESS:PASSWORD.")
        _fail(str(json.load(error).get("error", error)))
    except OSError as error:
        _fail(
            f"No sandbox answers at {url}: {error}.",
            "Start one with `procession sandbox`, or give its --url.",
        )
    return {}


@app.command()
def add_mail(
    subject: Annotated[str, typer.Argument(help="What it is about.")],
    to: Annotated[str, typer.Option(help="Whose inbox; the one who asks unless told.")] = "",
    sender: Annotated[
        str, typer.Option("--from", help="The address it comes from.")
    ] = "customer@elsewhere.test",
    text: Annotated[str, typer.Option(help="What it says.")] = "",
    url: Url = RUNNING,
    user: User = USERS[0],
) -> None:
    """Let a mail from outside arrive in a running sandbox.

    Examples:

      procession sandbox add-mail "About your offer" --to ben@example.com
    """
    done = _ask(url, user, "add-mail", {"subject": subject, "to": to, "from": sender, "text": text})
    typer.echo(f"A mail for {done['to']} has arrived: {done['message_id']}")


@app.command()
def add_meeting(
    subject: Annotated[str, typer.Argument(help="What it is about.")],
    start: Annotated[
        str, typer.Option(help="When, as 2026-03-05T10:00+01:00; the next full hour unless told.")
    ] = "",
    minutes: Annotated[float, typer.Option(help="How long.")] = 60,
    attendee: Annotated[list[str] | None, typer.Option(help="Whom to invite. Repeat it for more.")] = None,
    organizer: Annotated[str, typer.Option(help="Whose meeting; the one who asks unless told.")] = "",
    url: Url = RUNNING,
    user: User = USERS[0],
) -> None:
    """Add a meeting to a running sandbox and invite its attendees.

    Examples:

      procession sandbox add-meeting Kick-off --attendee ben@example.com
    """
    given = {
        "subject": subject,
        "start": start,
        "minutes": minutes,
        "attendees": attendee or [],
        "organizer": organizer,
    }
    done = _ask(url, user, "add-meeting", given)
    typer.echo(f"The meeting of {done['organizer']} starts {done['start']}: {done['uid']}")


@app.command("fault")
def set_fault(
    faults: Annotated[list[str] | None, typer.Argument(help="Faults, as in CreateItem#2=drop-reply.")] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Forget those set before.")] = False,
    url: Url = RUNNING,
    user: User = USERS[0],
) -> None:
    """Set faults in a running sandbox.

    Examples:

      procession sandbox fault CreateItem#2=drop-reply
      procession sandbox fault --clear
    """
    done = _ask(url, user, "faults", {"faults": faults or [], "clear": clear})
    typer.echo(f"{len(done['faults'])} faults are set.")


@app.command()
def ledger(url: Url = RUNNING, user: User = USERS[0]) -> None:
    """List every mail that left for an address: when, what, from whom, to whom.

    Examples:

      procession sandbox ledger
    """
    for line in _ask(url, user, "ledger", {})["ledger"]:
        typer.echo(f"{line['at']}  {line['kind']:12} {line['sender']} -> {line['to']}  {line['subject']}")
