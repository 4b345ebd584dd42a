"""What is known of a database outside of it, so that one that was put back from a backup, or copied, is found out.

Two files, beside a SQLite file or in the project's data folder:

    NAME.witness   which database it was and how far it was (`Mark`), written every few seconds
    NAME.sent      a line for each mail that the mail server took, written once the database knows of it

A database that does not know what they say is older than what was done with it: what it has queued may have gone out.
It is held (`Journal.hold`) until a person says what is to become of that (`procession.restoring`).
"""

import json
import logging
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from uuid import uuid4

from procession.errors import ConfigurationError
from procession.ports import Ports, SentMail, Standing

log = logging.getLogger(__name__)

MODE = 0o600
SENT_BYTES = 10_000_000
"""Of the list of mails that were sent: about 150,000 of them. As many again are kept in the one before it."""
LONGEST_LINE = 1200

HOW_TO_GO_ON = (
    "Nothing is sent and nothing starts until you say what is to become of what it had queued:"
    " procession restored --go-on, or procession restored --drop-due;"
    " for a copy of another database: procession init --new-identity"
)


@dataclass(frozen=True, slots=True)
class Mark:
    """Which database it was, and its last event."""

    installation: str
    incarnation: str
    event: int

    @classmethod
    def of(cls, standing: Standing) -> "Mark":
        return cls(standing.identity.installation, standing.identity.incarnation, standing.event)


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why a database may not be the one that was worked on last. It may be all the same if it `may_be_new_here`: an
    engine on another machine may be the one that knows it."""

    because: str
    may_be_new_here: bool = False


class Witness:
    """Safe to use from several threads and processes.

    Args:
        path: what the files are called, without their ends.
    """

    def __init__(self, path: Path) -> None:
        self.file, self._sent = _named(path, "witness"), _named(path, "sent")
        self._lock = threading.Lock()
        self._told = False

    def doubt(self, standing: Standing) -> Doubt | None:
        """None if the database is as far as what is known of it."""
        mark = self.mark()
        if not standing.is_witnessed:  # no engine has worked on it yet
            return None
        if mark is None:
            return Doubt(
                f"an engine has worked on it, and there is no {self.file} any more that says how far",
                may_be_new_here=True,
            )
        if mark.installation != standing.identity.installation:
            return Doubt(f"it is another one than {self.file} is of", may_be_new_here=True)
        if mark.incarnation in standing.former:  # a person has said so since
            return None
        if mark.incarnation != standing.identity.incarnation:
            return Doubt("it is of a time before it was restored last")
        if standing.event < mark.event:
            return Doubt(f"its last event is {standing.event}, and there was an event {mark.event}")
        if not standing.knows_mail:
            return Doubt("a mail was sent of which it does not know that")
        return None

    def mark(self) -> Mark | None:
        """None if there is none, or none that can be read."""
        try:
            return Mark(**json.loads(self.file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def begin(self, mark: Mark) -> None:
        """Be the witness of this database, from here on.

        Raises:
            ConfigurationError: the files cannot be written.
        """
        try:
            self._turn_over()
            self._write(mark)
        except OSError as error:
            raise ConfigurationError(
                f"{self.file} cannot be written: {error.strerror}",
                hint="It says how far the database is, so that one put back from a backup sends nothing twice.",
            ) from error

    def keep(self, mark: Mark) -> None:
        """Note how far the database is now."""
        before = self.mark()
        if before is None or before.incarnation != mark.incarnation:
            self.begin(mark)
        elif before.event < mark.event:
            with self._telling():
                self._write(mark)

    def note(self, mails: Iterable[SentMail]) -> None:
        """These were sent, and the database knows it."""
        lines = "".join(f"{mail.number} {mail.message_id}\n" for mail in mails)
        if lines:
            with self._telling():
                self._append(lines)

    def last_sent(self) -> SentMail | None:
        try:
            with self._sent.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - LONGEST_LINE))
                lines = file.read().decode("utf-8", "replace").splitlines()
        except OSError:
            return None
        return _read(lines[-1]) if lines else None

    def sent(self) -> set[str]:
        """The Message-IDs of the mails that were sent, as far back as is known."""
        return {mail.message_id for file in (self._before(), self._sent) for mail in _listed(file)}

    def sent_since(self) -> list[SentMail]:
        """Those that were sent since a person said last what the database is, or since the list became too long."""
        return _listed(self._sent)

    def _write(self, mark: Mark) -> None:
        """As a whole or not at all."""
        new = self.file.with_name(f"{self.file.name}.{uuid4().hex}")
        self.file.parent.mkdir(parents=True, exist_ok=True)
        try:
            with os.fdopen(
                os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE), "w", encoding="utf-8"
            ) as file:
                json.dump(asdict(mark), file)
            new.replace(self.file)
        finally:
            new.unlink(missing_ok=True)

    def _append(self, lines: str) -> None:
        self._sent.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self._sent, os.O_WRONLY | os.O_CREAT | os.O_APPEND, MODE)
        try:
            os.write(file, lines.encode())
            size = os.fstat(file).st_size
        finally:
            os.close(file)
        if size > SENT_BYTES:
            self._turn_over()

    def _turn_over(self) -> None:
        """What was sent is kept as what was sent before."""
        with suppress(FileNotFoundError):
            self._sent.replace(self._before())

    def _before(self) -> Path:
        return self._sent.with_name(f"{self._sent.name}.1")

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """A disk that is full is no reason to send no mail; it is said once."""
        with self._lock:
            try:
                yield
            except OSError as error:
                if not self._told:
                    log.warning(
                        "%s: how far the database is cannot be noted: %s", self.file.parent, error.strerror
                    )
                self._told = True


def held(because: str) -> ConfigurationError:
    return ConfigurationError(
        f"The database may have been put back from a backup, or copied: {because}", hint=HOW_TO_GO_ON
    )


def refuse_if_held(ports: Ports) -> None:
    """For what a person starts by hand.

    Raises:
        ConfigurationError: the database is held.
    """
    ports.engine.look()
    with ports.store.unit(write=False) as unit:
        standing = unit.journal.standing()
    if standing.held:
        raise held(standing.held)


def _named(path: Path, end: str) -> Path:
    return path.with_name(f"{path.name}.{end}")


def _listed(file: Path) -> list[SentMail]:
    with suppress(OSError):
        lines = file.read_text(encoding="utf-8").splitlines()
        return [mail for line in lines if (mail := _read(line))]
    return []


def _read(line: str) -> SentMail | None:
    number, _, message_id = line.partition(" ")
    return SentMail(int(number), message_id) if number.isdigit() and message_id else None
