"""The small functions that read a policy, each by itself, and every value that a file becomes."""

# ruff: noqa: E501, ISC004 - whole sentences, as they are printed

from datetime import date
from types import SimpleNamespace
from typing import Annotated, Literal, get_args

import pytest
from pydantic import Field

from dtm_sharing import model, policy
from dtm_sharing.model import Grain, Level, Method, RequestState, Role, Source, Urgency, Validity
from dtm_sharing.policy import files, problems, shape, spans, texts
from dtm_sharing.policy.words import Words
from support.policies import (
    AGREEMENT,
    ASSESSMENT,
    CLASSIFICATION,
    CONTACTS,
    DATASET,
    GENERAL,
    OPERATION,
    OVERLAY,
    PROTECTION,
    RELATIONS,
    REQUEST,
    SCPA,
    WAIVER,
    patched,
    sample_policy,
    whole_files,
)

# ------------------------------------------------------------------------------------ texts → data


@pytest.mark.parametrize(
    ("plain", "value"),
    [
        ("", texts.EMPTY),
        ("~", texts.EMPTY),
        ("null", texts.EMPTY),
        ("Null", texts.EMPTY),
        ("NULL", texts.EMPTY),
        ("nULL", "nULL"),
        ("true", True),
        ("FALSE", False),
        ("yes", "yes"),
        ("12", 12),
        ("-012", -12),
        ("1" * 18, int("1" * 18)),
        ("1.5", 1.5),
        (".5e-1", 0.05),
        ("1e3", 1000.0),
        (".INF", float("inf")),
        ("-.Inf", float("-inf")),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("2026-11-22", "2026-11-22"),
    ],
)
def test_a_plain_scalar_is_what_the_core_schema_of_yaml_1_2_says(plain, value):
    read = texts.read("x.yaml", f"a: {plain}".encode()).data["a"]
    assert (type(read), read) == (type(value), value)
    assert texts.is_text(plain) is isinstance(value, str)


def test_a_number_that_is_none_is_still_a_number():
    read = texts.read("x.yaml", b"[.nan, .NaN, .NAN]").data
    assert [(type(each), each == each) for each in read] == [(float, False)] * 3


@pytest.mark.parametrize("scalar", ["'12'", '"12"', "|-\n  12", ">-\n  12"])
def test_what_is_quoted_or_a_block_is_a_text(scalar):
    assert texts.read("x.yaml", f"a: {scalar}\n".encode()).data == {"a": "12"}


def test_nothing_has_a_name_that_can_be_printed():
    assert [repr(texts.EMPTY), repr(texts.UNREADABLE)] == ["nothing", "nothing"]


def said(content):
    return [str(each) for each in texts.read("x.yaml", content).problems]


NO_YAML = "this is not YAML; look for a quote, bracket or indentation that is not right"
DIRECTIVES = "directives ('%…') are not used in policy files; remove the line"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"%YAML 1.2\n---\na: 1\n", f"x.yaml:1:1: {DIRECTIVES}"),
        (b"# a word\n\n%TAG ! x\n---\na: 1\n", f"x.yaml:3:1: {DIRECTIVES}"),
        (b"%FOO bar\n%YAML 1.1\n---\na: 1\n", f"x.yaml:1:1: {DIRECTIVES}"),
        (b"# a word\r%FOO bar\r---\ra: 1\r", f"x.yaml:1:10: {DIRECTIVES}"),
    ],
)
def test_a_directive_is_refused_whatever_it_says(content, problem):
    assert said(content) == [problem]


