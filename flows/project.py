"""What the parts of this package need of the application that `flows.wiring` puts together."""

from typing import TYPE_CHECKING, Protocol

from flows.settings import Settings
from procession.application import Application

if TYPE_CHECKING:
    pass


class Project(Application, Protocol):
    """An application with its settings, and with the versions of its processes that the store has."""

    @property
    def settings(self) -> Settings: ...
