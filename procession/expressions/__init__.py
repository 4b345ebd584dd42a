"""The sandbox: conditions and values as authors write them.

In the order a text takes: `parts.split` cuts it at its `{{ }}`; `syntax` reads an expression into a tree
and refuses what the language has not; `check` finds its types, its mistakes and the references it
follows, without running it; `evaluate` and `fill` run it on values.
"""

from procession.expressions.checking import check
from procession.expressions.equalities import Equality, compares, equalities
from procession.expressions.outputs import ALL, steps_below, steps_named
from procession.expressions.parts import (
    Checked,
    Deferred,
    Expression,
    Fillable,
    Finding,
    Names,
    Scope,
    Span,
    Text,
    split,
)
from procession.expressions.running import evaluate, fill, write
from procession.records import touching

__all__ = [
    "ALL",
    "Checked",
    "Deferred",
    "Equality",
    "Expression",
    "Fillable",
    "Finding",
    "Names",
    "Scope",
    "Span",
    "Text",
    "check",
    "compares",
    "equalities",
    "evaluate",
    "fill",
    "split",
    "steps_below",
    "steps_named",
    "touching",
    "write",
]
