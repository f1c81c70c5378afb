"""fmt: the canonical form of policy files, and of the given/expect files beside them."""

from __future__ import annotations

import shutil

import pytest

from dtm_sharing.stores.policies import is_sealed, read_policies
from support.loading import ROOT
from support.policies import DATASET, IOM, OPERATION, patched, sample_files, write_policies

ON = ("--as-of", "2026-11-22")

# The sample's operation with its keys in another order, blanks at the ends of lines and a comment.
UNTIDY = """\
# yaml-language-server: $schema=../schemas/operation.schema.json

kind: operation
id: xyz/earthquake
# Why it has this name: nobody knows.
name: Earthquake in Xyz\t\x20
country: XYZ
context: disaster
valid_from: 2026-01-01
valid_until: 2027-12-31


""".replace("\t", " ")
TEST = """\
kind: test
cases:
  - name: One
    expect: {outcome: allow}
    given: {columns: [Site ID], dataset: xyz/site-assessment}  # kept
as_of: 2026-11-22
id: xyz/one
"""


@pytest.fixture
def tidied(cli, policies):
    """The sample, after one run: the texts of the tests need not be canonical."""
    cli("fmt", policies)
    return policies


@pytest.fixture
def untidy(tidied):
    (tidied / OPERATION).write_text(UNTIDY)
    return write_policies(tidied, {})


