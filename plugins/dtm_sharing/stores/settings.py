"""Where the policy, the stores and the ledger are: from the environment, and nowhere else.

| variable | what | when it is not set |
|---|---|---|
| DTM_SHARING_POLICIES | folder of the policy files | the folder ``policies`` beside ``plugins`` |
| DTM_SHARING_RESTRICTED_STORE | folder or ``s3://`` URL | an error, when it is asked for |
| DTM_SHARING_PUBLIC_STORE | folder or ``s3://`` URL | an error, when it is asked for |
| DTM_SHARING_LEDGER | path of the ledger's SQLite file | an error, when it is asked for |
| DTM_SHARING_CREDENTIALS | path of the SQLite file of encrypted passwords | an error, when it is asked for |
| DTM_SHARING_LEDGER_KEY | public key that verifies the ledger's checkpoints | signatures are not checked |

Stores and ledger have no default on purpose: a guessed place would scatter sensitive tables over working
folders, and a second, empty ledger would answer that nothing was ever sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from dtm_sharing.errors import UsageProblem

POLICIES = "DTM_SHARING_POLICIES"
RESTRICTED_STORE = "DTM_SHARING_RESTRICTED_STORE"
PUBLIC_STORE = "DTM_SHARING_PUBLIC_STORE"
LEDGER = "DTM_SHARING_LEDGER"
CREDENTIALS = "DTM_SHARING_CREDENTIALS"
LEDGER_KEY = "DTM_SHARING_LEDGER_KEY"

BESIDE_PLUGINS = Path(__file__).resolve().parents[3] / "policies"

_MEANINGS = {
    POLICIES: ("the policy folder", "/srv/dtm/policies"),
    RESTRICTED_STORE: ("the restricted store", "/srv/dtm/restricted or s3://bucket/prefix"),
    PUBLIC_STORE: ("the public store", "/srv/dtm/public or s3://bucket/prefix"),
    LEDGER: ("the ledger", "/srv/dtm/ledger.db"),
    CREDENTIALS: ("the credentials", "/srv/dtm/credentials.db"),
}


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment says. A place that is not set is an error only when it is asked for."""

    given: Mapping[str, str]  # variable -> value, without the empty ones

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Settings:
        """Take our variables out of ``environ``. An empty value counts as not set."""
        names = (*_MEANINGS, LEDGER_KEY)
        return cls({name: environ[name].strip() for name in names if environ.get(name, "").strip()})

    @property
    def policies(self) -> Path:
        """The policy folder.

        Raises:
            UsageProblem: the variable is not set and there is no folder ``policies`` beside ``plugins``.
        """
        if POLICIES not in self.given and BESIDE_PLUGINS.is_dir():
            return BESIDE_PLUGINS
        return self._path(POLICIES)

    @property
    def restricted_store(self) -> str:
        """Folder or ``s3://`` URL. Raises UsageProblem where it is not set, as do those below."""
        return self._needed(RESTRICTED_STORE)

    @property
    def public_store(self) -> str:
        """Folder or ``s3://`` URL. Nothing that is not public may lie in it.

        Raises:
            UsageProblem: it is not set; or another of our places is the same, or within it.
        """
        public = self._needed(PUBLIC_STORE)
        for name in (RESTRICTED_STORE, LEDGER, CREDENTIALS):
            if name in self.given and _lies_in(self.given[name], public):
                raise UsageProblem(
                    f"{name} lies in {PUBLIC_STORE}, where everyone may read: give it a place outside."
                )
        return public

    @property
    def ledger(self) -> Path:
        """The ledger's SQLite file, which may not exist yet."""
        return self._path(LEDGER)

    @property
    def credentials(self) -> Path:
        """The SQLite file of encrypted passwords, which may not exist yet."""
        return self._path(CREDENTIALS)

    @property
    def ledger_key(self) -> str | None:
        """The public key that verifies checkpoints, if one is set."""
        return self.given.get(LEDGER_KEY)

    def _path(self, name: str) -> Path:
        return Path(self._needed(name)).expanduser()

    def _needed(self, name: str) -> str:
        if name in self.given:
            return self.given[name]
        meaning, example = _MEANINGS[name]
        raise UsageProblem(f"{name} is not set: it says where {meaning} is, e.g. {example}.")


def _lies_in(inner: str, outer: str) -> bool:
    within, around = _segments(inner), _segments(outer)
    return within[: len(around)] == around


def _segments(place: str) -> tuple[str, ...]:
    """A folder, file or URL, segment by segment; links and ``..`` are followed."""
    try:
        parts = urlsplit(place)
    except ValueError:  # whoever opens the store says so
        return (place,)
    if parts.scheme == "s3":
        return ("s3:", parts.netloc, *filter(None, unquote(parts.path).split("/")))
    path = unquote(parts.path) if parts.scheme == "file" else place
    return Path(path).expanduser().resolve().parts
