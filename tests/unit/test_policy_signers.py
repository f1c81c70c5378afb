"""Who may sign, and when two signatures are those of one person."""

# ruff: noqa: E501, RUF001 - whole sentences, as they are printed; signs that look like others

from __future__ import annotations

import pytest

from dtm_sharing import policy
from dtm_sharing.errors import PolicyInvalid
from dtm_sharing.policy.kinds import kind_of
from support.policies import (
    AGREEMENT,
    ASSESSMENT,
    IOM,
    SCPA,
    WAIVER,
    another_organization,
    patched,
    whole_files,
)

SIGNED = {ASSESSMENT: ("8:26", "2026-09-15"), WAIVER: ("9:27", "2026-10-20")}
NOBODY_PRIMARY = "in_office_from: 2026-01-01, in_office_until: 2026-09-14"


def problems(files):
    try:
        policy.parse(files)
    except PolicyInvalid as invalid:
        return [str(problem) for problem in invalid.problems]
    return []


def changed(*changes, files=None):
    files = files or whole_files()
    for path, old, new in changes:
        files = patched(files, path, old, new)
    return files


# --------------------------------------------------------------------------------------- the coordinator

EXPERT = "  - {id: xyz/iom-protection-expert"


def one_more(who, since="2026-01-01"):
    """Another person in IOM's file: id, role, title and address as given."""
    person = f"  - {{{who}, mobile: '+000 1000009', in_office_from: {since}}}\n"
    return IOM, EXPERT, person + EXPERT


WATER = one_more(
    "id: xyz/iom-water-expert, role: sectoral-expert, title: Water Lead, email: water@example.org"
)


@pytest.mark.parametrize("path", SIGNED)
def test_two_sectoral_experts_are_not_a_coordinator_and_an_expert(path):
    where, _ = SIGNED[path]
    files = changed(WATER, (path, "coordinator: xyz/iom-primary", "coordinator: xyz/iom-water-expert"))
    [problem] = problems(files)
    assert problem == (
        f"{path}:{where}: 'xyz/iom-water-expert' has the role sectoral-expert; the coordinator is IOM's primary "
        "focal point, or the secondary while nobody is primary"
    )
    assert kind_of(problem) == "signatures"


@pytest.mark.parametrize("path", SIGNED)
def test_the_secondary_signs_as_the_coordinator_only_while_nobody_is_primary(path):
    where, day = SIGNED[path]
    files = changed((path, "coordinator: xyz/iom-primary", "coordinator: xyz/iom-secondary"))
    [problem] = problems(files)
    assert problem == (
        f"{path}:{where}: 'xyz/iom-secondary' has the role secondary, and signs as the coordinator only while "
        f"nobody is primary; 'xyz/iom-primary' was in office on {day}"
    )
    assert kind_of(problem) == "signatures"


STOOD_IN = (
    (IOM, "in_office_from: 2026-01-01, in_office_until: 2027-12-31", NOBODY_PRIMARY),
    (ASSESSMENT, "coordinator: xyz/iom-primary", "coordinator: xyz/iom-secondary"),
    (WAIVER, "coordinator: xyz/iom-primary", "coordinator: xyz/iom-secondary"),
    (AGREEMENT, "iom: xyz/iom-primary", "iom: xyz/iom-secondary"),
)


def test_where_the_primary_has_left_the_secondary_stands_in():
    assert problems(changed(*STOOD_IN)) == []


def test_a_primary_of_another_country_is_not_this_country_s():
    who = "id: zzz/iom-primary, role: primary, title: DTM Coordinator, email: zzz@example.org"
    elsewhere = one_more(who, since="2026-09-15")
    assert problems(changed(*STOOD_IN, elsewhere)) == []
    # A successor who was in office already counts.
    files = patched(changed(*STOOD_IN, elsewhere), IOM, "zzz/iom-primary", "xyz/iom-primary-2")
    assert [each.partition(" ")[0] for each in problems(files)] == [
        f"{path}:{where}:" for path, (where, _) in SIGNED.items()
    ]


