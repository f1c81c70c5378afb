"""Whatever is done to a policy file, it loads or is refused with problems: nothing else ever comes out."""

import json
import os
import re
from contextlib import suppress
from dataclasses import fields, is_dataclass, replace
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dtm_sharing import policy
from dtm_sharing.errors import PolicyInvalid
from dtm_sharing.model import Policy, Source
from dtm_sharing.policy import texts
from support import random_policies
from support.policies import sample_policy, whole_files

# A folder is parsed per example, so few by default; nightly runs ask for thousands.
EXAMPLES = settings(
    max_examples=int(os.environ.get("DTM_FUZZ_EXAMPLES", "40")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


def as_json(value):
    if isinstance(value, dict):
        return {key: as_json(each) for key, each in value.items()}
    return [as_json(each) for each in value] if isinstance(value, tuple) else value


def parses_or_is_refused(files):
    problems = ()
    try:
        assert isinstance(policy.parse(files), Policy)
    except PolicyInvalid as refused:
        problems = refused.problems
        assert problems, "refused without a word"
    assert list(problems) == sorted(set(problems))
    for problem in problems:
        lines = len(re.findall(rb"\r\n?|\n", files.get(problem.file, b"")))
        assert str(problem).isprintable(), problem
        assert 1 <= problem.line <= lines + 2, problem
        assert problem.column >= 1, problem


NAMES = sorted(whole_files())
PIECES = [
    *(
        " ",
        "\n",
        "  ",
        "- ",
        ": ",
        "{",
        "}",
        "[",
        "]",
        ", ",
        "'",
        '"',
        "#",
        "&a ",
        "*a ",
        "!t ",
        "|\n",
        "? ",
        "%",
        "\t",
    ),
    *(
        "null",
        "true",
        "1",
        "1.5",
        "2026-13-01",
        "é",
        "\u2028",
        "\x85",
        "\ufeff",
        "\x00",
        "---\n",
        "...\n",
        "<<: ",
        "\r",
    ),
    *("kind: dataset\n", "levels: ", "id: x\n", "Secret", "site-id", '"\\U', "'''", "~", "=", "0x1F", "\\"),
]


@EXAMPLES
@given(data=st.data())
def test_whatever_happens_to_a_text_it_loads_or_is_refused_with_problems(data):
    name = data.draw(st.sampled_from(NAMES))
    text = whole_files()[name].decode()
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        length = data.draw(st.integers(0, 30))
        piece = data.draw(st.sampled_from(PIECES) | st.text(max_size=5))
        text = text[:start] + piece + text[start + length :]
    parses_or_is_refused({**whole_files(), name: text.encode("utf-8", "surrogatepass")})


@EXAMPLES
@given(
    content=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace"))
)
def test_whatever_the_bytes_of_a_file_they_are_refused_with_problems(content):
    parses_or_is_refused({**whole_files(), "any.yaml": content})


SHAPES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["site", "Secret"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@EXAMPLES
@given(name=st.sampled_from(NAMES), shape_=SHAPES, data=st.data())
def test_whatever_stands_in_the_place_of_a_value_it_loads_or_is_refused(name, shape_, data):
    """Any JSON value in the place of any other: JSON is YAML, so only the shape is wrong."""
    content = as_json(texts.read(name, whole_files()[name]).data)
    here = content
    while True:
        keys = list(here) if isinstance(here, dict) else list(range(len(here)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(here[key], dict | list) or not here[key] or data.draw(st.booleans()):
            here[key] = shape_
            break
        here = here[key]
    parses_or_is_refused({**whole_files(), name: json.dumps(content).encode()})


# ------------------------------------------------------------------------------- dump, and read again


def without_places(value):
    """The same without where it stood: no digest, no files, every source the same."""
    if isinstance(value, Source):
        return Source("", 1, 1)
    if is_dataclass(value):
        erased = {each.name: without_places(getattr(value, each.name)) for each in fields(value)}
        return replace(
            value, **({**erased, "digest": "", "files": {}} if isinstance(value, Policy) else erased)
        )
    if isinstance(value, dict):
        return {key: without_places(each) for key, each in value.items()}
    return tuple(map(without_places, value)) if isinstance(value, tuple) else value


def is_the_same_when_read_again(given_policy):
    files = policy.dump(given_policy)
    assert without_places(policy.parse(files)) == without_places(given_policy)
    for name, content in files.items():
        assert policy.tidy(name, content) == content, name


@EXAMPLES
@given(seed=st.integers(0, 2**32))
def test_a_policy_that_is_dumped_is_the_same_policy_when_it_is_read_again(seed):
    """But for agreements that nobody in office signed: the gate judges such ones, and no file may be so."""
    made = random_policies.policy(Random(seed))
    signed = {
        id_: each
        for id_, each in made.agreements.items()
        if all(made.focal_points[one].in_office.covers(each.validity.start) for one in each.signed.values())
    }
    is_the_same_when_read_again(replace(made, agreements=signed))


LETTERS = st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\n\t :#'\"[]{},&*!|>%@`-?~=\\")


@EXAMPLES
@given(
    title=st.text(LETTERS, min_size=1, max_size=12).filter(lambda text: re.fullmatch(r"\S(.*\S)?", text)),
    prose=st.text(LETTERS, min_size=1, max_size=12).filter(str.strip),
)
def test_whatever_a_text_says_it_says_the_same_when_it_is_read_again(title, prose):
    loaded = sample_policy(whole_files())
    column = replace(loaded.datasets["xyz/site-assessment"].columns[0], name=prose, spellings=())
    dataset = loaded.datasets["xyz/site-assessment"]
    others = dataset.columns[1:]
    changed = replace(
        loaded,
        datasets={dataset.id: replace(dataset, title=title, key=(prose,), columns=(column, *others))},
        operations={key: replace(each, name=title) for key, each in loaded.operations.items()},
        waivers={key: replace(each, why=prose) for key, each in loaded.waivers.items()},
        relations={key: replace(each, why=prose) for key, each in loaded.relations.items()},
    )
    is_the_same_when_read_again(changed)


# --------------------------------------------------------------------------------------------- layout


def messed_up(draw, text):
    """The same file in another layout: dashes on their own lines, blanks, comments, other line ends."""
    lines = []
    for each in text.splitlines():
        line = each.lstrip()
        indent = " " * (len(each) - len(line))
        if not each.startswith("#") and ":" in line and draw(st.integers(0, 5)) == 0:
            above = [f"{indent}# a comment"], ["# further out"], [f"{indent}  # - further in"], [""], ["", ""]
            lines += draw(st.sampled_from(above))
        if line.startswith("- ") and draw(st.integers(0, 5)) == 0:
            lines += [f"{indent}-", *draw(st.sampled_from([[], ["  ", ""], ["# a comment"]]))]
            indent, line = f"{indent}  ", line[2:]
        lines.append(indent + line + draw(st.sampled_from(["", "", "", " ", "   "])))
    end = draw(st.sampled_from(["\n", "\r\n"]))
    return draw(st.sampled_from(["", "\ufeff"])) + end.join(lines) + draw(st.sampled_from(["", end, end * 3]))


def blocks(lines):
    """The entries of the outermost mapping, each with the comments above it."""
    found = [[]]
    for line in lines:
        if re.match(r"[a-z]", line) and any(not each.startswith("#") for each in found[-1]):
            found.append([])
        found[-1].append(line)
    return found


@EXAMPLES
@given(name=st.sampled_from(NAMES), data=st.data())
def test_whatever_the_layout_of_a_file_it_gets_one_layout_and_says_the_same(name, data):
    modeline, *lines = whole_files()[name].decode().splitlines()
    mixed = data.draw(st.permutations(blocks(lines)))
    text = messed_up(data.draw, "\n".join([modeline, *(line for block in mixed for line in block)]))
    made = policy.tidy(name, text.encode())
    assert texts.read(name, made).data == texts.read(name, text.encode()).data
    assert policy.tidy(name, made) == made
    assert comments(made.decode()) == comments(text)
    assert made.endswith(b"\n") and not made.endswith(b"\n\n")  # noqa: PT018 - one sentence
    assert not re.search(rb"[ \t\r]\n", made)
    keys = re.findall(r"^([a-z_]+):", made.decode(), re.MULTILINE)
    canonical = re.findall(r"^([a-z_]+):", policy.tidy(name, whole_files()[name]).decode(), re.MULTILINE)
    assert keys == canonical


def comments(text):
    return sorted(line.strip() for line in text.lstrip("\ufeff").splitlines() if line.strip().startswith("#"))


@EXAMPLES
@given(name=st.sampled_from(NAMES), data=st.data())
def test_whatever_happens_to_a_text_it_is_laid_out_or_refused(name, data):
    text = whole_files()[name].decode()
    for _ in range(data.draw(st.integers(1, 3))):
        start, length = data.draw(st.integers(0, len(text))), data.draw(st.integers(0, 30))
        text = text[:start] + data.draw(st.sampled_from(PIECES)) + text[start + length :]
    content = text.encode("utf-8", "surrogatepass")
    made = None
    with suppress(PolicyInvalid):
        made = policy.tidy(name, content)
    if made is not None:
        assert texts.read(name, made).data == texts.read(name, content).data
        assert policy.tidy(name, made) == made
