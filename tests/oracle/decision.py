"""The decision, a second time, by brute force: written from the guideline and the design alone.

It exists to be compared with the engine, so it shares nothing with it: no function of ``classify`` or
``gate``, and of the model's values the fields only, none of their methods. It looks for nothing clever. Every
rule is written out where it is asked, each set is walked through, each sentence of the design stands beside
the lines that it became. Slow, and meant to be.

It answers less than the engine: outcome, level and waivers per column, which columns are refused, which kinds
of things are missing, and until when the answer holds. No sentences, no forms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from dtm_sharing.model import Audience, Holding, Policy, TableProfile

FROM_THE_COARSEST = (
    "national",
    "admin1",
    "admin2",
    "admin3",
    "site",
    "household",
    "individual",
    "incident",
)
Gaps = set[tuple[str, str | None]]  # kind of what is missing, key of the column
STRICTNESS = {"PUBLIC": 1, "CONFIDENTIAL": 2, "SECRET": 3}


@dataclass(frozen=True)
class Answer:
    outcome: str  # allow, deny or undecided
    levels: dict[str, str | None]  # key of the column -> PUBLIC, CONFIDENTIAL, SECRET, or None: undecided
    refused: frozenset[str]  # keys of columns
    gaps: frozenset[tuple[str, str | None]]  # kind of what is missing, key of the column
    rules: dict[str, frozenset[tuple[str, str, str | None]]]  # key -> (rule, level that it asks, waiver)
    waivers: frozenset[str]
    grain: str
    notices: frozenset[tuple[str, date]]


def decide(
    policy: Policy,
    table: TableProfile,
    audience: Audience,
    held: Sequence[Holding] | None,
    day: date,
) -> Answer:
    """The answer for one table. The policy must have the dataset, and the agreement with that urgency."""
    dataset = policy.datasets[table.dataset]
    operation = policy.operations[dataset.operation]
    grains = span(str(table.aggregated_to or dataset.grain), [str(each.grain) for each in table.evidence])
    grain = grains[-1]
    indicator_of = {header.key: indicator_of_header(dataset, header, policy) for header in table.headers}
    in_table = {each for each in indicator_of.values() if each is not None}

    # Contextual and temporal: what may be relied upon today. Another context, another assessment; what the
    # earlier one tightened still counts, because nothing that is missing lowers a level.
    assessments = [
        each
        for each in policy.assessments.values()
        if dataset.id in each.datasets and each.assessed_on <= day and day <= each.review_by
    ]
    newest = newest_assessments(policy, dataset, operation, day)
    relied_upon = [each for each in assessments if each.context == operation.context]
    if any(each.review_by < day for each in newest):
        relied_upon = []  # an older one, still in time, knows nothing of what the newest found
    waivers = [each for each in policy.waivers.values() if waiver_in_force(policy, each, dataset, day)]
    gaps = gaps_of_assessments(policy, dataset, [] if newest else assessments, relied_upon, day)
    unassessed = len(gaps) > 0
    gaps |= gaps_of_table(dataset, operation, table, day)

    rules: dict[str, frozenset[tuple[str, str, str | None]]] = {}
    levels: dict[str, str | None] = {}
    for header in table.headers:
        indicator = indicator_of[header.key]
        missing = unknown(policy, indicator, grain)
        if missing is not None:
            gaps.add((missing, header.key))
        asked = set()
        for each in grains if indicator is not None else ():
            asked |= own_rules(policy, indicator, each)
            asked |= overlay_rules(policy, operation, day, indicator, each)
            asked |= assessment_rules(assessments, indicator, each)
        asked -= no_more_than_its_own_grain(asked, indicator, grain, waivers)
        relaxed = {relax(rule, level, waivers) for rule, level in asked}
        relaxed |= relation_rules(policy, indicator, in_table, grains, held or (), dataset, day, audience)
        rules[header.key] = frozenset(relaxed)
        strictest = max((level for _, level, _ in relaxed), key=STRICTNESS.__getitem__, default=None)
        # What a rule calls Secret stays Secret: nothing that is missing could lower it.
        undecided = (unassessed or missing is not None) and strictest != "SECRET"
        levels[header.key] = None if undecided else strictest

    gaps |= gaps_of_holdings(policy, in_table, grains, held, dataset, day)
    if audience.agreement is None:
        refused = {key for key, level in levels.items() if level in ("CONFIDENTIAL", "SECRET")}
    else:
        agreement = policy.agreements[audience.agreement]
        pathway = pathway_of(agreement, audience)
        agreed = listed(pathway, dataset)
        questions = {indicator_of[header.key] for header in table.headers if header.question is None}
        gaps |= gaps_of_paper(policy, agreement, day)
        gaps |= gaps_of_practice(policy, agreement, pathway, table, agreed, questions, day)
        refused = not_for_the_partner(policy, agreement, agreed, dataset, indicator_of, levels)

    touched = {waiver for found in rules.values() for _, _, waiver in found if waiver is not None}
    outcome = "undecided" if gaps else "deny" if refused else "allow"
    return Answer(
        outcome,
        levels,
        frozenset(refused),
        frozenset(gaps),
        rules,
        frozenset(touched),
        grain,
        frozenset(notices(relied_upon, waivers, touched, day)),
    )


def span(declared: str, found: Sequence[str]) -> list[str]:
    """From the declared grain to the finest that the data show, the table's own, which stands last.

    Where they disagree the finer one counts; and what is found raises, never lowers, so what the coarser ones
    on the way ask for counts as well.
    """
    first = FROM_THE_COARSEST.index(declared)
    last = max([first, *(FROM_THE_COARSEST.index(each) for each in found)])
    return list(FROM_THE_COARSEST[first : last + 1])


def gaps_of_table(dataset: Any, operation: Any, table: TableProfile, day: date) -> Gaps:
    """Nothing declared means nothing leaves; nor does a table of which nothing was evaluated."""
    gaps: Gaps = set()
    if not within(operation.validity, day):
        gaps.add(("operation-not-valid", None))
    if len(table.headers) == 0:
        gaps.add(("no-columns", None))
    if table.rows < 1:
        gaps.add(("empty-table", None))
    if table.whole:
        gaps |= {("absent-column", key) for key in absent(dataset, table)}
    return gaps


def unknown(policy: Policy, indicator: str | None, grain: str) -> str | None:
    """What is not known of a column by itself."""
    if indicator is None:
        return "unknown-column"
    if grain not in [str(each) for each in policy.indicators[indicator].levels]:
        return "no-level"
    return None


def within(validity: Any, day: date) -> bool:
    """Both ends are included; no end means until it is revoked."""
    return validity.start <= day and (validity.until is None or day <= validity.until)


def indicator_of_header(dataset: Any, header: Any, policy: Policy) -> str | None:
    """A header is known by its own name, or as a continuation of the question that it stands after."""
    for column in dataset.columns:
        own = header.question is None and header.name == column.name
        continuation = header.question == column.name and header.name in column.continued_by
        if (own or continuation) and column.indicator in policy.indicators:
            return str(column.indicator)
    return None


def absent(dataset: Any, table: TableProfile) -> set[str]:
    """A table that claims to be whole has every declared column, but those dropped at collection."""
    there = {header.key for header in table.headers}
    declared = set()
    for column in dataset.columns:
        if column.name not in dataset.drop_at_collection:
            declared.add(column.name)
            for continuation in column.continued_by:
                declared.add(f"{column.name}: {continuation}")
    return declared - there


# ------------------------------------------------------------------------------ what raises, what relaxes


def own_rules(policy: Policy, indicator: Any, grain: str) -> set[tuple[str, str]]:
    base = policy.indicators[indicator].levels
    return {(f"indicator:{indicator}@{grain}", base[each].name) for each in base if str(each) == grain}


def no_more_than_its_own_grain(
    asked: set[tuple[str, str]], indicator: Any, grain: str, waivers: Sequence[Any]
) -> set[tuple[str, str]]:
    """What an indicator asks for by a coarser grain is worth saying where it is more: no level changes."""
    own = f"indicator:{indicator}@{grain}"
    least = max([STRICTNESS[relax(*each, waivers)[1]] for each in asked if each[0] == own], default=1)
    return {
        (rule, level)
        for rule, level in asked
        if rule.startswith("indicator:") and rule != own and STRICTNESS[level] <= least
    }


def overlay_rules(
    policy: Policy, operation: Any, day: date, indicator: Any, grain: str
) -> set[tuple[str, str]]:
    """An overlay holds in its place and time, and brings all that it builds on, wherever that holds."""
    asked = set()
    for overlay in policy.overlays.values():
        here = (
            (len(overlay.countries) == 0 or operation.country in overlay.countries)
            and (len(overlay.operations) == 0 or operation.id in overlay.operations)
            and (len(overlay.contexts) == 0 or operation.context in overlay.contexts)
        )
        if not here or not within(overlay.validity, day):
            continue
        brought = {overlay.id}
        for _ in policy.overlays:  # as many rounds as there are overlays reach everything
            for each in list(brought):
                brought |= set(policy.overlays[each].builds_on)
        for each in brought:
            for tightening in policy.overlays[each].tightens:
                if tightening.indicator == indicator and str(tightening.grain) == grain:
                    named = overlay.id if each == overlay.id else f"{overlay.id}+{each}"
                    asked.add((f"overlay:{named}/{indicator}@{grain}", tightening.level.name))
    return asked


def assessment_rules(assessments: Sequence[Any], indicator: Any, grain: str) -> set[tuple[str, str]]:
    return {
        (f"assessment:{each.id}/{indicator}@{grain}", tightening.level.name)
        for each in assessments
        for tightening in each.levels
        if tightening.indicator == indicator and str(tightening.grain) == grain
    }


def relation_rules(
    policy: Policy,
    indicator: str | None,
    in_table: set[str],
    grains: Sequence[str],
    held: Sequence[Holding],
    dataset: Any,
    day: date,
    audience: Audience,
) -> set[tuple[str, str, str | None]]:
    """Together more sensitive than alone: in this table, and beside what the audience already has."""
    asked: set[tuple[str, str, str | None]] = set()
    for relation in policy.relations.values():
        # Whoever has a finer table can sum it up; a coarser one says nothing of what the relation is about.
        as_fine = any(not_finer(each, grains[-1]) for each in relation.grains)
        own = groups_of(relation, in_table) if as_fine else set()
        if len(own) == 0 and indicator in relation.keys:
            asked |= leads_from_one_to_another(policy, relation, in_table, held, dataset, day, audience)
        if len(own) == 0 or not any(indicator in group for group in relation.groups):
            continue
        alone = None
        if complete(relation, in_table):
            alone = relax_together(policy, relation, [dataset.id], dataset, day)
            asked.add(alone)
        for theirs in each_readers_tables(relation, held, audience):
            told = told_beside(relation, in_table, theirs, dataset)
            # Those that have a part in it: with them and the table, more than one group is there.
            part = [each for each in told if len(own | groups_of(relation, set(each.indicators))) > 1]
            together = set(in_table)
            for each in told:
                together |= set(each.indicators)
            if part and complete(relation, together):
                found = relax_beside(policy, relation, in_table, theirs, dataset, day)
                if alone is None or STRICTNESS[found[1]] > STRICTNESS[alone[1]]:
                    asked.add(found)
    return asked


def leads_from_one_to_another(
    policy: Policy,
    relation: Any,
    in_table: set[str],
    held: Sequence[Holding],
    dataset: Any,
    day: date,
    audience: Audience,
) -> set[tuple[str, str, str | None]]:
    """A table that says nothing of the groups itself, and joins tables that could not be joined before."""
    asked: set[tuple[str, str, str | None]] = set()
    mine = {each for each in relation.keys if each in in_table}
    for theirs in each_readers_tables(relation, held, audience):
        told = told_beside(relation, mine, theirs, dataset)
        all_of_it = complete(relation, {one for each in told for one in each.indicators})
        # By one of its keys alone they have the very same tables: then this one joins nothing new.
        for_nothing = any(told_beside(relation, {key}, theirs, dataset) == told for key in mine)
        if len(mine) > 1 and all_of_it and not for_nothing:
            asked.add(relax_beside(policy, relation, mine, theirs, dataset, day))
    return asked


def told_beside(
    relation: Any, in_table: set[str], theirs: Sequence[Holding], dataset: Any, ways: Any = None
) -> list[Holding]:
    """What can be put beside a table and says something of the groups; ``ways``: by way of these tables."""
    keys = keys_in_reach(relation, in_table, theirs if ways is None else ways, dataset)
    beside = [each for each in theirs if joined(relation, keys, each, dataset)]
    return [each for each in beside if groups_of(relation, set(each.indicators))]


def relax_beside(
    policy: Policy,
    relation: Any,
    in_table: set[str],
    theirs: Sequence[Holding],
    dataset: Any,
    day: date,
) -> tuple[str, str, str | None]:
    """What several tables say together is waived only where the waiver is for each of them, and for those
    that lead from one to another, unless all are reached without these.
    """
    told = told_beside(relation, in_table, theirs, dataset)
    waivers = []
    for waiver in policy.waivers.values():

        def is_for(id_: str, waiver: Any = waiver) -> bool:
            return id_ in policy.datasets and waiver_in_force(policy, waiver, policy.datasets[id_], day)

        ways = [each for each in theirs if is_for(each.dataset)]
        if (
            all(is_for(each.dataset) for each in told)
            and is_for(dataset.id)
            and told_beside(relation, in_table, theirs, dataset, ways) == told
        ):
            waivers.append(waiver)
    return relax(f"relation:{relation.id}", relation.level.name, waivers)


def each_readers_tables(relation: Any, held: Sequence[Holding], audience: Audience) -> list[list[Holding]]:
    """Who would read the table, and beside what: an organization, all that is given; the public, what is
    public; and what is public each organization reads too, beside what it was sent under its agreement.
    """
    if audience.agreement is not None:
        return [list(held)]
    public = [each for each in held if each.holder == "public"]
    if relation.level.name != "SECRET":
        return [public]
    organizations = {each.holder for each in held} - {"public"}
    return [public, *([each for each in held if each.holder in ("public", one)] for one in organizations)]


def keys_in_reach(relation: Any, in_table: set[str], theirs: Sequence[Holding], dataset: Any) -> set[str]:
    """The table's keys, and those that stand beside one of them in any table of the country, and so on."""
    keys = {each for each in relation.keys if each in in_table}
    for _ in relation.keys:
        for holding in theirs:
            if holding.dataset.split("/")[0] == dataset.id.split("/")[0]:
                also = {each for each in relation.keys if each in holding.indicators}
                if keys & also:
                    keys |= also
    return keys


