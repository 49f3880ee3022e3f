"""Finding the words of a vocabulary in a client's free text."""

import re
from collections.abc import Iterable, Mapping
from functools import cache

_LONGEST_TEXT = 4000  # of what is longer, the beginning is read
_WORD = re.compile(r"[^\W\d_]+")


def tokens(text: str | None) -> list[str]:
    """Return the words of `text` in lower case, in order, the plural's s dropped ("glass" keeps its own)."""
    return [_singular(word) for word in _WORD.findall((text or "")[:_LONGEST_TEXT].lower())]


def find(text: str | None, vocabulary: Mapping[str, Iterable[str]]) -> list[str]:
    """Return the names in `vocabulary` (name → its words and phrases) that `text` mentions, first mentioned first.

    A longer phrase hides the shorter ones within it: "window light" is not also "light".
    """
    phrases = {_phrase(phrase): name for name, known in vocabulary.items() for phrase in (name, *known)}
    longest = max(map(len, phrases), default=0)
    words, found, at = tokens(text), [], 0
    while at < len(words):
        for length in range(min(longest, len(words) - at), 0, -1):
            if name := phrases.get(tuple(words[at : at + length])):
                found.append(name)
                at += length
                break
        else:
            at += 1
    return list(dict.fromkeys(found))


@cache
def _phrase(known: str) -> tuple[str, ...]:
    return tuple(tokens(known))


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
