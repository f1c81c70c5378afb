"""``policy.tidy``: one layout for policy files, which moves lines and never changes what they say."""

from pathlib import Path

import pytest

from dtm_sharing import policy
from dtm_sharing.errors import PolicyInvalid
from dtm_sharing.policy import texts
from dtm_sharing.stores.policies import read_files
from support.policies import OPERATION, OVERLAY, sample_files, whole_files

POLICIES = Path(__file__).parents[2] / "policies"
SHIPPED = read_files(POLICIES)
MODELINE = "# yaml-language-server: $schema=../schemas/operation.schema.json\n"


def tidied(text, file="xyz/x.yaml"):
    made = policy.tidy(file, text.encode())
    assert texts.read(file, made).data == texts.read(file, text.encode()).data
    assert policy.tidy(file, made) == made
    return made.decode()


OPERATION_TEXT = """\
kind: operation
id: xyz/flood
country: XYZ
name: Flood
context: disaster
valid_from: 2026-01-01
"""


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_the_shipped_files_are_tidy(name):
    assert policy.tidy(name, SHIPPED[name]).decode() == SHIPPED[name].decode()


@pytest.mark.parametrize("name", sorted(whole_files()))
def test_the_samples_stay_the_same_policy(name):
    made = policy.tidy(name, whole_files()[name])
    files = {**whole_files(), name: made}
    assert policy.parse(files).digest == policy.digest(files)
    assert policy.tidy(name, made) == made


def test_the_modeline_comes_first_and_leads_to_the_schema_of_the_kind():
    assert tidied(OPERATION_TEXT) == MODELINE + OPERATION_TEXT
    assert tidied(OPERATION_TEXT, "a.yaml").startswith(
        "# yaml-language-server: $schema=schemas/operation.schema.json\nkind"
    )
    wrong = f"\n# The flood.\n# yaml-language-server: $schema=elsewhere.json\n\n{OPERATION_TEXT}"
    assert tidied(wrong) == f"{MODELINE}# The flood.\n\n{OPERATION_TEXT}"


def test_keys_are_in_the_order_of_the_model_and_comments_go_with_them():
    mixed = """\
# About the file.

valid_from: 2026-01-01
# Why this name.
# It is long.
name: Flood  # beside it
id: xyz/flood
country: XYZ

# What it is.
context: disaster
kind: operation
# The end.
"""
    assert (
        tidied(mixed)
        == MODELINE
        + """\
# About the file.

kind: operation
id: xyz/flood
country: XYZ
# Why this name.
# It is long.
name: Flood  # beside it

# What it is.
context: disaster
valid_from: 2026-01-01
# The end.
"""
    )


def test_blanks_and_line_ends_are_those_of_the_house():
    windows = (
        "\ufeff"
        + OPERATION_TEXT.replace("\n", "   \r\n").replace("name: Flood", "name:    Flood")
        + "\r\n\r\n"
    )
    assert tidied(windows) == MODELINE + OPERATION_TEXT
    assert tidied(OPERATION_TEXT.rstrip()) == MODELINE + OPERATION_TEXT
    assert tidied(f"---\n{OPERATION_TEXT}...\n") == MODELINE + OPERATION_TEXT


def test_two_spaces_for_each_step_inwards():
    wide = """\
kind: relations
id: relations
relations:
# The first.
-     why: |
          One line.
            Further in.

          Another.
      id: pair   # its name
      groups:
      -   [site-id,
            district]
      # The other half.
      -   -   site-type
          # Between two items.
          -   idp-individuals
      # Behind the groups.
      grains:    [site]
      level:
          Secret
# Behind the list.
"""
    assert (
        tidied(wide, "relations.yaml")
        == """\
# yaml-language-server: $schema=schemas/relations.schema.json
kind: relations
id: relations
relations:
  # The first.
  - id: pair   # its name
    groups:
      - [site-id,
            district]
      # The other half.
      - - site-type
        # Between two items.
        - idp-individuals
    # Behind the groups.
    grains: [site]
    level:
      Secret
    why: |
      One line.
        Further in.

      Another.
# Behind the list.
"""
    )


