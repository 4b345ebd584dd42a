"""From a template and a record to the bytes of a mail: `Templates.render`, then `compose`.

templates.py   finds a mail in the reader's language and fills it
formats.py     dates, times and money as that reader writes them
sandbox.py     what a template may do
checking.py    what is wrong with a template, without filling it
invitation.py  the calendar file of a meeting
addresses.py   what is an address, and how it stands in an envelope
mime.py        the finished mail as bytes
redirecting.py the same, of a test system: all of it to one address
"""

from procession.mail.addresses import envelope_address
from procession.mail.invitation import invitation
from procession.mail.mime import compose, recipients
from procession.mail.redirecting import composed, redirected
from procession.mail.templates import Templates

__all__ = ["Templates", "compose", "composed", "envelope_address", "invitation", "recipients", "redirected"]
