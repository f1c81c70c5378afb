"""Policy files → ``model.Policy``, or every problem of every file at once. Decides nothing, opens no file.

texts  →  shape  →  index  →  checks  →  build    YAML, one file's keys, what is named, files among each other
          files              tighter, waivers,    the models of the kinds; the JSON schemas come from them
                             agreements, signers  the checks of these kinds
layout, writer                                    ``tidy`` and ``dump``: the way back to text
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dtm_sharing.errors import PolicyInvalid
from dtm_sharing.model import Policy
from dtm_sharing.policy.problems import Problem

if TYPE_CHECKING:
    from dtm_sharing.policy import shape

__all__ = ["Problem", "digest", "dump", "parse", "schemas", "tidy"]


def parse(files: Mapping[str, bytes]) -> Policy:
    """The policy that the files make; ``files`` maps paths relative to the policy folder to their bytes.

    Raises:
        PolicyInvalid: its ``problems`` are all ``Problem``s, sorted by file, line and column.
    """
    # Not above: a DAG file needs the digest only, and the models cost more than all the rest of its parsing.
    from dtm_sharing.policy import build, checks, index, shape, texts

    if not files:
        sentence = "there is no policy file here; a policy begins with classification.yaml"
        raise PolicyInvalid((Problem(".", 1, 1, sentence),))
    found: list[Problem] = []
    documents: list[shape.Document] = []
    for file, content in sorted(files.items()):
        text = texts.read(file, content)
        document, faults = shape.document(text)
        found += [*text.problems, *faults]
        documents += [document] if document else []
    understood = {each.file for each in documents}
    unread = {file: content for file, content in files.items() if file not in understood}
    named, among = index.index(documents, unread)
    among += [problem for each in documents for problem in checks.problems(each, named)]
    # A value that has the wrong shape refers to nothing either; that is one problem, not two.
    reported = {(each.file, each.line, each.column) for each in found}
    found += [each for each in among if (each.file, each.line, each.column) not in reported]
    if found:
        raise PolicyInvalid(tuple(sorted(set(found))))
    return build.policy(documents, named.words, digest(files), files)


def digest(files: Mapping[str, bytes]) -> str:
    """``sha256:<hex>`` over names and bytes in order of name.

    Each is preceded by its length in 8 bytes, big-endian, so no other set of files gives the same bytes to
    the hash.
    """
    total = hashlib.sha256()
    for name, content in sorted((name.encode(errors="surrogateescape"), files[name]) for name in files):
        for each in (name, content):
            total.update(len(each).to_bytes(8))
            total.update(each)
    return f"sha256:{total.hexdigest()}"


def dump(policy: Policy) -> dict[str, bytes]:
    """Files that make this policy, one per id: all but its comments, and where in which file it stood."""
    from dtm_sharing.policy import writer

    return writer.files(policy)


def tidy(file: str, content: bytes) -> bytes:
    """One file as ``dtm-sharing fmt`` lays it out; ``file`` is its path within the policy folder.

    Words, quotes, the order of lists and all comments stay; the policy that it makes stays the same.

    Raises:
        PolicyInvalid: the file has a fault of its own. Whether what it refers to exists is not looked at.
    """
    from dtm_sharing.policy import layout

    return layout.tidy(file, content)


def schemas() -> dict[str, dict[str, Any]]:
    """Kind → JSON schema (2020-12) of its files, for editors and for pre-commit checks."""
    from dtm_sharing.policy.files import KINDS, ForEditors

    return {
        kind: {
            "$schema": ForEditors.schema_dialect,
            **model.model_json_schema(schema_generator=ForEditors),
            "title": f"dtm_sharing policy file: {kind}",
        }
        for kind, model in KINDS.items()
    }