def test_a_percent_sign_is_no_directive_in_a_comment_or_a_text():
    read = texts.read("x.yaml", b'# 5 %\n---\na: "50\n% of it"\n')
    assert (read.data, read.problems) == ({"a": "50 % of it"}, ())


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"a: 1\n\tb: 2", "x.yaml:2:1: a tab stands here; indent with spaces"),
        (b"a: 1\r\tb: 2", "x.yaml:2:1: a tab stands here; indent with spaces"),
        (b"a: >0\n  b\n", f"x.yaml:1:5: {NO_YAML}"),
        (b"a: |\n \n  \n x\n", f"x.yaml:4:2: {NO_YAML}"),  # ruamel.yaml gives no problem here, a context only
        (b"a:\r- @b\r", "x.yaml:2:3: a value cannot begin with this character; put it in quotes"),
        ("a: é\nb: \x07".encode(), "x.yaml:2:4: a character stands here that cannot be printed; remove it"),
        (b"\xc3\xa9: 1\nb: \xc3\xa9\xe9", "x.yaml:2:5: this is not UTF-8 text; save the file as UTF-8"),
        (b"\xef\xbb\xbfa: \xe9", "x.yaml:1:4: this is not UTF-8 text; save the file as UTF-8"),
        (b"\xef\xbb\xbfa: \x07", "x.yaml:1:4: a character stands here that cannot be printed; remove it"),
        (b"a: 'b", "x.yaml:1:6: a quote is opened and never closed"),
    ],
)
def test_what_is_not_yaml_is_told_where_it_stands(content, problem):
    assert said(content) == [problem]


def test_a_file_that_cannot_be_read_has_no_data_and_stands_at_its_beginning():
    read = texts.read("x.yaml", b"a: [")
    assert (read.file, read.data, read.place.of(()), len(read.problems)) == ("x.yaml", texts.EMPTY, (1, 1), 1)


def test_a_place_knows_its_keys_and_its_values():
    place = texts.read("x.yaml", b"a: 1\nb:\n  - c: 2\n    d: 3\n").place
    assert [place.of(()), place.of(("b",)), place.of(("b", 0)), place.of(("b", 0, "d"))] == [
        (1, 1),
        (3, 3),
        (3, 5),
        (4, 8),
    ]
    assert place.of(("b", 0, "e", "f")) == (3, 5)  # the deepest that there is
    assert [place.of_key(()), place.of_key(("b",)), place.of_key(("b", 0, "d"))] == [(1, 1), (2, 1), (4, 5)]
    assert place.of_key(("b", 0)) == (3, 5)  # no key
    assert place.of_key(("b", 0, "e")) == (3, 5)


def test_twenty_levels_are_deep_enough_and_no_more():
    assert texts.read("x.yaml", b"[" * 20 + b"a" + b"]" * 20).problems == ()
    assert said(b"[" * 21 + b"a" + b"]" * 21) == ["x.yaml:1:22: this is nested too deeply for a policy file"]
    assert said(b"{a: " * 20 + b"1" + b"}" * 20) == []
    assert said(b"{a: " * 21 + b"1" + b"}" * 21) == [
        "x.yaml:1:85: this is nested too deeply for a policy file"
    ]
    assert said(b"? [a]\n: {b: c}\n") == ["x.yaml:1:3: a key must be one plain word"]
    assert not [each for each in said(b"{? " * 20 + b"a" + b"}" * 20) if "deeply" in each]
    assert said(b"{? " * 21 + b"a" + b"}" * 21) == [
        "x.yaml:1:65: this is nested too deeply for a policy file"
    ]


# --------------------------------------------------------------------------------- words for a problem


@pytest.mark.parametrize(
    ("value", "quoted"),
    [
        (12, "'12'"),
        ("a\nb\x1b", "'a b '"),
        ("x" * 60, f"'{'x' * 60}'"),
        ("x" * 61, f"'{'x' * 60}…'"),
        (("a", texts.EMPTY), "'('a', nothing)'"),
    ],
)
def test_what_is_quoted_stays_on_one_line_and_short(value, quoted):
    assert problems.quoted(value) == quoted