def groups_of(relation: Any, indicators: set[str]) -> set[int]:
    return {
        number
        for number, group in enumerate(relation.groups)
        if any(indicator in group for indicator in indicators)
    }


def complete(relation: Any, indicators: set[str]) -> bool:
    return len(groups_of(relation, indicators)) == len(relation.groups)


def joined(relation: Any, keys: set[str], holding: Holding, dataset: Any) -> bool:
    """A table of the same country, at a grain of the relation or finer, that one of its keys leads to."""
    same_country = holding.dataset.split("/")[0] == dataset.id.split("/")[0]
    share_a_key = len(relation.keys) == 0 or any(
        key in keys and key in holding.indicators for key in relation.keys
    )
    as_fine = any(not_finer(each, holding.grain) for each in relation.grains)
    return same_country and as_fine and share_a_key


def not_finer(grain: Any, than: Any) -> bool:
    return FROM_THE_COARSEST.index(str(grain)) <= FROM_THE_COARSEST.index(str(than))


def relax_together(
    policy: Policy, relation: Any, datasets: Sequence[str], dataset: Any, day: date
) -> tuple[str, str, str | None]:
    """What several tables say together is waived only where the waiver is for each of them."""
    waivers = [
        waiver
        for waiver in policy.waivers.values()
        if all(
            each in policy.datasets and waiver_in_force(policy, waiver, policy.datasets[each], day)
            for each in datasets
        )
    ]
    return relax(f"relation:{relation.id}", relation.level.name, waivers)


