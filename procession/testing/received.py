"""A mail as a server got it."""

from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Literal


@dataclass(frozen=True, slots=True)
class Received:
    """A mail as it came: its envelope and its bytes. What is inside is parsed when it is asked for."""

    sender: str
    recipients: tuple[str, ...]
    data: bytes
    received_at: datetime

    @property
    def message(self) -> EmailMessage:
        return message_from_bytes(self.data, policy=policy.default)

    @property
    def subject(self) -> str:
        return str(self.message["subject"] or "")

    @property
    def message_id(self) -> str:
        return str(self.message["message-id"] or "")

    @property
    def text(self) -> str:
        return self._body("plain")

    @property
    def html(self) -> str:
        return self._body("html")

    @property
    def attachments(self) -> dict[str, bytes]:
        """`{file name: content}`."""
        parts = self.message.iter_attachments()
        return {part.get_filename() or "": bytes(part.get_payload(decode=True) or b"") for part in parts}

    def _body(self, subtype: Literal["plain", "html"]) -> str:
        part = self.message.get_body((subtype,))
        return str(part.get_content()).replace("\r\n", "\n") if part else ""