@pytest.mark.parametrize(
    ("word", "known", "near"),
    [
        ("Site", ["sites", "SITE", "cite"], "SITE"),
        ("abcde", ["abcxx"], "abcxx"),  # of five letters, three: 0.6
        ("abcde", ["abxxx"], None),
        ("one", ["One", "one"], "one"),
        ("x" * 200 + "y" * 5000, ["x" * 200], "x" * 200),
        ("a", [], None),
    ],
)
def test_the_nearest_word_is_found_whatever_its_capitals(word, known, near):
    assert problems.nearest(word, known) == near
    assert problems.did_you_mean(word, known) == (f" (did you mean {problems.quoted(near)}?)" if near else "")


def test_a_short_list_is_written_out_where_no_word_is_near():
    known = iter(["first", "second"])
    assert problems.instead("zzz", known) == "; write one of first, second"
    assert problems.instead("frist", iter(["first", "second"])) == " (did you mean 'first'?)"


def test_problems_are_in_order_of_file_line_and_column():
    one, two, three = (problems.Problem("a", *at, "x") for at in ((1, 2), (1, 10), (2, 1)))
    assert sorted([problems.Problem("b", 1, 1, "x"), three, two, one])[:3] == [one, two, three]
    assert str(two) == "a:1:10: x"


# ----------------------------------------------------------------------------- the words of the levels

SCHEMES = {
    "alpha": {"open": Level.PUBLIC, "shared": Level.CONFIDENTIAL},
    "beta": {"confidential": Level.SECRET, "shared": Level.SECRET},
    "gamma": {"confidential": Level.SECRET},
}


@pytest.mark.parametrize(
    ("word", "level"),
    [
        ("Secret", Level.SECRET),
        ("open", Level.PUBLIC),
        ("alpha:open", Level.PUBLIC),
        ("beta:shared", Level.SECRET),
        ("shared", "'shared' is a word of alpha and beta; name one, as in alpha:shared"),
        (
            " Confidential ",
            "' Confidential ' means Secret to some agencies; write 'Confidential', or name the scheme, as in "
            "'beta:confidential'",
        ),
        ("alhpa:open", "there is no naming scheme 'alhpa' (did you mean 'alpha'?)"),
        ("alpha:opne", "the scheme 'alpha' has no word 'opne' (did you mean 'open'?)"),
        ("alpha:open:x", "the scheme 'alpha' has no word 'open:x' (did you mean 'open'?)"),
        ("opne", "'opne' is not a level (did you mean 'open'?)"),
        ("secert", "'secert' is not a level (did you mean 'Secret'?)"),
        ("confidental", "'confidental' is not a level (did you mean 'Confidential'?)"),
        ("zzz", "'zzz' is not a level; write Public, Confidential or Secret"),
    ],
)
def test_a_word_is_a_level_or_a_sentence_that_says_why_not(word, level):
    assert Words(SCHEMES, known=True).level(word) == level


def test_where_no_scheme_has_the_word_confidential_the_sample_of_one_is_given():
    (sentence,) = {Words(schemes, known=False).level("confidential") for schemes in ({}, {"alpha": {}})}
    assert sentence == (
        "'confidential' means Secret to some agencies; write 'Confidential', or name the scheme, as in "
        "'other-agencies:confidential'"
    )


def test_while_the_classification_has_faults_only_our_own_words_are_known():
    words = Words(SCHEMES, known=False)
    assert [words.level(each) for each in ("Public", "open", "alpha:open", "zzz")] == [Level.PUBLIC] + [
        None
    ] * 3
    assert words.levels({Grain.SITE: "Secret", Grain.ADMIN1: "open"}) == {
        Grain.SITE: Level.SECRET,
        Grain.ADMIN1: None,
    }
    assert Words(SCHEMES, known=True).levels({Grain.SITE: "zzz"}) == {Grain.SITE: None}


# ---------------------------------------------------------------------------------------------- spans


def test_a_span_may_be_one_day():
    one_day = patched(whole_files(), OPERATION, "valid_until: 2027-12-31", "valid_until: 2026-01-01")
    assert sample_policy(one_day).operations["xyz/earthquake"].validity == Validity(FIRST, FIRST)