def relax(rule: str, level: str, waivers: Sequence[Any]) -> tuple[str, str, str | None]:
    """A waiver names the rule, and never one that asks for Secret; it never raises."""
    for waiver in waivers:
        lower = STRICTNESS[waiver.level.name] < STRICTNESS[level]
        if rule in waiver.relaxes and level != "SECRET" and lower:
            return rule, waiver.level.name, waiver.id
    return rule, level, None


def waiver_in_force(policy: Policy, waiver: Any, dataset: Any, day: date) -> bool:
    """Dated, expiring, and signed by two people who were in office when they signed."""
    signers = (waiver.coordinator, waiver.sectoral_expert)
    signed = signers[0] != signers[1] and all(
        within(policy.focal_points[each].in_office, waiver.signed_on) for each in signers
    )
    return (
        signed
        and waiver.operation == dataset.operation
        and (len(waiver.datasets) == 0 or dataset.id in waiver.datasets)
        and waiver.signed_on <= day
        and within(waiver.validity, day)
    )


# ------------------------------------------------------------------------------------------- what is missing


def newest_assessments(policy: Policy, dataset: Any, operation: Any, day: date) -> list[Any]:
    """Those of the last day on which anybody assessed the dataset in the context that it is in today."""
    here = [
        each
        for each in policy.assessments.values()
        if dataset.id in each.datasets and each.context == operation.context and each.assessed_on <= day
    ]
    return [each for each in here if all(other.assessed_on <= each.assessed_on for other in here)]


