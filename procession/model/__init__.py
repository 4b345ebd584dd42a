"""Document → `Draft`: the shape of a process file, checked; every mistake of shape at once.

parsing.py     the whole file, its inputs and defaults
triggers.py    what starts it
steps.py       its steps
fields.py      values with `{{ }}` in them
shapes.py      what may stand where, around the steps
problems.py    what pydantic found wrong, in the product's words
words.py       what an author probably meant
draft.py       what comes out
"""

from procession.model.draft import (
    Draft,
    Filled,
    InputDraft,
    Leaf,
    RetryDraft,
    StepDraft,
    TriggerDraft,
    YamlPath,
    path_in_words,
)
from procession.model.parsing import parse

__all__ = [
    "Draft",
    "Filled",
    "InputDraft",
    "Leaf",
    "RetryDraft",
    "StepDraft",
    "TriggerDraft",
    "YamlPath",
    "parse",
    "path_in_words",
]