def on(day):
    return None if day is None else date(2026, 11, day)


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ((1, 5), (6, 9), False),
        ((1, 5), (5, 9), True),
        ((5, 9), (1, 5), True),
        ((6, 9), (1, 5), False),
        ((3, 4), (1, 9), True),
        ((1, None), (9, None), True),
        ((1, 5), (2, None), True),
        ((9, None), (1, 5), False),
        ((None, 5), (1, 9), False),
        ((1, 9), (None, 5), False),
    ],
)
def test_two_spans_have_a_day_in_common_or_not(one, other, together):
    assert spans.overlap(tuple(map(on, one)), tuple(map(on, other))) is together


@pytest.mark.parametrize(
    ("since", "until", "day", "there"),
    [
        (5, 9, 4, False),
        (5, 9, 5, True),
        (5, 9, 9, True),
        (5, 9, 10, False),
        (5, None, 4, False),
        (5, None, 30, True),
        (None, 9, 1, True),
        (None, 9, 10, False),
    ],
)
def test_a_person_is_in_office_from_the_first_day_to_the_last(since, until, day, there):
    person = SimpleNamespace(in_office_from=on(since), in_office_until=on(until))
    assert spans.in_office(person, on(day)) is there


# ------------------------------------------------------------- what the models are made of, at import


def test_one_of_takes_its_words_and_makes_of_them_what_it_is_told():
    read = files.one_of("a fruit", ["apple", "pear"]).func
    assert [read("apple"), read(("no", "text")), read(7)] == ["apple", ("no", "text"), 7]
    for word, sentence in (
        ("aple", "{value} is not a fruit (did you mean 'apple'?)"),
        ("7", "{value} is not a fruit; write one of apple, pear"),
    ):
        with pytest.raises(ValueError, match="is not a fruit") as found:
            read(word)
        assert found.value.context == {"sentence": sentence, "value": word, "below": ()}
    assert files.one_of("a role", Role, Role).func("primary") is Role.PRIMARY


def test_a_fault_in_our_words_prints_them():
    fault = files.wrong("{so} it is")
    assert str(fault) == "{so} it is"
    assert fault.context == {"sentence": "{so} it is", "value": "", "below": ()}


def test_a_list_whose_item_stands_twice_says_which_and_where():
    assert files.distinct(("a", "b")) == ("a", "b")
    with pytest.raises(ValueError, match="stands twice in this list") as found:
        files.distinct(("a", "b", "c", "b"))
    assert found.value.context == {
        "sentence": "{value} stands twice in this list",
        "value": "b",
        "below": (3,),
    }


# ------------------------------------------------------------------------------- what the files become


def full_files():
    """The sample with a value in every key that may be left out."""
    found = whole_files()
    for path, old, new in [
        (
            CLASSIFICATION,
            "disclosure: May be published.",
            "disclosure: x\n    crosswalks: {ocha: [Low, None]}",
        ),
        (GENERAL, "title: Site identifier\n", "title: Site identifier\n    identifies: site\n"),
        (GENERAL, "codes: [m0310]", "codes: [m0310]\n    additive: true"),
        (RELATIONS, "    grains: [admin2", "    keys: [site-id, district]\n    grains: [admin2"),
        (
            ASSESSMENT,
            "impact:",
            f"levels:\n  - {RAISED}\n  - {RAISED.replace('site-type', 'district')}\nimpact:",
        ),
        (SCPA, "title: Child Protection Lead", "title: Child Protection Lead, name: Ada"),
        (OVERLAY, "countries: [XYZ],", "countries: [XYZ], contexts: [mixed, disaster],"),
        (OVERLAY, "why: People", "builds_on: [dry]\nwhy: People"),
    ]:
        found = patched(found, path, old, new)
    found["overlays/dry.yaml"] = (
        b"kind: overlay\nid: dry\napplies_to: {contexts: [disaster]}\nvalid_from: 2026-01-01\nwhy: x\n"
        b"tightens: [{indicator: site-type, grain: site, level: Confidential, why: y}]\n"
    )
    found["xyz/requests/old.yaml"] = (
        b"kind: request\nid: xyz/old\norganization: scpa\npurpose: x\ndatasets: [xyz/site-assessment]\n"
        b"indicators: [district]\nstate: refused\nrequested_on: 2026-01-02\ndecided_on: 2026-02-03\nreason: y\n"
    )
    return found


