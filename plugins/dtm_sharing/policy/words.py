"""The words of Table A's levels: ours, and those of other agencies, each bound to a named scheme."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dtm_sharing.model import Grain, Level
from dtm_sharing.policy.problems import did_you_mean, quoted

OURS = {level.label: level for level in Level}


@dataclass(frozen=True, slots=True)
class Words:
    """Scheme → word → level. ``known`` is False while the classification itself has faults."""

    schemes: Mapping[str, Mapping[str, Level]]
    known: bool

    def level(self, word: str) -> Level | str | None:
        """The level; or the sentence that says why there is none; or None where that cannot be known.

        The bare word "confidential" means Secret to some agencies and Confidential to IOM (Table A,
        "other names"), so only the exact word ``Confidential`` is ours.
        """
        if word in OURS:
            return OURS[word]
        if word.strip().casefold() == "confidential":
            return (
                f"{quoted(word)} means Secret to some agencies; write 'Confidential', "
                f"or name the scheme, as in {quoted(self._scheme_with('confidential') + ':confidential')}"
            )
        if not self.known:
            return None
        scheme, colon, bare = word.partition(":")
        return self._of_scheme(scheme, bare) if colon else self._bare(word)

    def levels(self, words: Mapping[Grain, str]) -> dict[Grain, Level | None]:
        """The level of each grain; None where the word is none."""
        read = {grain: self.level(word) for grain, word in words.items()}
        return {grain: level if isinstance(level, Level) else None for grain, level in read.items()}

    def _scheme_with(self, word: str) -> str:
        return next((name for name, words in sorted(self.schemes.items()) if word in words), "other-agencies")

    def _of_scheme(self, scheme: str, word: str) -> Level | str:
        if scheme not in self.schemes:
            return f"there is no naming scheme {quoted(scheme)}{did_you_mean(scheme, self.schemes)}"
        words = self.schemes[scheme]
        if word in words:
            return words[word]
        return f"the scheme {quoted(scheme)} has no word {quoted(word)}{did_you_mean(word, words)}"

    def _bare(self, word: str) -> Level | str:
        using = sorted(name for name, words in self.schemes.items() if word in words)
        if len(using) == 1:
            return self.schemes[using[0]][word]
        if using:
            return f"{quoted(word)} is a word of {' and '.join(using)}; name one, as in {using[0]}:{word}"
        every = {each for words in self.schemes.values() for each in words if each != "confidential"}
        near = did_you_mean(word, [*OURS, *every])
        return f"{quoted(word)} is not a level{near or '; write Public, Confidential or Secret'}"
