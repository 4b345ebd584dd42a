"""What one IMAP connection knows: its user, the selected folder, and how it answers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from procession.sandbox.imap import names
from procession.sandbox.imap.selected import Selected
from procession.sandbox.lines import Connection
from procession.sandbox.mailbox.items import Folder
from procession.sandbox.mailbox.store import Mailbox
from procession.sandbox.mailbox.world import World


class No(Exception):
    """The command cannot be done; said to the client as NO. `code` is a response code such as TRYCREATE."""

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.code = code


@dataclass(slots=True)
class Session:
    world: World
    connection: Connection
    selected: Selected | None = None
    condstore: bool = False
    ended: bool = False

    @property
    def user(self) -> Mailbox:
        """Raises No when nobody has logged in."""
        if self.connection.user is None:
            raise No("Log in first.")
        return self.connection.user

    @property
    def folder(self) -> Selected:
        """The selected folder. Raises No when there is none."""
        if self.selected is None or self.selected.gone:
            raise No("Select a folder first.")
        return self.selected

    def find(self, name: str, *, code: str = "NONEXISTENT") -> Folder:
        """Raises No when there is no such folder."""
        folder = names.find(self.user, name)
        if folder is None:
            raise No("There is no such folder.", code=code)
        return folder

    def put(self, line: str | bytes) -> None:
        if isinstance(line, bytes):
            self.connection.writer.write(line + b"\r\n")
        else:
            self.connection.put(line)

    def tell(self, *, removals: bool) -> None:
        """Tell the client what has changed in the selected folder."""
        if self.selected is not None:
            for line in self.selected.news(removals=removals):
                self.put(line)


Command = Callable[[Session, list[Any]], str]
"""A command: its arguments in, the text of its OK out. Raises No or Malformed."""