RAISED = "{indicator: site-type, grain: site, level: Confidential, why: x}"
FIRST, LAST = date(2026, 1, 1), date(2027, 12, 31)
IN_FULL = [
    model.Protocol(
        level=Level.PUBLIC,
        aliases={},
        meaning="Disclosure carries little or no risk.",
        includes=("national totals", "site-level data that are not sensitive"),
        disclosure="x",
        source=Source(CLASSIFICATION, 5, 5),
        crosswalks={"ocha": ("Low", "None")},
    ),
    model.Protocol(
        level=Level.SECRET,
        aliases={"other-agencies": ("restricted", "personal", "confidential")},
        meaning="Disclosure may put a person's safety at risk.",
        includes=("personal data",),
        disclosure="Enters no pathway.",
        source=Source(CLASSIFICATION, 16, 5),
    ),
    model.Indicator(
        id="site-id",
        title="Site identifier",
        family="general",
        levels={
            **dict.fromkeys([*Grain][:5], Level.PUBLIC),
            Grain.HOUSEHOLD: Level.CONFIDENTIAL,
            Grain.INDIVIDUAL: Level.CONFIDENTIAL,
            Grain.INCIDENT: Level.SECRET,
        },
        basis="Table A: site-level data that are not sensitive are Public",
        names=(),
        codes=("m0445",),
        hxl=("#loc+code",),
        source=Source(GENERAL, 9, 5),
        identifies=Grain.SITE,
    ),
    model.Indicator(
        id="child-headed-households",
        title="Child-headed households",
        family="protection",
        levels={
            Grain.NATIONAL: Level.PUBLIC,
            **dict.fromkeys([*Grain][1:5], Level.CONFIDENTIAL),
            **dict.fromkeys([*Grain][5:], Level.SECRET),
        },
        basis="Table A: protection data per site are Confidential",
        names=("child-headed households", "ménages dirigés par un enfant"),
        codes=(),
        hxl=(),
        source=Source(PROTECTION, 9, 5),
    ),
    model.Relation(
        id="safety-and-armed-actors",
        groups=(("feelings-of-safety",), ("security-actor",)),
        grains=(Grain.ADMIN2, Grain.ADMIN3, Grain.SITE, Grain.HOUSEHOLD, Grain.INDIVIDUAL),
        level=Level.CONFIDENTIAL,
        why="Together they can suggest that those who provide security make people feel less safe.",
        source=Source(RELATIONS, 5, 5),
        keys=("site-id", "district"),
    ),
    model.Operation(
        id="xyz/earthquake",
        country="XYZ",
        name="Earthquake in Xyz",
        context="disaster",
        validity=Validity(FIRST, LAST),
        source=Source(OPERATION, 2, 1),
    ),
    model.Overlay(
        id="xyz/tense",
        countries=("XYZ",),
        operations=("xyz/earthquake",),
        contexts=("mixed", "disaster"),
        validity=Validity(date(2026, 11, 1), date(2026, 12, 31)),
        builds_on=("dry",),
        tightens=tuple(
            model.Tightening(
                indicator="feelings-of-safety",
                grain=grain,
                level=Level.CONFIDENTIAL,
                why="it reads as an accusation",
                source=Source(OVERLAY, line, 5),
            )
            for grain, line in ((Grain.SITE, 11), (Grain.ADMIN3, 12))
        ),
        why="People are moved out of some sites.",
        source=Source(OVERLAY, 2, 1),
    ),
    model.Waiver(
        id="xyz/published",
        operation="xyz/earthquake",
        datasets=("xyz/site-assessment",),
        relaxes=("overlay:xyz/tense/feelings-of-safety@site", "indicator:security-actor@site"),
        level=Level.PUBLIC,
        why="The ministry publishes who guards each site.",
        coordinator="xyz/iom-primary",
        sectoral_expert="xyz/iom-protection-expert",
        signed_on=date(2026, 10, 20),
        validity=Validity(date(2026, 11, 1), date(2026, 11, 30)),
        source=Source(WAIVER, 2, 1),
    ),
    model.Dataset(
        id="xyz/site-assessment",
        title="Site assessment",
        operation="xyz/earthquake",
        component="SA",
        grain=Grain.SITE,
        key=("Site ID",),
        header_row=3,
        encoding="utf-8",
        columns=tuple(
            model.Column(name, spellings, indicator, continued_by, Source(DATASET, line, 5))
            for name, spellings, indicator, continued_by, line in (
                ("Site ID", (), "site-id", (), 12),
                ("District", (), "district", (), 14),
                ("Site type", (), "site-type", ("If other, please specify",), 16),
                ("Site manager phone", (), "contact-phone", (), 19),
                ("Individuals", ("Number of individuals",), "idp-individuals", (), 21),
                ("Child-headed households", (), "child-headed-households", (), 24),
                ("Feelings of safety", (), "feelings-of-safety", (), 26),
                ("Security provider", (), "security-actor", ("If other, please specify",), 28),
            )
        ),
        drop_at_collection=("Site manager phone",),
        source=Source(DATASET, 2, 1),
    ),
    model.Assessment(
        id="xyz/site-assessment-2026",
        operation="xyz/earthquake",
        context="disaster",
        datasets=("xyz/site-assessment",),
        coordinator="xyz/iom-primary",
        sectoral_expert="xyz/iom-protection-expert",
        assessed_on=date(2026, 9, 15),
        collection_begins=date(2026, 10, 1),
        review_by=date(2027, 9, 14),
        impact={
            "individuals": "Site managers could be harassed.",
            "vulnerable_groups": "Children without parents could be traced to a site.",
            "communities": "A site could be blamed for what it reports.",
            "stakeholders": "Access of organisations to a site could be withdrawn.",
        },
        risk_of_sharing="Sites with few such households can be recognised.",
        risk_of_not_sharing="Children do not reach a service in time.",
        levels=tuple(
            model.Tightening(indicator, Grain.SITE, Level.CONFIDENTIAL, "x", Source(ASSESSMENT, line, 5))
            for indicator, line in (("site-type", 13), ("district", 14))
        ),
        source=Source(ASSESSMENT, 2, 1),
    ),
    model.Organization(
        id="scpa",
        name="Sample Child Protection Agency",
        focal_points=tuple(
            model.FocalPoint(
                id=f"xyz/scpa-{role}",
                organization="scpa",
                role=role,
                title=title,
                email=f"{role}@scpa.example.org",
                mobile=mobile,
                in_office=Validity(FIRST, until),
                source=Source(SCPA, line, 5),
                name=name,
            )
            for role, title, mobile, until, line, name in (
                (Role.PRIMARY, "Child Protection Lead", "+000 2000001", LAST, 6, "Ada"),
                (Role.SECONDARY, "Information Manager", "+000 2000002", None, 8, ""),
            )
        ),
        source=Source(SCPA, 2, 1),
    ),
    model.DataAccessRequest(
        id="xyz/child-protection-request",
        organization="scpa",
        purpose="Plan child protection services per site",
        datasets=("xyz/site-assessment",),
        indicators=("site-id", "district", "child-headed-households"),
        state=RequestState.APPROVED,
        requested_on=date(2026, 9, 1),
        decided_on=date(2026, 9, 20),
        validity=Validity(date(2026, 10, 1), date(2027, 9, 30)),
        source=Source(REQUEST, 2, 1),
    ),
    model.DataAccessRequest(
        id="xyz/old",
        organization="scpa",
        purpose="x",
        datasets=("xyz/site-assessment",),
        indicators=("district",),
        state=RequestState.REFUSED,
        requested_on=date(2026, 1, 2),
        decided_on=date(2026, 2, 3),
        validity=None,
        source=Source("xyz/requests/old.yaml", 1, 1),
        reason="y",
    ),
    model.Agreement(
        id="xyz/child-protection",
        organization="scpa",
        request="xyz/child-protection-request",
        signed={"iom": "xyz/iom-primary", "scpa": "xyz/scpa-primary"},
        validity=Validity(date(2026, 10, 1), date(2027, 9, 30)),
        pathways=(
            model.Pathway(
                id="xyz/child-protection/low",
                urgency=Urgency.LOW,
                monthly=True,
                within_days=None,
                shares=(
                    model.Share(
                        "xyz/site-assessment",
                        ("site-id", "district", "child-headed-households"),
                        Source(AGREEMENT, 13, 9),
                    ),
                ),
                destination=("xyz/scpa-primary",),
                method=Method.EXCEL_EMAIL,
                source=Source(AGREEMENT, 10, 5),
            ),
            model.Pathway(
                id="xyz/child-protection/medium",
                urgency=Urgency.MEDIUM,
                monthly=False,
                within_days=2,
                shares=(
                    model.Share(
                        "xyz/site-assessment",
                        ("site-id", "child-headed-households"),
                        Source(AGREEMENT, 20, 9),
                    ),
                ),
                destination=("xyz/scpa-primary", "xyz/scpa-secondary"),
                method=Method.DOCUMENT_EMAIL,
                source=Source(AGREEMENT, 17, 5),
            ),
        ),
        source=Source(AGREEMENT, 2, 1),
    ),
]
KEPT_IN = {
    model.Protocol: "protocols",
    model.Indicator: "indicators",
    model.Relation: "relations",
    model.Operation: "operations",
    model.Overlay: "overlays",
    model.Waiver: "waivers",
    model.Dataset: "datasets",
    model.Assessment: "assessments",
    model.Organization: "organizations",
    model.DataAccessRequest: "requests",
    model.Agreement: "agreements",
}


