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
    assert tidied(f"---  \n{OPERATION_TEXT}... \n") == MODELINE + OPERATION_TEXT
    assert (
        tidied(f"\ufeff# It has a mark.\n{OPERATION_TEXT}") == f"{MODELINE}# It has a mark.\n{OPERATION_TEXT}"
    )
    assert tidied(f"{OPERATION_TEXT}# The end of X\n\n") == f"{MODELINE}{OPERATION_TEXT}# The end of X\n"


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


def test_a_comment_at_the_end_of_a_list_goes_with_it_wherever_the_list_stands():
    """It stands as far inwards as the list; what stands at the margin belongs to the file."""
    items = """\
relations:
  - id: pair
    groups: [[a], [b]]
    grains: [site]
    level: Secret
    why: x

    # At the end of the item.
  # At the end of the list.
"""
    text = f"{items}kind: relations\n# Why this name.\nid: r\n\n# At the end of the file.\n"
    made = tidied(text, "r.yaml").partition("\n")[2]
    assert made == f"kind: relations\n# Why this name.\nid: r\n{items}\n# At the end of the file.\n"
    last = OPERATION_TEXT.replace("name: Flood\n", "") + "name: Flood\n # Its name.\n# The end.\n"
    named = OPERATION_TEXT.replace("name: Flood\n", "name: Flood\n# Its name.\n")
    assert tidied(last) == f"{MODELINE}{named}# The end.\n"


def test_a_bracket_may_close_on_its_own_line():
    text = """\
kind: waiver
id: xyz/w
operation: xyz/flood
level: Public
why: x
signatures: {coordinator: xyz/a, sectoral_expert: xyz/b
}
signed_on: 2026-01-01
valid_from: 2026-01-01
valid_until: 2026-12-31
relaxes: [
'relation:pair'
]
"""
    assert (
        tidied(text).partition("operation: xyz/flood\n")[2]
        == """\
relaxes: [
  'relation:pair'
  ]
level: Public
why: x
signatures: {coordinator: xyz/a, sectoral_expert: xyz/b
  }
signed_on: 2026-01-01
valid_from: 2026-01-01
valid_until: 2026-12-31
"""
    )


def test_a_value_may_begin_some_lines_below_its_dash_or_its_key():
    """Whatever stands between: no comment is lost, and none is taken for a dash."""
    text = """\
kind: relations
id: r
relations:   # those that there are
   # One.
   -     # the first

  #- not a dash
      # About the groups.
      groups:
        -   # a group
            #- neither

            [a,
          b]
        -
            -   c
      level:   # as it is

        # Not less.
         Secret
      why:
        'It is
          so,

       or not.'   # indeed
      id: pair
      grains: [site]
"""
    assert (
        tidied(text, "r.yaml")
        == """\
# yaml-language-server: $schema=schemas/relations.schema.json
kind: relations
id: r
relations:  # those that there are
  # One.
  # the first
  - id: pair

    #- not a dash
    # About the groups.
    groups:
      -  # a group
        #- neither

        [a,
        b]
      - - c
    grains: [site]
    level:  # as it is

      # Not less.
      Secret
    why:
      'It is
        so,

      or not.'   # indeed
"""
    )


def test_a_long_line_is_not_broken_and_a_broken_one_not_joined():
    name = "A flood " + "and another one " * 12
    folded = OPERATION_TEXT.replace("name: Flood", "name: >-\n        A flood\n        in two lines")
    assert f"name: {name.strip()}\n" in tidied(OPERATION_TEXT.replace("Flood", name))
    assert "name: >-\n  A flood\n  in two lines\n" in tidied(folded)
    broken = OPERATION_TEXT.replace("name: Flood", "name: A flood\n  in two lines,\n     and a half")
    assert "name: A flood\n  in two lines,\n     and a half\n" in tidied(broken)
    out_of_line = OPERATION_TEXT.replace("name: Flood", "name: 'A flood\n Xyz has,\n  \tand a half'")
    assert "name: 'A flood\n  Xyz has,\n  \tand a half'\n" in tidied(out_of_line)


