"""Given/expect files that nobody meant to write: always a sentence with a place, never anything else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dtm_sharing.errors import PolicyInvalid
from dtm_sharing.policy import expected
from support.policies import sample_policy

POLICY = sample_policy()
GOOD = """\
kind: test
id: xyz/one
as_of: 2026-11-22
cases:
  - name: A case
    given:
      dataset: xyz/site-assessment
      columns: [Site ID, 'Site type: If other, please specify']
      grain: site
      rows: 3
      whole: false
      stage: cleaned
      audience: xyz/child-protection/low
      holds: [{dataset: xyz/site-assessment, round: '1', indicators: [site-id], by: scpa, since: 2026-01-01}]
    expect:
      outcome: deny
      levels: {Site ID: Public}
      form: {leave_out: [Site ID], aggregate_to: admin2}
      refused: []
"""
PIECES = GOOD.split()
ODD = [
    "",
    ":",
    "-",
    "{",
    "}",
    "[",
    "]",
    "'",
    '"',
    "&a",
    "*a",
    "!!str",
    "null",
    "~",
    "1e9",
    "\t",
    "\x00",
    "é",
    "%",
]


def parsed(text: bytes) -> None:
    try:
        cases, problems = expected.parse({"tests/a.yaml": text}, POLICY), ()
    except PolicyInvalid as invalid:
        cases, problems = (), invalid.problems
    assert bool(cases) != bool(problems)
    for each in problems:
        file, line, column, sentence = str(each).split(":", 3)
        assert file == "tests/a.yaml"
        assert int(line) >= 1
        assert int(column) >= 1
        assert sentence.strip()


@given(st.integers(0, len(GOOD)), st.integers(0, 40), st.sampled_from(ODD + PIECES))
def test_a_file_with_a_piece_replaced(start, length, piece):
    parsed((GOOD[:start] + piece + GOOD[start + length :]).encode())


@given(st.permutations(GOOD.splitlines()))
def test_lines_in_any_order(lines):
    parsed("\n".join(lines).encode())


@given(st.binary(max_size=200))
def test_any_bytes(content):
    parsed(content)


def test_the_file_itself_is_good():
    assert len(expected.parse({"tests/a.yaml": GOOD.encode()}, POLICY)) == 1