def test_a_day_that_is_none_says_nothing_of_who_stood_in():
    files = changed(
        (ASSESSMENT, "coordinator: xyz/iom-primary", "coordinator: xyz/iom-secondary"),
        (ASSESSMENT, "assessed_on: 2026-09-15", "assessed_on: soon"),
    )
    assert [each for each in problems(files) if "soon" not in each] == []


# ---------------------------------------------------------------------------------------- one person or two

ONE = ("title: DTM Coordinator, email: coordinator@example.org,", "mobile: '+000 1000001'")
OTHER = ("title: Protection Lead, email: expert@example.org,", "mobile: '+000 1000003'")


def people(**fields):
    """The sample, where a field of the coordinator and of the sectoral expert is what is given, in pairs."""
    files = whole_files()
    for field, pair in fields.items():
        for (texts, mobile), value in zip((ONE, OTHER), pair, strict=True):
            if field == "mobile":
                files = patched(files, IOM, mobile, f"mobile: '{value}'")
            elif field == "email":
                files = patched(files, IOM, texts, texts.partition("email")[0] + f'email: "{value}",')
            else:
                title = texts.partition(" email")[0]
                files = patched(files, IOM, title, f'{title} name: "{value}",')
    return files


SAME = [
    {"email": ("sita@example.org", "Sita@Example.org")},
    {"email": ("sita@example.org", "sita+waivers@example.org")},
    {"email": ("sita+a@example.org", "sita+b@example.org")},
    {"mobile": ("+977 980 000 0001", "980 000 0001")},
    {"mobile": ("+977 980 000 0001", "00977-980-000-0001")},
    {"mobile": ("+977 980 000 0001", "0980 0000001")},
    {"mobile": ("+977 980 000 0001", "+٩٧٧ ٩٨٠ ٠٠٠ ٠٠٠١")},
    {"name": ("Sita Rai", "RAI Sita")},
    {"name": ("Sita Rai", "Rai, Sita")},
    {"name": ("Sita Rai", "Ms. Sita Rai")},
    {"name": ("Dr Sita Rai", "Mrs. Rai, Sita")},
    {"name": ("Sita Rai", "S\\u00ecta Rai")},
    {"name": ("Sita Rai", "Si\\u0300ta Rai")},
    {"name": ("Sita Rai", "Sita\\u200b Rai")},
    {"name": ("Sita Rai", "Si\\u00adta Rai")},
    {"name": ("Sita-Maya Rai", "Sita Maya Rai")},
    {"name": ("सीता राई", "राई सीता")},
]


@pytest.mark.parametrize("fields", SAME, ids=range(len(SAME)))
def test_one_person_under_two_entries_is_seen(fields):
    found = problems(people(**fields))
    assert [each.partition(" ")[2].partition(";")[0] for each in found] == [
        "the coordinator and the sectoral expert are the same person"
    ] * 2
    assert "ita" not in "".join(found)


OTHERS = [
    {"email": ("sita@example.org", "sita@other.example.org")},
    {"email": ("+sita@example.org", "rai@example.org")},
    {"email": ("sita.rai@example.org", "sitarai@example.org")},
    {"mobile": ("+977 980 000 0001", "+977 980 000 0011")},
    {"mobile": ("+977 980 000 0001", "000 0001")},
    {"mobile": ("1", "2")},
    {"name": ("Sita Rai", "Gita Rai")},
    {"name": ("Sita Rai", "Sita Rai Thapa")},
    {"name": ("Ms.", "Ms.")},
    {"name": ("सीता राई", "सुता राई")},
    {"name": ("सता राई", "सुता राई")},
]


@pytest.mark.parametrize("fields", OTHERS, ids=range(len(OTHERS)))
def test_two_people_are_not_taken_for_one(fields):
    assert problems(people(**fields)) == []


