"""What Jinja says of a template, in the words of this product."""

import re

_SYNTAX = (
    (r"expected token 'end of (?:statement block|print statement)', got '='", "'=' does not compare", "Write '=='."),
    (r"(?s)Unexpected end of template\. .* closed is '(\w+)'", r"'{% \1 %}' is not closed", r"Write '{% end\1 %}'."),
    (r"unexpected end of template, expected 'end of print statement'", "'{{' is not closed", "Close it with '}}'."),
    (r"unexpected end of template, expected .*", "a tag is not closed", "Close it with '%}'."),
    (r"Missing end of comment tag", "'{#' is not closed", "Close it with '#}'."),
    (r"(?s)Encountered unknown tag '(\w+)'\. .* closed is '(\w+)'", r"'{% \1 %}' stands inside of '{% \2 %}'", r"Write '{% end\2 %}' first."),
    (r"Encountered unknown tag 'end(\w+)'", r"there is no '{% \1 %}' before this '{% end\1 %}'", ""),
    (r"Encountered unknown tag '(\w+)'", r"there is no '{% \1 %}'", ""),
    (r"No (filter|test) named '(\w+)'", r"there is no \1 '\2' in mail templates", ""),
    (r"Expected an expression, got 'end of (?:statement block|print statement)'", "there is nothing between the braces", ""),
    (r"expected token 'name', got 'end of (?:statement block|print statement)'", "the expression ends too early", ""),
    (r"expected token 'end of (?:statement block|print statement)', got '(.+)'", r"'\1' is not expected here", "Something is missing before it."),
    (r"expected token '(.+)', got '(.+)'", r"'\1' is expected here, not '\2'", ""),
)  # fmt: skip
_TYPES = {
    "int": "a number", "float": "a number", "str": "a text", "Markup": "a text", "NoneType": "an empty value",
    "Record": "a record", "datetime.datetime": "a moment", "datetime": "a moment", "date": "a date", "list": "a list",
    "tuple": "a list", "bool": "a yes-or-no value", "dict": "a group of values",
}  # fmt: skip
_RUNNING = (
    (r"unsupported operand type\(s\) for (\S+): '([\w.]+)' and '([\w.]+)'", "'{0}' does not fit {1} and {2}"),
    (r"(can) only concatenate (\w+) \(not \"([\w.]+)\"\) to \w+", "'+' does not fit {1} and {2}"),
    (
        r"'(\S+)' not supported between instances of '([\w.]+)' and '([\w.]+)'",
        "'{0}' does not fit {1} and {2}",
    ),
    (r"'([\w.]+)' object is not iterable", "{0} is no list"),
)


def of_syntax(message: str) -> tuple[str, str]:
    """(message, hint) of a template that cannot be read."""
    for pattern, what, hint in _SYNTAX:
        if found := re.match(pattern, message):
            return found.expand(what), found.expand(hint)
    return message.rstrip("."), ""


def of_running(message: str) -> str:
    """What went wrong with the values that a template met."""
    for pattern, what in _RUNNING:
        if found := re.fullmatch(pattern, message):
            return what.format(*(_TYPES.get(part, part) for part in found.groups()))
    return message
