"""Whatever is done to a policy file, it loads or is refused with problems: nothing else ever comes out."""

import json
import os
import re

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dtm_sharing import policy
from dtm_sharing.errors import PolicyInvalid
from dtm_sharing.model import Policy
from dtm_sharing.policy import texts
from support.policies import sample_files

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


NAMES = sorted(sample_files())
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
    text = sample_files()[name].decode()
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        length = data.draw(st.integers(0, 30))
        piece = data.draw(st.sampled_from(PIECES) | st.text(max_size=5))
        text = text[:start] + piece + text[start + length :]
    parses_or_is_refused({**sample_files(), name: text.encode("utf-8", "surrogatepass")})


@EXAMPLES
@given(
    content=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace"))
)
def test_whatever_the_bytes_of_a_file_they_are_refused_with_problems(content):
    parses_or_is_refused({**sample_files(), "any.yaml": content})


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
    content = as_json(texts.read(name, sample_files()[name]).data)
    here = content
    while True:
        keys = list(here) if isinstance(here, dict) else list(range(len(here)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(here[key], dict | list) or not here[key] or data.draw(st.booleans()):
            here[key] = shape_
            break
        here = here[key]
    parses_or_is_refused({**sample_files(), name: json.dumps(content).encode()})