def test_a_blank_behind_a_backslash_is_a_part_of_the_text():
    text = OPERATION_TEXT.replace("name: Flood", 'name:   "A big\\ \n      flood"  ')
    assert tidied(text) == MODELINE + OPERATION_TEXT.replace("name: Flood", 'name: "A big\\ \n      flood"')


def test_comments_go_with_the_key_that_becomes_the_first_of_its_item():
    text = """\
kind: relations
id: r
relations:
  - why: x  
       
    # Its name,

    # which is short.
    id: p
    groups: [[a], [b]]
    grains: [site]
    level: Secret
  -

    # Another.
    id: q
    groups: [[a], [b]]
    grains: [site]
    level: Secret
    why: x
"""  # noqa: W291, W293 - they are what is tested
    assert (
        tidied(text, "r.yaml").partition("relations:\n")[2]
        == """\

  # Its name,

  # which is short.
  - id: p
    groups: [[a], [b]]
    grains: [site]
    level: Secret
    why: x

  # Another.
  - id: q
    groups: [[a], [b]]
    grains: [site]
    level: Secret
    why: x
"""
    )


def test_a_block_of_text_moves_as_a_whole():
    """Behind its sign may stand a comment; within it, blanks at the end of a line are part of the text."""
    text = """\
kind: relations
id: r
relations:
   - id: p
     why: |-   # since 2026

           A list:
             - one  

             - two

     # About the groups.
     groups: [[a], [b]]
     level: >
            Secret

     # About the grains.
     grains: [site]
"""  # noqa: W291 - they are what is tested
    assert (
        tidied(text, "r.yaml").partition("relations:\n")[2]
        == """\
  - id: p

    # About the groups.
    groups: [[a], [b]]

    # About the grains.
    grains: [site]
    level: >
      Secret
    why: |-   # since 2026

      A list:
        - one  

        - two
"""  # noqa: W291
    )


@pytest.mark.parametrize(
    "word",
    [
        "'Flood'",
        '"Flood"',
        "'it''s'",
        '"a\\tb"',
        "Flood # not a key",
        "'2026'",
        "Flood # a no-break space\u00a0",
    ],
)
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


def test_the_lines_of_an_odd_file_stay_but_for_the_modeline_and_blank_lines_at_the_end():
    odd = OPERATION_TEXT.replace("name: Flood", "? name\n:   Flood").replace("\n", "  \n")
    assert tidied(f"\n{odd}\n\n") == MODELINE + odd
    anchor = OPERATION_TEXT.replace("name: Flood", "name:   &flood Flood")
    assert tidied(anchor) == MODELINE + anchor
    marked = f"---  # begins\n{OPERATION_TEXT.replace('name: ', 'name:  ')}...  # ends\n"
    assert tidied(marked) == MODELINE + marked


def test_a_file_in_braces_keeps_its_lines():
    text = """\
# About X
{kind: operation,   
   country: XYZ, id: xyz/flood,
     context: disaster, name: Flood, valid_from: 2026-01-01}  

# The end.
"""  # noqa: W291
    assert (
        tidied(text)
        == MODELINE
        + """\
# About X
{kind: operation,
   id: xyz/flood, country: XYZ,
     name: Flood, context: disaster, valid_from: 2026-01-01}

# The end.
"""
    )


def test_a_file_with_a_key_twice_is_refused_with_that_problem_alone():
    with pytest.raises(PolicyInvalid) as refused:
        policy.tidy(OPERATION, f"{OPERATION_TEXT}name: Flood\n".encode())
    (problem,) = refused.value.problems
    assert str(problem) == f"{OPERATION}:7:1: the key 'name' stands twice; the first is on line 4"


@pytest.mark.parametrize("broken", ["kind: operation\n", "kind: [\n", "", "a: b\n", "\xff"])
def test_a_file_with_a_fault_is_refused_with_its_problems(broken):
    with pytest.raises(PolicyInvalid) as refused:
        policy.tidy(OPERATION, broken.encode("latin-1"))
    assert refused.value.problems
    assert {each.file for each in refused.value.problems} == {OPERATION}


def test_a_reference_to_nothing_is_no_fault_here():
    text = sample_files()["xyz/datasets/site-assessment.yaml"].decode().replace("xyz/earthquake", "xyz/none")
    assert "operation: xyz/none\n" in tidied(text)