@pytest.mark.parametrize("value", IN_FULL, ids=lambda value: type(value).__name__)
def test_a_file_becomes_a_value_that_says_the_same_and_where_it_stands(value):
    found = getattr(sample_policy(full_files()), KEPT_IN[type(value)])
    assert found[value.level if isinstance(value, model.Protocol) else value.id] == value


def test_a_policy_has_everything_by_its_id_and_its_files_in_order():
    made = full_files()
    found = sample_policy(dict(reversed(made.items())))
    assert list(found.files.items()) == sorted(made.items())
    assert found.digest == policy.digest(made)
    for name in KEPT_IN.values():
        kept = getattr(found, name)
        assert list(kept) == [each.level if name == "protocols" else each.id for each in kept.values()]
    assert list(found.organizations) == ["iom", "scpa"]
    assert list(found.focal_points.values()) == [
        person for each in found.organizations.values() for person in each.focal_points
    ]
    assert list(found.indicators)[:2] == ["contact-phone", "site-id"]  # in order of file
    assert found.indicators["idp-individuals"].additive


def test_levels_are_in_order_whatever_the_order_in_their_file():
    made = whole_files()
    head, *rows = made[CLASSIFICATION].decode().split("  - level: ")
    made[CLASSIFICATION] = (head + "".join("  - level: " + row for row in reversed(rows))).encode()
    made = patched(made, CONTACTS, "national: Secret, admin1: Secret", "admin1: Secret, national: Secret")
    found = sample_policy(made)
    assert list(found.protocols) == [Level.PUBLIC, Level.CONFIDENTIAL, Level.SECRET]
    assert list(found.indicators["contact-phone"].levels) == list(Grain)


