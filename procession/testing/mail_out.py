"""Mail out without a server: keeps what it is handed, and fails when it is told to, as `Inbox` does."""

import threading
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime

from procession.errors import TransportDeferred, TransportRefused, UnknownOutcome
from procession.mail import envelope_address
from procession.ports import Delivery
from procession.testing.received import Received

NOWHEN = datetime(2000, 1, 1, tzinfo=UTC)


class MemoryMailOut:
    """Implements `procession.ports.MailOut`. `received_at` of its mails is always the same moment."""

    connections = 1

    def __init__(self) -> None:
        self.mails: list[Received] = []
        self._refusals: deque[str] = deque()
        self._recipients: dict[str, str] = {}
        self._drops: deque[bool] = deque()
        self._lock = threading.Lock()

    def send(self, sender: str, recipients: Sequence[str], mime: bytes) -> Delivery:
        """See `procession.ports.MailOut.send`."""
        envelope = tuple(dict.fromkeys(map(envelope_address, recipients)))
        with self._lock:
            if self._refusals:
                raise _refusal(self._refusals.popleft())
            refused = {
                address: self._recipients[address] for address in envelope if address in self._recipients
            }
            taken = tuple(address for address in envelope if address not in refused)
            if not taken:
                raise _refusal(min(refused.values()))
            accepted = self._drops[0] if self._drops else True
            if accepted:
                self.mails.append(Received(envelope_address(sender) if sender else "", taken, mime, NOWHEN))
            if self._drops:
                self._drops.popleft()
                raise UnknownOutcome("no answer was read after the handover: the connection was cut")
        return Delivery("250 2.0.0 accepted", refused)

    def refuse_next(self, reply: str, *, times: int = 1) -> None:
        """Answer the next `times` mails with this reply (`451 4.3.0 later`, `550 5.1.1 no`)."""
        self._refusals.extend([reply] * times)

    def refuse_recipient(self, address: str, reply: str = "550 5.1.1 nobody of this name") -> None:
        self._recipients[address] = reply

    def drop_next(self, times: int = 1, *, accepted: bool = True) -> None:
        """Give no answer to the next mails, having taken them or not."""
        self._drops.extend([accepted] * times)

    def close(self) -> None:
        """Nothing is open."""


def _refusal(reply: str) -> TransportDeferred | TransportRefused:
    if reply.startswith("4"):
        return TransportDeferred(f"the mail server put off the mail: {reply}")
    return TransportRefused(f"the mail server refused the mail: {reply}")
