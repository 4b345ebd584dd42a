"""How words are written: which one an author meant (the one place that guesses), and how many of a thing."""

from collections.abc import Iterable


def closest(word: str, known: Iterable[str]) -> str:
    """The known word that `word` most likely is a misspelling of; "" if none is near enough.

    Case, `-`, `_` and spaces do not count. Otherwise one slip of the keyboard (a letter too many, missing,
    wrong, or two swapped) is allowed per three letters, three at most; a word that only lost or gained
    whole parts (`address` for `email_address`) is taken too.
    """
    plain = _plain(word)
    best, best_rank = "", (4.0, 0)
    for candidate in dict.fromkeys(known):
        rank = _rank(plain, _plain(candidate))
        if rank < best_rank:
            best, best_rank = candidate, rank
    return best


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`Did you mean 'start'?`, or "" if no known word is near."""
    guess = closest(word, known)
    return f"Did you mean {guess!r}?" if guess else ""


def one_of(words: Iterable[str]) -> str:
    """`a, b or c`, as a sentence lists them."""
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last


def count(number: int, noun: str) -> str:
    """`1 process`, `3 processes`."""
    if number == 1:
        return f"1 {noun}"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return f"{number:,} {noun[:-1]}ies"
    return f"{number:,} {noun}{'es' if noun.endswith(('s', 'x', 'ch', 'sh')) else 's'}"


def _plain(word: str) -> str:
    return "_".join(word.casefold().replace("-", " ").replace("_", " ").split())


def _rank(word: str, candidate: str) -> tuple[float, int]:
    """Smaller is nearer: the slips between them, then how many letters the beginnings do not share."""
    shared = next((i for i, (a, b) in enumerate(zip(word, candidate, strict=False)) if a != b), len(word))
    longer = max(len(word), len(candidate))
    allowed = min(3, max(1, longer // 3))
    if abs(len(word) - len(candidate)) <= allowed:
        slips = distance(word, candidate)
        if slips <= allowed and slips < longer:
            return float(slips), -shared
    parts, known = set(word.split("_")), set(candidate.split("_"))
    if word and (parts < known or known < parts):
        return 3.5, -shared
    return 4.0, 0


def distance(a: str, b: str) -> int:
    """Slips between two words: Damerau and Levenshtein's distance with adjacent swaps (optimal string alignment)."""
    before: list[int] = []
    last = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        row = [i]
        for j, y in enumerate(b, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, last = last, row
    return last[-1]
