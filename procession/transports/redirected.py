"""Mail out of a test system: nothing reaches any address but one, whoever a mail is for and whenever it was queued."""

from collections.abc import Sequence

from procession.mail import redirected
from procession.ports import BreaksOff, Delivery, MailOut


class RedirectedMailOut:
    """Implements `procession.ports.MailOut` on another one."""

    def __init__(self, server: MailOut, address: str) -> None:
        self.server, self.address = server, address

    @property
    def connections(self) -> int:
        return self.server.connections

    def send(self, sender: str, recipients: Sequence[str], mime: bytes) -> Delivery:
        """See `procession.ports.MailOut.send`.

        Raises:
            PermanentError: the mail cannot be redirected, so it goes nowhere.
        """
        return self.server.send(sender, [self.address], redirected(mime, recipients, self.address))

    def break_off(self) -> None:
        if isinstance(self.server, BreaksOff):
            self.server.break_off()

    def close(self) -> None:
        self.server.close()
