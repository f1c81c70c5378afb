"""The policy folder on disk: what is read, what is refused, and that nothing is left out in silence."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dtm_sharing.errors import PolicyInvalid, StoreFailed, UsageProblem
from dtm_sharing.stores import policies as stores_policies
from dtm_sharing.stores.policies import SEAL, is_sealed, policy_digest, read_files, read_policies, seal, sums
from support.policies import (
    CLASSIFICATION,
    OVERLAY,
    RELATIONS,
    REQUEST,
    sample_files,
    sample_policy,
    sealed,
    whole_files,
    write_policies,
)

POLICIES = Path(__file__).parents[2] / "policies"


@pytest.fixture
def folder(tmp_path):
    return write_policies(tmp_path)


def write(path, content=b"kind: relations\nid: others\nrelations: []\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def problems(folder, read=read_policies):
    with pytest.raises(PolicyInvalid) as refused:
        read(folder)
    return [str(problem) for problem in refused.value.problems]


def test_a_folder_is_its_yaml_files_at_any_depth(folder):
    assert read_policies(folder) == sample_policy()


def test_our_own_policies_load():
    loaded = read_policies(POLICIES)
    assert "npl/site-assessment" in loaded.datasets
    assert "npl/child-protection" in loaded.agreements


def test_the_digest_can_be_had_without_parsing(folder):
    assert policy_digest(folder) == read_policies(folder).digest
    write(folder / "xyz/new.yaml", b"not: [a policy")
    sealed(folder)
    assert policy_digest(folder) != sample_policy().digest


@pytest.mark.parametrize(
    "name",
    [
        "schemas/dataset.schema.yaml",
        "tests/given.yaml",
        "xyz/tests/given.yaml",
        "xyz/.draft.yaml",
        ".git/x.yaml",
        "xyz/operation.yaml~",
        "xyz/operation.yaml.bak",
        "xyz/operation.yaml.orig",
        "xyz/.operation.yaml.swp",
        "xyz/#operation.yaml#",
        "README.md",
        "xyz/notes.txt",
    ],
)
def test_schemas_tests_hidden_files_and_editors_backups_are_no_policy(folder, name):
    write(folder / name, b"this: [is no policy")
    assert read_policies(folder) == sample_policy()
    assert policy_digest(folder) == sample_policy().digest


@pytest.mark.parametrize(
    "name", ["xyz/more.yml", "xyz/more.YAML", "xyz/more.yaml.txt", "xyz/more.Yml", "more.yaml.j2"]
)
@pytest.mark.parametrize("read", [read_policies, policy_digest])
def test_a_policy_file_with_another_ending_is_a_problem(folder, name, read):
    write(folder / name)
    assert problems(folder, read) == [
        f"{name}:1:1: a policy file's name ends in .yaml; rename this file, or begin its name with a dot"
    ]


OVERLAID = whole_files()[OVERLAY]


@pytest.mark.parametrize("name", ["xyz/more", "more.json", "xyz/more.txt", "xyz/more.conf"])
@pytest.mark.parametrize(
    "content",
    [
        OVERLAID,
        b"---\n# what it is\n\n" + OVERLAID,
        b"\xef\xbb\xbf" + OVERLAID,
        b'{"id": "x", "kind": "overlay"}',
        b"{kind: 'overlay', id: x}",
    ],
)
@pytest.mark.parametrize("read", [read_policies, policy_digest, read_files, seal])
def test_a_policy_file_without_its_ending_is_a_problem(folder, name, content, read):
    write(folder / name, content)
    assert problems(folder, read) == [
        (
            f"{name}:1:1: a policy file's name ends in .yaml, and this is one of kind 'overlay'; rename this "
            "file, or begin its name with a dot"
        )
    ]
    assert not is_sealed(folder)


@pytest.mark.parametrize(
    ("name", "aside"),
    [
        ("tests/more.yaml", "tests"),
        ("xyz/tests/more.yaml", "tests"),
        ("xyz/tests/deep/more.json", "tests"),
        ("schemas/more.yaml", "schemas"),
        ("schemas/more", "schemas"),
    ],
)
@pytest.mark.parametrize("read", [read_policies, policy_digest, read_files, seal])
def test_a_policy_file_where_none_is_read_is_a_problem(folder, name, aside, read):
    write(folder / name, OVERLAID)
    assert problems(folder, read) == [
        (
            f"{name}:1:1: here no policy file can be read, and this is one of kind 'overlay'; move it out of "
            f"{aside}"
        )
    ]
    assert not is_sealed(folder)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("README.md", b"# Our rules\n\nAn overlay looks like this:\n\nkind: overlay\n"),
        ("xyz/notes", b"An overlay has\n kind: overlay\n"),
        ("xyz/kinds.json", b'{"kind": {"const": "overlay"}}'),
        ("xyz/pod.json", b'{"kind": "Pod"}'),
        ("xyz/tests/x.yaml", b"kind: test\nid: x\n"),
        ("xyz/empty", b""),
        ("xyz/blank", b"\n" * 70_000),
        ("xyz/bytes", bytes(range(256))),
        ("LICENSE", b"kind regards\n"),
    ],
)
def test_what_only_speaks_of_policy_files_is_none(folder, name, content):
    write(folder / name, content)
    assert read_policies(folder) == sample_policy()


def test_each_kind_of_policy_file_is_known_by_its_word():
    from dtm_sharing import policy

    assert set(policy.schemas()) == stores_policies._KINDS


def test_a_list_that_is_a_pipe_is_a_problem_and_is_not_waited_for(folder):
    (folder / SEAL).unlink()
    os.mkfifo(folder / SEAL)
    told = f"{SEAL}:1:1: this file cannot be read: it is a pipe or a device, not a file"
    assert problems(folder) == [told]
    assert problems(folder, policy_digest) == [told]
    assert not is_sealed(folder)


@pytest.mark.parametrize("name", ["xyz/more", "tests/more", "schemas/more.yaml"])
def test_a_pipe_that_is_no_policy_file_by_its_name_is_passed_over(folder, name):
    (folder / name).parent.mkdir(exist_ok=True)
    os.mkfifo(folder / name)
    assert read_policies(folder) == sample_policy()


def test_what_a_misnamed_file_names_is_not_called_missing_as_well(folder):
    (folder / REQUEST).rename(folder / REQUEST.replace(".yaml", ".yml"))
    assert [each.partition(":")[0] for each in problems(folder)] == [SEAL, REQUEST.replace(".yaml", ".yml")]


def test_a_folder_called_schemas_further_down_is_read(folder):
    write(folder / "xyz/schemas/x.yaml", b"kind: nothing\n")
    sealed(folder)
    assert problems(folder)[0].startswith("xyz/schemas/x.yaml:1:7: 'nothing' is not a kind of policy file")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read_is_a_problem(folder):
    (folder / RELATIONS).chmod(0)
    assert problems(folder) == [f"{RELATIONS}:1:1: this file cannot be read: Permission denied"]


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that opens and cannot be read")
def test_a_file_that_breaks_while_it_is_read_is_a_problem(folder):
    (folder / "xyz/broken.yaml").symlink_to("/proc/self/mem")
    assert problems(folder) == ["xyz/broken.yaml:1:1: this file cannot be read: Input/output error"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_may_not_be_read_is_a_problem(folder):
    (folder / "xyz/requests").chmod(0)
    try:
        assert "xyz/requests:1:1: this folder cannot be read: Permission denied" in problems(folder)
    finally:
        (folder / "xyz/requests").chmod(0o755)


def test_a_link_to_nothing_is_a_problem(folder):
    (folder / "xyz/gone.yaml").symlink_to("nowhere.yaml")
    assert problems(folder) == [
        "xyz/gone.yaml:1:1: this is not a file that can be read; remove it or mend the link"
    ]


def test_a_pipe_is_a_problem_and_is_not_waited_for(folder):
    os.mkfifo(folder / "xyz/pipe.yaml")
    assert problems(folder) == [
        "xyz/pipe.yaml:1:1: this is not a file that can be read; remove it or mend the link"
    ]


def test_a_linked_file_is_read_as_kubernetes_mounts_them(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "data.yaml"
    (folder / RELATIONS).rename(elsewhere)
    (folder / RELATIONS).symlink_to(elsewhere)
    assert read_policies(folder) == sample_policy()


def test_a_linked_folder_is_a_problem_because_it_would_be_left_out(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "requests"
    (folder / "xyz/requests").rename(elsewhere)
    (folder / "xyz/requests").symlink_to(elsewhere)
    assert "xyz/requests:1:1: this folder is a link, which is not followed; put its files here" in problems(
        folder
    )


def test_a_folder_without_a_policy_file_is_an_error(tmp_path):
    assert problems(tmp_path) == [
        ".:1:1: there is no policy file here; a policy begins with classification.yaml"
    ]


@pytest.mark.parametrize("read", [read_policies, policy_digest])
@pytest.mark.parametrize("name", ["absent", CLASSIFICATION])
def test_no_such_folder_is_one_sentence(folder, read, name):
    with pytest.raises(UsageProblem) as refused:
        read(folder / name)
    assert str(refused.value) == (
        f"there is no policy folder {folder / name}; name the folder that holds classification.yaml"
    )


def test_problems_of_the_folder_and_of_the_texts_come_together(folder):
    write(folder / "b.yaml", b"")
    sealed(folder)
    write(folder / "a.yml")
    assert [each.partition(":")[0] for each in problems(folder)] == ["a.yml", "b.yaml"]


@pytest.mark.parametrize("name", ["xyz/a\\b.yaml", "xyz/a\nb.yaml", "xyz/a\x1b[2J.yaml"])
def test_a_name_that_sha256sum_would_have_to_escape_is_a_problem(folder, name):
    write(folder / name, b"")
    with pytest.raises(PolicyInvalid) as refused:
        policy_digest(folder)
    assert [each.sentence for each in refused.value.problems] == [
        "a policy file's name is plain text without a backslash; rename this file"
    ]


# -------------------------------------------------------------------------------------------- the seal


@pytest.fixture
def whole(tmp_path):
    return write_policies(tmp_path, whole_files())


def test_the_seal_is_their_number_and_what_sha256sum_prints_for_the_policy_files(folder):
    write(folder / "tests/x_test.yaml", b"")
    write(folder / "schemas/x.schema.json", b"{}")
    path = seal(folder)
    assert path == folder / "SHA256SUMS"
    files = sample_files()
    assert path.read_text().splitlines() == [
        f"# {len(files)} files",
        *(f"{hashlib.sha256(files[name]).hexdigest()}  {name}" for name in sorted(files)),
    ]
    assert is_sealed(folder)


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="needs the program sha256sum")
def test_the_program_sha256sum_checks_the_folder_without_us(folder):
    write(folder / "xyz/with blanks, é.yaml", b"kind: relations\nid: others\nrelations: []\n")
    seal(folder)
    check = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    checked = subprocess.run(check, cwd=folder, capture_output=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, b"")
    theirs = subprocess.run(
        ["sha256sum", *sorted(read_files(folder))], cwd=folder, capture_output=True, check=True
    )
    (folder / SEAL).write_bytes(b"# %d files\n" % len(read_files(folder)) + theirs.stdout)
    assert is_sealed(folder)
    (folder / RELATIONS).write_bytes(b"x")
    assert subprocess.run(check, cwd=folder, capture_output=True, check=False).returncode == 1


def test_our_own_folder_is_sealed():
    assert is_sealed(POLICIES)


@pytest.mark.parametrize("read", [read_policies, policy_digest])
def test_without_the_list_nothing_loads_and_the_sentence_says_what_to_do(folder, read):
    (folder / SEAL).unlink()
    (problem,) = problems(folder, read)
    assert problem == (
        "SHA256SUMS:1:1: the list of this folder's files is missing, so some may be missing too; review the "
        f"folder, then run 'dtm-sharing seal {folder}'"
    )


@pytest.mark.parametrize("read", [read_policies, policy_digest])
def test_each_file_that_is_not_as_sealed_is_named(whole, read):
    review = f"review the folder, then run 'dtm-sharing seal {whole}'"
    (whole / OVERLAY).unlink()
    write(whole / "xyz/more.yaml")
    text = (whole / RELATIONS).read_bytes()
    (whole / RELATIONS).write_bytes(text + b"# one word more\n")
    line = sorted(whole_files()).index(OVERLAY) + 2
    assert problems(whole, policy_digest) == [
        f"{SEAL}:{line}:1: '{OVERLAY}' is listed here and is not in the folder; copy it again, or {review}",
        f"{RELATIONS}:1:1: this file is not what SHA256SUMS says: edited since, or copied half; {review}",
        f"xyz/more.yaml:1:1: SHA256SUMS does not list this file; {review}",
    ]
    assert not is_sealed(whole)


def test_problems_of_the_seal_and_of_the_texts_come_together(folder):
    (folder / RELATIONS).write_bytes(b"kind: relations\nid: relations\n")
    missing, changed = problems(folder)
    assert changed.startswith(f"{RELATIONS}:1:1: this file is not what SHA256SUMS says")
    assert missing == f"{RELATIONS}:1:1: 'relations' is missing from a relations file"


@pytest.mark.parametrize(
    "line",
    [
        "",
        "nonsense",
        "0" * 64,
        "0" * 63 + "g  x.yaml",
        "0" * 64 + "  ",
        "0" * 64 + " x.yaml",
        "\\" + "0" * 64 + "  x.yaml",
    ],
)
def test_a_line_that_sha256sum_does_not_print_is_a_problem(folder, line):
    count, text = (folder / SEAL).read_text().split("\n", 1)
    (folder / SEAL).write_text(f"{count}\n{line}\n{text}")
    (problem,) = problems(folder)
    assert problem.startswith("SHA256SUMS:2:1: this line is cut off, or is none of sha256sum's; ")


def test_a_file_that_is_listed_twice_is_a_problem(folder):
    text = (folder / SEAL).read_text()
    (folder / SEAL).write_text(text + "0" * 64 + "  " + RELATIONS + "\n")
    assert problems(folder)[0].startswith(
        f"SHA256SUMS:{len(sample_files()) + 2}:1: 'relations.yaml' is listed twice"
    )


def test_a_list_that_cannot_be_read_is_a_problem(folder):
    (folder / SEAL).unlink()
    (folder / SEAL).mkdir()
    assert problems(folder) == ["SHA256SUMS:1:1: this file cannot be read: Is a directory"]


def test_a_policy_that_does_not_load_is_not_sealed(folder):
    (folder / RELATIONS).write_bytes(b"kind: relations\n")
    before = (folder / SEAL).read_bytes()
    with pytest.raises(PolicyInvalid):
        seal(folder)
    (folder / RELATIONS).unlink()
    write(folder / "xyz/more.yml")
    with pytest.raises(PolicyInvalid):
        seal(folder)
    assert (folder / SEAL).read_bytes() == before


def test_a_seal_that_cannot_be_written_leaves_the_old_one_and_nothing_else(folder, monkeypatch):
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreFailed) as failed:
        seal(folder)
    assert str(failed.value) == f"{folder / SEAL}: the seal cannot be written (No space left on device)"
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_every_reader_may_read_the_seal(folder):
    assert seal(folder).stat().st_mode & 0o777 == 0o644


EXAMPLES = settings(
    max_examples=int(os.environ.get("DTM_FUZZ_EXAMPLES", "60")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@EXAMPLES
@given(data=st.data())
def test_a_folder_that_was_copied_half_is_refused_wherever_the_copy_stopped(tmp_path_factory, data):
    """Files that are gone, files that are cut, at every place; the seal itself too."""
    folder = write_policies(tmp_path_factory.mktemp("half"), whole_files())
    names = [*sorted(whole_files()), SEAL]
    harmed = data.draw(st.lists(st.sampled_from(names), min_size=1, unique=True), label="harmed")
    for name in harmed:
        content = (folder / name).read_bytes()
        kept = data.draw(st.none() | st.integers(0, len(content) - 1), label=name)
        if kept is None:
            (folder / name).unlink()
        else:
            (folder / name).write_bytes(content[:kept])
    for read in (read_policies, policy_digest):
        with pytest.raises(PolicyInvalid) as refused:
            read(folder)
        assert all(str(each).isprintable() for each in refused.value.problems)


def test_a_seal_that_is_cut_anywhere_is_refused(folder):
    content = (folder / SEAL).read_bytes()
    for kept in range(len(content)):
        (folder / SEAL).write_bytes(content[:kept])
        assert problems(folder, policy_digest), kept


@pytest.mark.parametrize("read", [read_policies, policy_digest])
def test_a_list_that_is_cut_at_a_line_end_with_the_files_after_it_is_refused(tmp_path, read):
    """As a copy that goes by name and stops: what is there fits the list that is there."""
    files = whole_files()
    for kept in range(len(files)):
        folder = write_policies(tmp_path / str(kept), files)
        (folder / SEAL).write_bytes(b"".join(sums(files).splitlines(keepends=True)[: kept + 1]))
        for name in sorted(files)[kept:]:
            (folder / name).unlink()
        with pytest.raises(PolicyInvalid) as refused:
            read(folder)
        says = f"this list says {len(files)} files and lists {kept}, so some may be missing; review"
        assert any(says in str(each) for each in refused.value.problems), kept
        assert not is_sealed(folder)


@pytest.mark.parametrize("first", ["", "# files\n", "# -1 files\n", "# 11 files \n", "# eleven files\n"])
def test_a_list_that_does_not_begin_with_its_number_of_files_is_a_problem(folder, first):
    _, text = (folder / SEAL).read_text().split("\n", 1)
    (folder / SEAL).write_text(first + text)
    [problem] = problems(folder)
    assert problem.startswith("SHA256SUMS:1:1: this l")
    assert problem.endswith(f"review the folder, then run 'dtm-sharing seal {folder}'")


def test_a_number_without_its_line_end_is_a_problem(folder):
    (folder / SEAL).write_text(f"# {len(sample_files())} files")
    assert problems(folder)[0].startswith("SHA256SUMS:1:1: this line is cut off")


def test_the_sums_of_the_same_files_are_the_same_whatever_their_order():
    files = sample_files()
    assert sums(files) == sums(dict(reversed(files.items())))