# ------------------------------------------------------------------------- shapes, as the models say


class Crate(files.Part):
    noun = "a crate"
    of: Annotated[files.PersonRef | None, files.Names("crate")] = None
    sizes: dict[files.IndicatorRef, tuple[files.LevelWord, ...]] | None = None


class Shelf(files.Part):
    noun = "a shelf"
    kind: Literal["shelf"]
    crates: tuple[Crate, ...]
    first: Crate
    width: Annotated[int, Field(ge=1)] = 7
    row: Annotated[int, Field(ge=1)] | None = None


def shelf(content):
    return shape.document(texts.read("x.yaml", content), {"shelf": Shelf})


def test_what_is_below_an_annotation():
    assert shape.plain(Annotated[Annotated[int, "a"] | None, "b"]) is int
    assert shape.plain(shape.below(Annotated[Shelf | None, "a"], "first")) is Crate
    assert Field(ge=1).metadata[0] in get_args(shape.below(Shelf, "width"))
    assert [shape.below(tuple[int, ...], 3), shape.below(dict[int, str], "x")] == [int, str]


def test_marks_are_found_wherever_they_stand():
    content = b"kind: shelf\nfirst: {of: a}\ncrates:\n  - {sizes: {b: [Public, 2], c: []}}\n  - {of: 1}\n  - {of: d}\n"
    document, _ = shelf(content)
    place = ("crates", 0, "sizes")
    assert [
        (type(mark).__name__, getattr(mark, "kind", ""), *found) for mark, *found in document.marks()
    ] == [
        ("Names", "crate", ("first", "of"), "a"),
        ("Refers", "focal point", ("first", "of"), "a"),
        ("Refers", "indicator", (*place, "b", "[key]"), "b"),
        ("LevelMark", "", (*place, "b", 0), "Public"),
        ("Refers", "indicator", (*place, "c", "[key]"), "c"),
        ("Names", "crate", ("crates", 2, "of"), "d"),
        ("Refers", "focal point", ("crates", 2, "of"), "d"),
    ]
    assert (document.at("crates", 1), document.at()) == (Source("x.yaml", 5, 5), Source("x.yaml", 1, 1))


