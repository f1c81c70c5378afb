"""Passwords of artefacts: words drawn from a list, never shown unless asked for by name."""

from __future__ import annotations

import hmac
import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import NoReturn


class Password:
    """Words that open an artefact. Only ``reveal`` shows them.

    It has no fields that a serializer finds, it is not pickled, and its repr, str and format tell the number
    of words: it cannot land in a log, a template or an XCom by mistake.
    """

    __slots__ = ("__words",)

    def __init__(self, words: str) -> None:
        """``words`` are separated by single spaces, as ``reveal`` gives them."""
        self.__words = words

    def reveal(self) -> str:
        """The words themselves. Whoever calls this answers for where they go."""
        return self.__words

    @property
    def words(self) -> int:
        """How many of its words count: 0 if any is not in the list that our passwords are drawn from."""
        words = self.__words.split(" ")
        return len(words) if set(words) <= set(word_list()) else 0

    @property
    def bits(self) -> float:
        """Entropy if each word was drawn evenly and independently, over the list really in use."""
        return self.words * math.log2(len(word_list()))

    def __repr__(self) -> str:
        return f"Password({self.words} words)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Password):
            return NotImplemented
        return hmac.compare_digest(self.__words.encode(), other.reveal().encode())

    __hash__ = None  # type: ignore[assignment]

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a password is not pickled or copied: hand it on, or ask the credential store again")


def generate_password(words: int, choose: Callable[[Sequence[str]], str]) -> Password:
    """A password of ``words`` words. ``choose`` picks one evenly: ``secrets.choice``, and nothing weaker."""
    return Password(" ".join(choose(word_list()) for _ in range(words)))


@cache
def word_list() -> tuple[str, ...]:
    """The whole EFF long list: 7,776 words, 12.92 bits each.

    xkcdpass by itself keeps words of 5 to 9 letters only, 7,227 of them, so the limits are lifted. It hands
    the words on in the order of a set; they are sorted so that ``choose`` alone decides.
    """
    from xkcdpass.xkcd_password import generate_wordlist

    return tuple(sorted(generate_wordlist("eff-long", min_length=1, max_length=40)))
