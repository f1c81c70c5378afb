"""The sample country as it stands in ``policies/``: complete, in force, and as strict as its reasons."""

import csv
import os
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from dtm_sharing.demo.dates import SAMPLE_DATE
from dtm_sharing.demo.sample import DATASET, POLICIES
from dtm_sharing.model import Grain, Level, RequestState, Role, Urgency
from dtm_sharing.stores.policies import read_policies

REAL_DATA = Path(os.environ.get("DTM_REAL_DATA", POLICIES.parent.parent / "shared" / "data"))
REAL_ROUND = REAL_DATA / "nepal_dtm_2015" / "CCCM_Nepal_DTM_R2.csv"
FILES = sorted(path for path in POLICIES.rglob("*.yaml"))
TEN_MONTHS_LATER = date(2027, 9, 1)

# What the guideline, or a careful reading of it, does not let out of the sites of any country.
NOT_PUBLIC_AT_SITE = (
    "barriers-to-return",
    "child-friendly-spaces",
    "child-headed-households",
    "chronic-illness",
    "discrimination",
    "feelings-of-safety",
    "gbv-referral-mechanism",
    "identity-documentation",
    "marginalized-caste-or-ethnicity",
    "menstruation-segregation",
    "movement-intentions",
    "persons-with-disabilities",
    "pregnant-women",
    "protection-support",
    "recruiters",
    "security-actor",
    "security-incident-types",
    "security-incidents",
    "security-presence",
    "site-management-agency-name",
    "site-management-agency-type",
    "women-friendly-spaces",
)
PUBLIC_AT_SITE = (
    "admin2",
    "drinking-water-source",
    "functioning-toilets",
    "households-in-tents",
    "idp-females",
    "idp-households",
    "idp-individuals",
    "idp-males",
    "latrine-condition",
    "most-needed-items",
    "site-gps",
    "site-id",
    "site-name",
    "site-type",
)


@pytest.fixture(scope="module")
def policy():
    return read_policies(POLICIES)


@pytest.fixture(scope="module")
def dataset(policy):
    return policy.datasets[DATASET]


def test_the_questionnaire_has_180_columns_and_each_has_an_indicator_with_a_level_at_site(policy, dataset):
    assert sum(1 + len(column.continued_by) for column in dataset.columns) == 180
    unleveled = {
        column.indicator
        for column in dataset.columns
        if Grain.SITE not in policy.indicators[column.indicator].levels
    }
    assert unleveled == set()


@pytest.mark.real_data
@pytest.mark.skipif(not REAL_ROUND.exists(), reason=f"the real Nepal file is not at {REAL_ROUND}")
def test_the_headers_of_the_real_file_are_the_declared_columns_one_to_one_in_order(dataset):
    with REAL_ROUND.open(encoding=dataset.encoding, newline="") as file:
        headers = [cell.strip() for cell in list(csv.reader(file))[dataset.header_row - 1]]
    declared = [
        texts
        for column in dataset.columns
        for texts in ({column.name, *column.spellings}, *({each} for each in column.continued_by))
    ]
    assert len(headers) == len(declared) == 180
    assert [header for header, texts in zip(headers, declared, strict=True) if header not in texts] == []


def test_a_lost_ellipsis_is_a_spelling_and_not_a_name(dataset):
    spelled = [column for column in dataset.columns if column.spellings]
    assert [column.indicator for column in spelled] == ["access-to-food", "site-lighting"]
    for column in spelled:
        assert column.spellings == (column.name.replace("…", "\ufffd"),)
        assert column.name.endswith("…)")


def test_what_repeats_in_the_file_is_a_continuation(dataset):
    names = [column.name for column in dataset.columns]
    assert len(set(names)) == len(names)
    continued = {text for column in dataset.columns for text in column.continued_by}
    assert "If other, please specify" in continued
    assert "If yes who provides the service?" in continued
    assert not continued & set(names)


@pytest.mark.parametrize("indicator", NOT_PUBLIC_AT_SITE)
def test_protection_data_per_site_are_confidential(policy, indicator):
    assert policy.indicators[indicator].levels[Grain.SITE] is Level.CONFIDENTIAL