def texts(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_fmt_moves_and_keeps_every_word_and_comment(cli, untidy):
    before = read_policies(untidy)
    answer = cli("fmt", untidy)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == f"changed  {untidy / OPERATION}\n"
    text = (untidy / OPERATION).read_text()
    assert sorted(text.split()) == sorted(UNTIDY.split())
    keys = [line.partition(":")[0] for line in text.splitlines() if line and not line.startswith("#")]
    assert keys == ["kind", "id", "country", "name", "context", "valid_from", "valid_until"]
    assert "# Why it has this name: nobody knows.\nname: Earthquake in Xyz\n" in text
    assert text.endswith("31\n")
    assert read_policies(untidy).operations["xyz/earthquake"].name == before.operations["xyz/earthquake"].name


def test_a_second_run_changes_nothing(cli, untidy):
    cli("fmt", untidy)
    before = texts(untidy)
    answer = cli("fmt", untidy)
    assert (answer.code, answer.out) == (0, "All policy files are in canonical form.\n")
    assert texts(untidy) == before
    assert cli("fmt", untidy, "--check").code == 0
    assert cli("fmt", untidy, "--diff").out == "All policy files are in canonical form.\n"


@pytest.mark.parametrize("option", ["--check", "--diff"])
def test_looking_writes_nothing_and_fails_where_something_would_change(cli, untidy, option):
    before = texts(untidy)
    answer = cli("fmt", untidy, option)
    assert (answer.code, answer.err) == (1, "")
    assert texts(untidy) == before
    if option == "--check":
        assert answer.out == f"would change  {untidy / OPERATION}\n"
        return
    lines = answer.out.splitlines()
    assert lines[0] == f"--- a/{untidy / OPERATION}"
    assert lines[1] == f"+++ b/{untidy / OPERATION}"
    assert "-name: Earthquake in Xyz" in [line.rstrip() for line in lines]
    assert {line[0] for line in lines[2:]} <= {"@", " ", "+", "-"}


def test_given_expect_files_are_tidied_too(cli, tidied):
    path = tidied / "xyz" / "tests" / "one.yaml"
    path.parent.mkdir()
    path.write_text(TEST)
    answer = cli("fmt", tidied)
    assert answer.out == f"changed  {path}\n"
    text = path.read_text()
    assert text.splitlines()[0] == "# yaml-language-server: $schema=../../schemas/test.schema.json"
    assert "given: {dataset: xyz/site-assessment, columns: [Site ID]}  # kept" in text
    assert text.index("as_of") < text.index("cases") < text.index("given") < text.index("expect")
    assert cli("test", tidied).code == 0


# A name in every way in which one can be written, and comments that say one.
PEOPLE = """\
# yaml-language-server: $schema=../../schemas/focal_points.schema.json
# Zorba leaves in May
kind: focal_points
organization: IOM in Xyz
id: iom
people:
  - id: xyz/iom-primary
    role: primary
    name: Zorba Quux
    title: DTM Coordinator
    email: zorba@example.org
    mobile: '+000 7770001'  # Zorba answers until six
    in_office_from: 2026-01-01
  - id: xyz/iom-secondary
    name: >-
      Zorba
      Quux # not a comment
    role: secondary
    title: "DTM #2 Zorro"
    email: "zorba.2@example.org"
    mobile: >-
      +000
      7770002
    in_office_from: 2026-01-01
  - {name: 'Zorba, third', id: xyz/iom-expert, role: sectoral-expert, title: Expert,
     email: z@zorba.example.org, mobile: '7770003', in_office_from: 2026-01-01}
"""


def test_a_diff_shows_no_name_no_address_and_no_comment_of_people(cli, tidied):
    (tidied / IOM).write_text(PEOPLE)
    answer = cli("fmt", tidied, "--diff")
    assert (answer.code, answer.err) == (1, "")
    for hidden in ("Zorba", "zorba", "777", "Quux", "six"):
        assert hidden not in answer.out
    lines = answer.out.splitlines()
    assert {"-id: iom", "+id: iom", " organization: IOM in Xyz"} <= {*lines}
    assert {"     name: …", "     email: …", "     mobile: …  …", "       …"} <= {*lines}
    assert any("xyz/iom-secondary" in each for each in lines)
    assert 'title: "DTM #2 Zorro"' in answer.out
    assert any("email: …, mobile: …, in_office_from: 2026-01-01}" in each for each in lines)
    assert any("$schema=" in each for each in lines)
    assert cli("fmt", tidied).code == 0
    assert "Zorba Quux" in (tidied / IOM).read_text()


# ---------------------------------------------------------------------------------------------- which files


def test_a_file_or_a_folder_within_is_tidied_by_its_place_in_the_whole(cli, untidy, monkeypatch):
    """The first line of a file names its schema from where the file lies: from the top of the policy."""
    (untidy / DATASET).write_bytes((untidy / DATASET).read_bytes() + b"\n\n")
    monkeypatch.chdir(untidy / "xyz")
    assert cli("fmt", "datasets", "--check").out == "would change  datasets/site-assessment.yaml\n"
    assert cli("fmt", "operation.yaml", "--check").out == "would change  operation.yaml\n"
    assert len(cli("fmt", ".", "--check").out.splitlines()) == 2
    assert len(cli("fmt", "..", "--check").out.splitlines()) == 2
    assert cli("fmt", "operation.yaml").code == 0
    lines = (untidy / OPERATION).read_text().splitlines()
    assert lines[0] == "# yaml-language-server: $schema=../schemas/operation.schema.json"
    assert len(cli("fmt", "..", "--check").out.splitlines()) == 1


def test_what_is_no_policy_file_is_not_touched(cli, policies, tmp_path):
    stray = tmp_path / "stray.yaml"
    stray.write_text("kind: operation\n")
    for place, said in (
        (tmp_path / "none", "There is no file or folder"),
        (stray, "lies in no policy folder"),
        (policies / "SHA256SUMS", "is no policy file"),
    ):
        answer = cli("fmt", place)
        assert (answer.code, answer.out) == (1, "")
        assert said in answer.err
        assert len(answer.err.splitlines()) == 1
    assert stray.read_text() == "kind: operation\n"


def test_a_file_with_a_fault_is_named_and_no_other_is_changed(cli, untidy):
    broken = patched(sample_files(), DATASET, "grain: site", "grian: site")
    write_policies(untidy, {DATASET: broken[DATASET]})
    before = texts(untidy)
    answer = cli("fmt", untidy)
    assert (answer.code, answer.out) == (3, "")
    assert answer.err.startswith(f"{DATASET}:7:1: 'grian' is not a key")
    assert texts(untidy) == before


def test_the_shipped_policies_are_canonical(cli):
    answer = cli("fmt", ROOT / "policies", "--check")
    assert (answer.code, answer.out) == (0, "All policy files are in canonical form.\n")
    assert cli("seal", ROOT / "policies", "--check").code == 0


# ------------------------------------------------------------------------------------------------- the seal


def test_what_was_sealed_as_it_was_is_sealed_again(cli, untidy):
    assert is_sealed(untidy)
    cli("fmt", untidy)
    assert is_sealed(untidy)
    assert cli("validate", untidy, *ON).code == 0


def test_what_nobody_had_reviewed_stays_unsealed(cli, untidy):
    (untidy / DATASET).write_bytes((untidy / DATASET).read_bytes() + b"# an edit that nobody has reviewed\n")
    before = (untidy / "SHA256SUMS").read_bytes()
    assert cli("fmt", untidy).code == 0
    assert (untidy / "SHA256SUMS").read_bytes() == before
    assert not is_sealed(untidy)


def test_a_folder_without_a_seal_gets_none(cli, untidy):
    (untidy / "SHA256SUMS").unlink()
    assert cli("fmt", untidy).code == 0
    assert not (untidy / "SHA256SUMS").exists()


def test_what_could_not_be_sealed_again_is_not_changed(cli, untidy):
    """A policy that is sealed and does not load: after a change of our rules, say."""
    files = patched(sample_files(), DATASET, "indicator: district", "indicator: distrct")
    write_policies(untidy, {DATASET: files[DATASET]})
    before = texts(untidy)
    answer = cli("fmt", untidy)
    assert answer.code == 3
    assert "distrct" in answer.err
    assert texts(untidy) == before


# --------------------------------------------------------------------------------------------- how it writes


def test_modes_and_links_stay(cli, untidy, tmp_path):
    (untidy / OPERATION).chmod(0o640)
    target = tmp_path / "elsewhere.yaml"
    shutil.copy(untidy / DATASET, target)
    target.write_bytes(target.read_bytes() + b"\n")
    (untidy / DATASET).unlink()
    (untidy / DATASET).symlink_to(target)
    write_policies(untidy, {})
    assert cli("fmt", untidy).code == 0
    assert (untidy / OPERATION).stat().st_mode & 0o777 == 0o640
    assert (untidy / DATASET).is_symlink()
    assert not target.read_bytes().endswith(b"\n\n")


def test_a_file_that_cannot_be_written_is_a_failure_and_stays(cli, untidy):
    (untidy / OPERATION).with_name(".operation.yaml.new").mkdir()  # where the new content would go first
    answer = cli("fmt", untidy)
    assert (answer.code, answer.out) == (1, "")
    assert "the policy file cannot be written" in answer.err
    assert (untidy / OPERATION).read_text() == UNTIDY


def test_no_half_written_file_stays_behind(cli, untidy):
    cli("fmt", untidy)
    assert not [path for path in untidy.rglob("*") if path.name.endswith(".new")]
