"""The policy folder on disk: what is read, what is refused, and that nothing is left out in silence."""

import os
from pathlib import Path

import pytest

from dtm_sharing.errors import PolicyInvalid, UsageProblem
from dtm_sharing.stores.policies import policy_digest, read_policies
from support.policies import CLASSIFICATION, RELATIONS, REQUEST, sample_files, sample_policy

POLICIES = Path(__file__).parents[2] / "policies"


@pytest.fixture
def folder(tmp_path):
    for name, content in sample_files().items():
        write(tmp_path / name, content)
    return tmp_path


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


def test_what_a_misnamed_file_names_is_not_called_missing_as_well(folder):
    (folder / REQUEST).rename(folder / REQUEST.replace(".yaml", ".yml"))
    assert len(problems(folder)) == 1


def test_a_folder_called_schemas_further_down_is_read(folder):
    write(folder / "xyz/schemas/x.yaml", b"kind: nothing\n")
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
    write(folder / "a.yml")
    write(folder / "b.yaml", b"")
    assert [each.partition(":")[0] for each in problems(folder)] == ["a.yml", "b.yaml"]