def test_a_long_line_is_not_broken_and_a_broken_one_not_joined():
    name = "A flood " + "and another one " * 12
    folded = OPERATION_TEXT.replace("name: Flood", "name: >-\n        A flood\n        in two lines")
    assert f"name: {name.strip()}\n" in tidied(OPERATION_TEXT.replace("Flood", name))
    assert "name: >-\n  A flood\n  in two lines\n" in tidied(folded)
    broken = OPERATION_TEXT.replace("name: Flood", "name: A flood\n  in two lines,\n     and a half")
    assert "name: A flood\n  in two lines,\n     and a half\n" in tidied(broken)


@pytest.mark.parametrize("word", ["'Flood'", '"Flood"', "'it''s'", '"a\\tb"', "Flood # not a key", "'2026'"])
def test_quotes_stay(word):
    assert f"name: {word}\n" in tidied(OPERATION_TEXT.replace("Flood", word))


def test_keys_in_braces_are_in_order_too():
    people = """\
kind: focal_points
id: scpa
organization: Agency
people:
  - {role: primary, id: xyz/a, mobile: '+1, 2', email: a@example.org,
     title: "A: {lead}", in_office_from: 2026-01-01}
  - {role: secondary, id: xyz/b, mobile: '2', # the office's
     email: b@example.org, title: B, in_office_from: 2026-01-01}
"""
    made = tidied(people)
    assert (
        """\
  - {id: xyz/a, role: primary, title: "A: {lead}", email: a@example.org,
     mobile: '+1, 2', in_office_from: 2026-01-01}
"""
        in made
    )
    assert "{role: secondary, id: xyz/b, mobile: '2', # the office's\n" in made


def test_braces_within_braces_are_in_order():
    text = """\
{kind: relations, relations: [{level: Secret, id: pair, why: x, groups: [[a], [b]], grains: [site]}], id: r}
"""
    assert (
        tidied(text, "r.yaml")
        == """\
# yaml-language-server: $schema=schemas/relations.schema.json
{kind: relations, id: r, relations: [{id: pair, groups: [[a], [b]], grains: [site], level: Secret, why: x}]}
"""
    )


def test_an_order_that_the_author_chose_stays():
    """Of items, of levels, of languages: no model says in which order these are."""
    text = """\
kind: indicators
id: x
title: X
basis: x
levels: {site: Public, national: Public}
indicators:
  - id: b
    title: B
    names: {fr: [b, a], en: [z]}
  - id: a
    title: A
"""
    assert tidied(text, "x.yaml").partition("\n")[2] == text


@pytest.mark.parametrize(
    "odd",
    [
        "why: &anchor Flood",
        "? why\n: Flood",
        "'why': Flood",
        '"why": Flood',
        "why: |2-\n    Flood",
        "why: 'a\n\n  b'",
        'why: "a\\\n  b"',
        'why: "a\\ \n  b"',
        "why: Fl\u2028ood",
    ],
)
def test_an_odd_way_to_write_it_keeps_its_meaning(odd):
    text = whole_files()[OVERLAY].decode().replace("why: People are moved out of some sites.", odd)
    assert odd in text
    assert tidied(text, OVERLAY).startswith(text.splitlines()[0])


def test_blanks_that_belong_to_a_text_stay():
    text = "kind: relations\nid: r\nrelations:\n  - id: p\n    groups: [[a], [b]]\n    grains: [site]\n"
    text += "    level: Secret\n    why: |+\n      a  \n      b\n\n\n"
    assert "      a  \n      b\n\n\n" in tidied(text, "r.yaml")


@pytest.mark.parametrize("broken", ["kind: operation\n", "kind: [\n", "", "a: b\n", "\xff"])
def test_a_file_with_a_fault_is_refused_with_its_problems(broken):
    with pytest.raises(PolicyInvalid) as refused:
        policy.tidy(OPERATION, broken.encode("latin-1"))
    assert refused.value.problems
    assert {each.file for each in refused.value.problems} == {OPERATION}


def test_a_reference_to_nothing_is_no_fault_here():
    text = sample_files()["xyz/datasets/site-assessment.yaml"].decode().replace("xyz/earthquake", "xyz/none")
    assert "operation: xyz/none\n" in tidied(text)
