"""Keys that are not known where they stand: what the author probably meant."""

from collections.abc import Sequence

from procession.spelling import closest
from procession.steps import STEPS, kind_of

LATER = (
    "parallel", "repeat", "group", "user_task", "approval", "run_process", "decision",
    "compensate", "http", "calendar", "events", "finally",
    "mutex", "outputs", "variables", "max", "missed", "frequency_cap", "max_recipients", "deliver",
)  # fmt: skip
"""Words of the language that this version does not know yet."""

STEP_WORDS = tuple(kind.word for kind in STEPS)

_OTHER_NAMES = {
    "mail": "send_email", "email": "send_email", "e_mail": "send_email", "send": "send_email",
    "task": "create_activity", "activity": "create_activity", "log": "log_history", "history": "log_history",
    "find": "read", "get": "read", "search": "read", "query": "read", "add": "create", "insert": "create",
    "change": "update", "remove": "delete", "switch": "choose", "case": "choose", "elif": "choose",
    "loop": "for_each", "foreach": "for_each", "each": "for_each", "end": "stop", "exit": "stop", "return": "stop",
    "function": "call", "when": "if", "if": "when", "condition": "if", "otherwise": "else", "on": "triggers", "do": "steps",
    "recipient": "to", "receiver": "to", "sender": "from", "body": "text", "message": "text", "connected": "connected_to",
    "link": "connected_to", "cron": "schedule", "label": "title", "enum": "options", "choices": "options",
    "tz": "timezone", "filter": "where", "sort": "order", "data": "values", "fields": "values",
    "arguments": "args", "params": "args", "parameters": "inputs", "catch": "on_error", "error": "on_error",
    "on_failure": "on_error", "retries": "retry", "attempts": "max_attempts", "times": "max_attempts",
}  # fmt: skip
"""Words of other tools, and what they are called here."""


INSTEAD_OF = {"meeting": "A meeting is `type: task` with `category: meeting`."}
"""What to do about a value that people expect and that is written otherwise."""


def meant(word: str, known: Sequence[str]) -> str:
    """The known key that was meant; "" if none is near."""
    guess = closest(word, known)
    if guess:
        return guess
    other = _OTHER_NAMES.get(word.casefold().replace("-", "_"), "")
    return other if other in known else ""


def hint_for(word: str, known: Sequence[str]) -> str:
    """What to do about a key that is not one of the `known`."""
    if word.startswith("-"):
        return f"A space is missing after '-': write '- {word[1:]}'."
    guess = meant(word, known)
    if guess:
        return f"Did you mean {guess!r}?"
    return f"Known here: {', '.join(known)}."


def as_name(text: str) -> str:
    """What to do about a text that cannot be a name."""
    plain = "_".join("".join(c if c.isalnum() else " " for c in text.lower()).split())
    rule = "Names have small letters, digits and '_', and begin with a letter"
    usable = plain.isascii() and plain[:1].isalpha() and plain != text
    return f"{rule}: {plain}." if usable else f"{rule}."


def is_later(word: str, known: Sequence[str]) -> bool:
    return word in LATER and word not in known


def field_of(word: str, kind_word: str) -> bool:
    """Whether `word` is a field of that kind of step (and so stands one level too high)."""
    kind = kind_of(kind_word)
    return kind is not None and word in {info.alias or name for name, info in kind.shape.model_fields.items()}
