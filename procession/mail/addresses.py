"""What is an e-mail address (RFC 5321, 5322, 6531), and how it stands in an envelope."""

from functools import lru_cache

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

from procession.errors import PermanentError

for _name in ("local", "localhost", "test"):  # names that mail servers of a house do know
    if _name in SPECIAL_USE_DOMAIN_NAMES:
        SPECIAL_USE_DOMAIN_NAMES.remove(_name)


@lru_cache(maxsize=8192)
def envelope_address(address: str) -> str:
    """The address with its domain in ASCII (`ann@xn--mnchen-3ya.example`), as SMTP and headers want it.

    Domains without a dot and in-house ones (`.local`) are addresses too: the mail server may know them.
    A local part beyond ASCII stays as it is and needs SMTPUTF8.

    Raises:
        PermanentError: this is no address.
    """
    try:
        found = validate_email(
            address, check_deliverability=False, globally_deliverable=False, allow_quoted_local=True
        )
    except EmailNotValidError as error:
        raise PermanentError(f"{address!r:.80} is no e-mail address", hint=str(error)) from None
    return f"{found.local_part}@{found.ascii_domain}"
