"""What the parts of this package need of the application that `flows.wiring` puts together."""

from typing import TYPE_CHECKING, Protocol

from flows.settings import Settings
from procession.application import Application

if TYPE_CHECKING:
    from procession.plan import Plan


class Project(Application, Protocol):
    """An application with its settings, and with the older versions of its processes."""

    @property
    def settings(self) -> Settings: ...

    def pinned(self, process: str, digest: str) -> "Plan | None":
        """An older version of a process, as instances that started with it go on with it; None if it cannot be read."""
        ...