@pytest.mark.parametrize("indicator", PUBLIC_AT_SITE)
def test_totals_and_services_per_site_are_public(policy, indicator):
    assert policy.indicators[indicator].levels[Grain.SITE] is Level.PUBLIC


@pytest.mark.parametrize("family", ["contacts", "identity"])
def test_people_are_secret_at_every_grain(policy, family):
    levels = [each.levels for each in policy.indicators.values() if each.family == family]
    assert levels
    assert all(each == dict.fromkeys(Grain, Level.SECRET) for each in levels)


def test_secret_columns_are_exactly_those_dropped_at_collection(policy, dataset):
    secret = {
        column.name
        for column in dataset.columns
        if policy.indicators[column.indicator].levels[Grain.SITE] is Level.SECRET
    }
    assert secret == set(dataset.drop_at_collection)
    assert len(secret) == 4


def test_a_finer_grain_is_never_less_sensitive_than_a_coarser_one(policy):
    order = list(Grain)
    for indicator in policy.indicators.values():
        levels = [indicator.levels[grain] for grain in order if grain in indicator.levels]
        assert levels == sorted(levels), indicator.id


def test_no_answer_of_a_household_or_a_person_is_public(policy):
    for indicator in policy.indicators.values():
        assert indicator.levels[Grain.HOUSEHOLD] > Level.PUBLIC, indicator.id
        assert indicator.levels[Grain.INDIVIDUAL] > Level.PUBLIC, indicator.id
        assert indicator.levels[Grain.INCIDENT] is Level.SECRET, indicator.id


def test_a_national_aggregate_of_a_protection_indicator_is_public(policy):
    # Table A's own pair: unaccompanied children, nationally and per site.
    levels = policy.indicators["child-headed-households"].levels
    assert (levels[Grain.NATIONAL], levels[Grain.SITE]) == (Level.PUBLIC, Level.CONFIDENTIAL)


def test_every_basis_says_whether_it_is_table_a_or_a_judgement(policy):
    unsaid = [
        each.id
        for each in policy.indicators.values()
        if "Table A" not in each.basis and "judgement" not in each.basis.lower()
    ]
    assert unsaid == []


def test_every_overlay_really_tightens(policy):
    tightenings = [each for it in policy.overlays.values() for each in it.tightens]
    tightenings += [each for it in policy.assessments.values() for each in it.levels]
    assert len(tightenings) == 20
    for each in tightenings:
        assert each.level > policy.indicators[each.indicator].levels[each.grain]


def test_the_relation_has_its_effect_where_both_are_public_alone(policy):
    relation = policy.relations["safety-and-armed-actors"]
    for indicator in ("feelings-of-safety", "security-actor"):
        assert policy.indicators[indicator].levels[Grain.ADMIN2] is Level.PUBLIC
    assert relation.level is Level.CONFIDENTIAL
    assert relation.joins({"admin2", "feelings-of-safety"}, {"admin2", "security-actor"})
    assert Grain.ADMIN2 in relation.grains
    assert Grain.NATIONAL not in relation.grains


def test_ages_and_ethnicity_by_site_are_for_nobody_together_and_for_an_agency_alone(policy):
    relation = policy.relations["ages-and-ethnicity"]
    assert relation.level is Level.SECRET
    assert {*relation.grains} == {Grain.SITE, Grain.HOUSEHOLD, Grain.INDIVIDUAL}
    ages, ethnicity = {"site-id", "idp-males-by-age"}, {"site-id", "marginalized-caste-or-ethnicity"}
    assert relation.joins(ages, ethnicity)
    assert not relation.joins(ages - {"site-id"}, ethnicity)
    assert relation.holds(Grain.SITE, ages | ethnicity)
    assert not any(relation.holds(Grain.SITE, each) for each in (ages, ethnicity))
    for each in ages | ethnicity:
        assert policy.indicators[each].levels[Grain.SITE] < Level.SECRET


def test_barriers_beside_the_place_of_origin_are_not_for_the_public_where_both_alone_are(policy):
    relation = policy.relations["barriers-and-origin"]
    for indicator in ("barriers-to-return", "idp-origin-admin1"):
        assert policy.indicators[indicator].levels[Grain.ADMIN1] is Level.PUBLIC
    assert relation.holds(Grain.ADMIN1, {"barriers-to-return", "idp-origin-admin1"})
    assert relation.level is Level.CONFIDENTIAL