def gaps_of_assessments(
    policy: Policy, dataset: Any, in_time: Sequence[Any], relied_upon: Sequence[Any], day: date
) -> Gaps:
    """Past the review date, what an assessment covered is undecided; so it is in another context."""
    gaps: Gaps = set()
    for each in relied_upon:
        for person in (each.coordinator, each.sectoral_expert):
            if not within(policy.focal_points[person].in_office, each.assessed_on):
                gaps.add(("assessor-not-in-office", None))
    if relied_upon:
        return gaps
    ever = [each for each in policy.assessments.values() if dataset.id in each.datasets]
    if in_time:
        gaps.add(("context-changed", None))
    elif any(each.review_by < day for each in ever):
        gaps.add(("lapsed-assessment", None))
    elif ever:
        gaps.add(("assessment-not-made", None))
    else:
        gaps.add(("no-assessment", None))
    return gaps


def gaps_of_holdings(
    policy: Policy,
    in_table: set[str],
    grains: Sequence[str],
    held: Sequence[Holding] | None,
    dataset: Any,
    day: date,
) -> Gaps:
    """Nobody knows what the audience holds, or what something that it holds means."""
    gaps: Gaps = set()
    for relation in policy.relations.values():
        as_fine = any(not_finer(each, grains[-1]) for each in relation.grains)
        leads = sum(each in in_table for each in relation.keys) > 1
        if not leads and not (as_fine and groups_of(relation, in_table)):
            continue
        if held is None:
            alone = relax_together(policy, relation, [dataset.id], dataset, day)
            # Where it holds in full in the table itself, nothing that is held could add to it.
            if not complete(relation, in_table) or alone[2] is not None:
                gaps.add(("holdings-unknown", None))
            continue
        for holding in held:
            strange = [each for each in holding.indicators if each not in policy.indicators]
            same_country = holding.dataset.split("/")[0] == dataset.id.split("/")[0]
            at_least_as_fine = any(not_finer(each, holding.grain) for each in relation.grains)
            a_key_perhaps = len(relation.keys) > 1  # then it leads to other tables, at whatever grain
            if strange and same_country and (at_least_as_fine or a_key_perhaps):
                gaps.add(("holding-unknown-indicator", None))
    return gaps