# --------------------------------------------------------------------------------------- both sides of one


@pytest.mark.parametrize(
    "changes",
    [
        [(SCPA, "email: primary@scpa.example.org", "email: coordinator+scpa@example.org")],
        [(SCPA, "'+000 2000001'", "'+000 1000001'")],
        [
            (SCPA, "title: Child Protection Lead,", "title: Child Protection Lead, name: Sita Rai,"),
            (IOM, "title: DTM Coordinator,", "title: DTM Coordinator, name: 'Rai, Sita',"),
        ],
    ],
    ids=["email", "mobile", "name"],
)
def test_one_person_does_not_sign_an_agreement_for_both_sides(changes):
    problem, *elsewhere = problems(changed(*changes))
    assert problem == (
        f"{AGREEMENT}:6:38: the same person signs for both sides; an agreement needs one of each"
    )
    assert kind_of(problem) == "signatures"
    # Of a name alone only the signature is told: in two organizations two people may share it.
    said = f"{SCPA}:6:5: the same person, by address or number, is a focal point of"
    assert [each.partition(" 'iom'")[0] for each in elsewhere] == [said] * ("name" not in str(changes))


@pytest.mark.parametrize(
    ("since", "found"), [("2027-12-31", 1), ("2028-01-01", 0)], ids=["the last day of the first", "after it"]
)
def test_one_person_may_be_a_focal_point_of_two_organizations_one_after_the_other(since, found):
    second = "mobile: '+000 2000002', in_office_from: 2026-01-01"
    moved = f"mobile: '+000 1000001', in_office_from: {since}"
    told = problems(changed((SCPA, second, moved)))
    assert len(told) == found
    assert all(kind_of(each) == "contradiction" for each in told)


def test_one_person_may_stand_twice_in_one_organization():
    assert problems(changed((SCPA, "secondary@scpa.example.org", "primary@scpa.example.org"))) == []


def test_who_shares_a_mailbox_and_a_number_with_others_is_told_of_once():
    files = {**whole_files(), "xyz/focal_points/ngo.yaml": another_organization("ngo")}
    files = patched(files, "xyz/focal_points/ngo.yaml", "secondary@ngo", "secondary@scpa")
    files = patched(files, "xyz/focal_points/ngo.yaml", "'+000 3000002'", "'+000 1000002'")
    same = "the same person, by address or number, is a focal point of"
    assert [each.partition(" on ")[0] for each in problems(files)] == [
        f"xyz/focal_points/ngo.yaml:8:5: {same} 'iom' ({IOM}:8)",
        f"{SCPA}:8:5: {same} 'ngo' (xyz/focal_points/ngo.yaml:8)",
    ]


def test_each_who_is_a_focal_point_elsewhere_is_told_of():
    files = changed(
        (SCPA, "primary@scpa.example.org", "coordinator+a@example.org"),
        (SCPA, "secondary@scpa.example.org", "officer+b@example.org"),
    )
    told = [each.partition(":")[2].partition(":")[0] for each in problems(files) if "one mailbox" in each]
    assert told == ["6", "8"]


def test_one_id_for_both_sides_is_a_stranger_on_one_of_them():
    files = changed((AGREEMENT, "scpa: xyz/scpa-primary}", "scpa: xyz/iom-primary}"))
    assert problems(files) == [f"{AGREEMENT}:6:38: 'xyz/iom-primary' is no focal point of 'scpa'"]


def test_of_three_who_sign_two_without_a_name_are_not_one():
    files = changed(
        (IOM, "title: DTM Coordinator,", "title: DTM Coordinator, name: Sita Rai,"),
        (AGREEMENT, "scpa: xyz/scpa-primary}", "scpa: xyz/scpa-primary, third: xyz/scpa-secondary}"),
    )
    assert not [each for each in problems(files) if "same person" in each]