def test_what_joins_tables_tells_their_rows_apart(policy):
    """A key that identifies nothing would join everything."""
    for relation in policy.relations.values():
        assert relation.keys
        assert all(policy.indicators[each].identifies for each in relation.keys), relation.id


def test_what_adds_up_are_counts_of_people_households_and_places(policy):
    added = {each.id for each in policy.indicators.values() if each.additive}
    assert {policy.indicators[each].family for each in added} == {
        "demographics",
        "protection",
        "vulnerable-groups",
        "wash",
    }
    assert not {each for each in added if "Share of" in policy.indicators[each].title}
    assert {"idp-individuals", "child-headed-households", "functioning-toilets"} <= added


@pytest.mark.parametrize("context", ["conflict", "mixed"])
def test_in_a_conflict_the_sites_are_not_on_the_map(policy, context):
    overlay, operation = policy.overlays["conflict"], policy.operations["npl/earthquake"]
    assert not overlay.holds(operation, SAMPLE_DATE)
    assert overlay.holds(replace(operation, context=context), SAMPLE_DATE)
    assert ("site-gps", Grain.SITE) in {(each.indicator, each.grain) for each in overlay.tightens}


def test_the_assessment_was_made_in_the_context_of_today(policy):
    for each in policy.assessments.values():
        assert each.context == policy.operations[each.operation].context


@pytest.mark.parametrize("day", [SAMPLE_DATE, date(2026, 11, 22), TEN_MONTHS_LATER])
def test_everything_is_in_force_for_ten_months_from_the_sample_date(policy, day):
    (assessment,) = policy.assessments.values()
    (request,) = policy.requests.values()
    (agreement,) = policy.agreements.values()
    (operation,) = policy.operations.values()
    assert assessment.assessed_on < assessment.collection_begins <= day <= assessment.review_by
    assert request.state is RequestState.APPROVED
    spans = [request.validity, agreement.validity, operation.validity]
    spans += [each.in_office for each in policy.focal_points.values()]
    assert all(span.covers(day) for span in spans)


def test_an_assessment_is_reviewed_within_a_year(policy):
    for each in policy.assessments.values():
        assert (each.review_by - each.assessed_on).days <= 366


def test_each_organization_names_a_primary_and_a_secondary(policy):
    for organization in policy.organizations.values():
        roles = [each.role for each in organization.focal_points]
        assert roles.count(Role.PRIMARY) == roles.count(Role.SECONDARY) == 1, organization.id


def test_no_address_or_number_reaches_anybody(policy):
    for each in policy.focal_points.values():
        assert each.email.endswith("@example.org")
        assert each.mobile.startswith("+000 ")
        assert each.name == ""


def test_the_pathways_share_confidential_data_without_safety_and_security(policy):
    agreement = policy.agreements["npl/child-protection"]
    low, medium = agreement.pathway(Urgency.LOW), agreement.pathway(Urgency.MEDIUM)
    assert low.monthly
    assert medium.within_days == 2
    for pathway in (low, medium):
        shared = {indicator for share in pathway.shares for indicator in share.indicators}
        levels = {policy.indicators[each].levels[Grain.SITE] for each in shared}
        assert max(levels) is Level.CONFIDENTIAL
        assert not any("safety" in each or "security" in each for each in shared)
    assert (low.method, low.destination) == ("excel-email", ("npl/scpa-primary",))
    assert (medium.method, medium.destination) == (
        "document-email",
        ("npl/scpa-primary", "npl/scpa-secondary"),
    )


def test_the_request_asks_for_no_more_than_the_agreement_shares(policy):
    agreement = policy.agreements["npl/child-protection"]
    shared = {each for pathway in agreement.pathways for share in pathway.shares for each in share.indicators}
    assert shared == set(policy.requests[agreement.request].indicators)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(POLICIES)))
def test_the_first_line_names_the_schema_of_the_kind(path):
    first, *lines = path.read_text("utf-8").splitlines()
    kind = next(line.removeprefix("kind: ") for line in lines if line.startswith("kind: "))
    schema = first.removeprefix("# yaml-language-server: $schema=")
    assert (path.parent / schema).resolve() == POLICIES / "schemas" / f"{kind}.schema.json"