def gaps_of_paper(policy: Policy, agreement: Any, day: date) -> Gaps:
    """An extract leaves only under an agreement in force, signed by both sides, for an approved request."""
    gaps: Gaps = set()
    if not within(agreement.validity, day):
        gaps.add(("agreement-not-in-force", None))
    for side in ("iom", agreement.organization):
        signer = policy.focal_points.get(agreement.signed.get(side))
        in_office = signer is not None and within(signer.in_office, agreement.validity.start)
        if signer is None or signer.organization != side or not in_office:
            gaps.add(("agreement-not-signed", None))
    request = policy.requests[agreement.request]
    if str(request.state) not in ("refused", "revoked"):  # those are no gap: somebody said no
        approved = str(request.state) == "approved" and request.validity is not None
        if not approved or request.decided_on is None or request.decided_on > day:
            gaps.add(("request-not-approved", None))
        elif not within(request.validity, day):
            gaps.add(("request-not-valid", None))
    return gaps


def gaps_of_practice(
    policy: Policy,
    agreement: Any,
    pathway: Any,
    table: TableProfile,
    agreed: set[str],
    there: set[Any],
    day: date,
) -> Gaps:
    """Low urgency needs stage cleaned; somebody in office receives it, by a method that exists, and whole."""
    gaps: Gaps = set()
    if str(pathway.urgency) == "low" and str(table.stage) != "cleaned":
        gaps.add(("stage-not-reached" if table.stage else "stage-unknown", None))
    named = [policy.focal_points[each] for each in pathway.destination]
    stand_ins = [
        each
        for each in policy.focal_points.values()
        if each.organization == agreement.organization and str(each.role) == "secondary"
    ]
    if not any(within(each.in_office, day) for each in [*named, *stand_ins]):
        gaps.add(("no-focal-point", None))
    if str(pathway.method) not in ("excel-email", "document-email"):  # what there is a channel for
        gaps.add(("no-channel", None))
    if agreed - there:
        gaps.add(("agreed-indicator-absent", None))
    return gaps