def test_of_a_file_that_does_not_fit_there_is_what_does():
    document, faults = shelf(b"kind: shelf\nfirst: {of: 1, sizes: {}}\ncrates: [{of: xyz/a}, x]\nrow: '3'\n")
    assert (len(faults), document.sound, document.kind, document.file) == (3, False, "shelf", "x.yaml")
    part = document.part
    assert (part.kind, part.width, part.row) == ("shelf", 7, None)
    assert (part.first.of, part.first.sizes) == (None, {})
    assert [each.of for each in part.crates] == ["xyz/a", None]
    assert isinstance(part.first, Crate)
    part = shelf(b"kind: shelf\ncrates: x\nwidth: 8\n")[0].part
    assert (part.width, part.crates, part.first.of) == (8, None, None)


def test_a_key_may_be_written_as_the_mark_of_a_key():
    _, faults = shelf(b"kind: shelf\nfirst: {'[key]': 1, sizes: {'[key]': []}}\ncrates: []\n'[key]': 1\n")
    assert sorted(map(str, faults)) == [
        "x.yaml:2:29: '[key]' is not an id here; use small letters, digits and single hyphens, as in site-type",
        "x.yaml:2:9: '[key]' is not a key of a crate",
        "x.yaml:4:1: '[key]' is not a key of a shelf",
    ]


def test_of_a_sound_file_there_is_the_whole():
    document, faults = shelf(b"kind: shelf\nfirst: {}\ncrates: []\nrow: 3\n")
    assert (faults, document.sound, document.part) == (
        [],
        True,
        Shelf(kind="shelf", first=Crate(), crates=(), row=3),
    )
