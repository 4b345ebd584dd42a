"""What the parts of this package need of the application that `flows.wiring` puts together."""

from typing import Protocol

from flows.settings import Settings
from procession.application import Application


class Project(Application, Protocol):
    """An application with its settings."""

    @property
    def settings(self) -> Settings: ...