def pathway_of(agreement: Any, audience: Audience) -> Any:
    [pathway] = [each for each in agreement.pathways if each.urgency == audience.urgency]
    return pathway


def listed(pathway: Any, dataset: Any) -> set[str]:
    return {
        indicator for share in pathway.shares if share.dataset == dataset.id for indicator in share.indicators
    }


# ---------------------------------------------------------------------------------------------- who may not


def not_for_the_partner(
    policy: Policy,
    agreement: Any,
    agreed: set[str],
    dataset: Any,
    indicator_of: dict[str, str | None],
    levels: dict[str, str | None],
) -> set[str]:
    """Secret enters no pathway; Table B is exact; the request covers it; nobody refused it."""
    request = policy.requests[agreement.request]
    refused = set()
    for key, indicator in indicator_of.items():
        secret = levels[key] == "SECRET"
        not_listed = indicator not in agreed
        not_asked_for = dataset.id not in request.datasets or indicator not in request.indicators
        said_no = str(request.state) in ("refused", "revoked")
        if secret or not_listed or not_asked_for or said_no:
            refused.add(key)
    return refused


def notices(
    relied_upon: Sequence[Any], waivers: Sequence[Any], touched: set[str], day: date
) -> set[tuple[str, date]]:
    """From thirty days before the end somebody is told: of the last assessment, and of each waiver used."""
    soon = day + timedelta(days=30)
    told = set()
    if relied_upon:
        made = max(each.assessed_on for each in relied_upon)
        last = min(each.review_by for each in relied_upon if each.assessed_on == made)
        if last <= soon:
            told.add(("assessment-lapses", last))
    for waiver in waivers:
        if waiver.id in touched and waiver.validity.until <= soon:
            told.add(("waiver-lapses", waiver.validity.until))
    return told
