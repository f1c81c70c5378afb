"""What a decision costs, against merely looking once at everything that it depends on.

    python -m tests.bench.deciding ARM FOLDER COLUMNS RULES AGREEMENTS DISCLOSURES

Each arm is a process of its own. It makes the same policy, table and holdings from the same seed, repeats
what it measures for a while, and tells the CPU seconds of one time.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from tests.bench.measure import Cost, Failed, in_rounds, ratio, run, table

LOOKING, READ, CLASSIFY, PUBLIC, PARTNER, FORMS, WORST = (
    "looking once",
    "read what is held from the ledger",
    "classify",
    "decide, public",
    "decide, partner",
    "decide, public, with forms",
    "decide, public, no two disclosures alike",
)
ARMS = (LOOKING, READ, CLASSIFY, PUBLIC, PARTNER, FORMS, WORST)
LONG_ENOUGH = 0.5  # CPU seconds over which one time is averaged
DAY = date(2026, 11, 22)


@dataclass(frozen=True, slots=True)
class Size:
    """``rules``: levels of indicators, relations, and what overlays and assessments tighten, together."""

    columns: int
    rules: int
    agreements: int
    disclosures: int

    def __str__(self) -> str:
        return f"{self.columns:,} x {self.rules:,} x {self.agreements:,} x {self.disclosures:,}"


def bench(
    folder: Path,
    sizes: Sequence[Size],
    rounds: int,
    rng: Random,
    show: Callable[[str], None],
) -> str:
    """Measure every size, and give the text to show."""
    rows: list[list[object]] = []
    first: dict[str, list[Cost]] = {}
    for size in sizes:
        show(f"{size}")
        here = folder / str(size.disclosures)
        here.mkdir(parents=True)
        _run("prepare", here, size)
        costs = in_rounds(rounds, {arm: partial(_run, arm, here, size) for arm in ARMS}, rng, show)
        first = first or costs
        for arm in ARMS:
            milliseconds = sorted(each.cpu for each in costs[arm])[rounds // 2] * 1000
            rows.append(
                [
                    str(size) if arm == LOOKING else "",
                    arm,
                    ratio(costs[arm], costs[LOOKING]),
                    ratio(costs[arm], first[arm]),
                    f"{milliseconds:.1f}",
                ]
            )
    heads = ["columns x rules x agreements x disclosures", "", "looking once = 1", "smallest = 1", "ms"]
    return f"Decisions\n\n{table(heads, rows)}"


def _run(arm: str, folder: Path, size: Size) -> Cost:
    numbers = (size.columns, size.rules, size.agreements, size.disclosures)
    whole = run(["-m", "tests.bench.deciding", arm, folder, *map(str, numbers)])
    return Cost(whole.told["cpu"], whole.wall, whole.peak, whole.told)


# ----------------------------------------------------------------------------------- what is decided upon


def make(size: Size, *, alike: bool) -> tuple[Any, Any, Any]:
    """A policy, a table and what the audience holds; all of one country, so nothing is easily put aside.

    ``alike``: the disclosures are rounds of some datasets, four for each agreement, as in practice.
    """
    from dtm_sharing.model import (
        Agreement,
        Assessment,
        Column,
        DataAccessRequest,
        Dataset,
        FocalPoint,
        Grain,
        Header,
        Holding,
        Indicator,
        Level,
        Method,
        Operation,
        Organization,
        Overlay,
        Pathway,
        Policy,
        Protocol,
        Relation,
        RequestState,
        Role,
        Share,
        Source,
        Stage,
        TableProfile,
        Tightening,
        Urgency,
        Validity,
    )

    rng = Random(2026)
    here, year = Source("bench.yaml", 1, 1), Validity(date(2026, 1, 1), date(2027, 12, 31))
    # Half of the rules are levels, a fifth relations, the rest what overlays and assessments tighten.
    indicators = [f"question-{number}" for number in range(size.rules // 2)]
    tighter = [
        Tightening(each, Grain.SITE, Level.CONFIDENTIAL, "context", here)
        for each in rng.sample(indicators, size.rules * 3 // 10)
    ]
    overlays = [
        Overlay(f"overlay-{n}", ("NPL",), (), (), year, (), tuple(tighter[n:-5:10]), "context", here)
        for n in range(10)
    ]
    relations = [
        Relation(
            f"relation-{number}",
            tuple((each,) for each in rng.sample(indicators, 2)),
            (Grain.SITE, Grain.ADMIN2),
            Level.CONFIDENTIAL,
            "together",
            here,
            tuple(rng.sample(indicators, 3)),
        )
        for number in range(size.rules // 5)
    ]
    columns = [
        Column(f"Question {number}", (), indicators[number % len(indicators)], (), here)
        for number in range(size.columns)
    ]
    people = {
        f"npl/{each}": FocalPoint(
            f"npl/{each}", each.split("-")[0], Role.PRIMARY, "Focal point", "x@example.org", "+0", year, here
        )
        for each in ("iom-1", "iom-2", *(f"org{n}-1" for n in range(size.agreements)))
    }
    organizations = {each.organization for each in people.values()}
    shared = tuple(indicators)
    policy = Policy(
        digest="sha256:00",
        protocols={level: Protocol(level, {}, "", (), "", here) for level in Level},
        indicators={
            each: Indicator(each, each, "f", {Grain.SITE: Level.PUBLIC}, "basis", (), (), (), here)
            for each in indicators
        },
        relations={each.id: each for each in relations},
        operations={"npl/x": Operation("npl/x", "NPL", "X", "disaster", year, here)},
        datasets={
            "npl/wide": Dataset(
                id="npl/wide",
                title="Wide",
                operation="npl/x",
                component="SA",
                grain=Grain.SITE,
                key=("Question 0",),
                header_row=1,
                encoding="utf-8",
                columns=tuple(columns),
                drop_at_collection=(),
                source=here,
            )
        },
        assessments={
            "npl/risks": Assessment(
                id="npl/risks",
                operation="npl/x",
                context="disaster",
                datasets=("npl/wide",),
                coordinator="npl/iom-1",
                sectoral_expert="npl/iom-2",
                assessed_on=year.start,
                collection_begins=DAY,
                review_by=date(2027, 6, 1),
                impact={},
                risk_of_sharing="some",
                risk_of_not_sharing="more",
                levels=tuple(tighter[-5:]),
                source=here,
            )
        },
        organizations={
            each: Organization(each, each, tuple(p for p in people.values() if p.organization == each), here)
            for each in organizations
        },
        focal_points=people,
        requests={
            f"npl/request-{n}": DataAccessRequest(
                id=f"npl/request-{n}",
                organization=f"org{n}",
                purpose="Measure",
                datasets=("npl/wide",),
                indicators=shared,
                state=RequestState.APPROVED,
                requested_on=year.start,
                decided_on=year.start,
                validity=year,
                source=here,
            )
            for n in range(size.agreements)
        },
        agreements={
            f"npl/agreement-{n}": Agreement(
                id=f"npl/agreement-{n}",
                organization=f"org{n}",
                request=f"npl/request-{n}",
                signed={"iom": "npl/iom-1", f"org{n}": f"npl/org{n}-1"},
                validity=year,
                pathways=(
                    Pathway(
                        id=f"npl/agreement-{n}/low",
                        urgency=Urgency.LOW,
                        monthly=True,
                        within_days=None,
                        shares=(Share("npl/wide", shared, here),),
                        destination=(f"npl/org{n}-1",),
                        method=Method.EXCEL_EMAIL,
                        source=here,
                    ),
                ),
                source=here,
            )
            for n in range(size.agreements)
        },
        overlays={each.id: each for each in overlays},
    )
    headers = tuple(Header(n, each.name, None, each.name) for n, each in enumerate(columns, 1))
    profile = TableProfile("npl/wide", headers, 1000, Stage.CLEANED, "9")
    kinds = size.agreements * 4 if alike else size.disclosures
    shapes = [
        (
            f"npl/table-{number}",
            rng.choice((Grain.SITE, Grain.ADMIN2, Grain.ADMIN1)),
            tuple(rng.sample(indicators, min(20, len(indicators)))),
        )
        for number in range(kinds)
    ]
    held = tuple(
        Holding(
            dataset=dataset,
            round=str(number),
            grain=grain,
            indicators=named,
            holder=rng.choice(("public", "org0")),
            since=DAY - timedelta(days=rng.randrange(2000)),
            entry=number,
        )
        for number in range(size.disclosures)
        for dataset, grain, named in [shapes[number % kinds]]
    )
    return policy, profile, held


# -------------------------------------------------------------------------------------------- what is done


def look(policy: Any, profile: Any, held: Any) -> int:
    """Every column, rule, agreement and holding once, each with the least that a dictionary can do for it.

    No decision is made: this is what remains if deciding cost nothing.
    """
    found = 0
    columns = {each.name: each for each in policy.datasets[profile.dataset].columns}
    present = {columns[header.key].indicator for header in profile.headers}
    for header in profile.headers:
        found += len(policy.indicators[columns[header.key].indicator].levels)
    for relation in policy.relations.values():
        found += sum(each in present for group in relation.groups for each in group)
    for overlay in policy.overlays.values():
        found += sum(each.indicator in present for each in overlay.tightens)
    for agreement in policy.agreements.values():
        found += sum(
            each in present for path in agreement.pathways for s in path.shares for each in s.indicators
        )
    for holding in held:
        found += sum(each in present for each in holding.indicators)
    return found


def record(folder: Path, size: Size) -> None:
    """A ledger that says what is held: all of it published, which is the shortest way for it to get there."""
    from dtm_sharing.model import Level, Publication
    from dtm_sharing.stores.database import Ledger

    known = Ledger(folder / "ledger.db")
    moment = datetime(2026, 11, 1, tzinfo=UTC)
    _, _, held = make(size, alike=True)
    for each in held:
        table = Publication(
            dataset=each.dataset,
            round=each.round,
            path=f"{each.dataset}/{each.round}/table.csv",
            columns=each.indicators,
            indicators=each.indicators,
            grain=each.grain,
            rows=100,
            level=Level.PUBLIC,
            policy_digest="sha256:" + "00" * 32,
            artefact_sha256="00" * 32,
            published_at=moment,
        )
        known.announce(table, seen=each.entry or 0)


def work(arm: str, folder: Path, size: Size) -> Callable[[], object]:
    """What one arm repeats."""
    from dtm_sharing import classify, gate
    from dtm_sharing.model import Audience, Urgency
    from dtm_sharing.stores.database import Ledger

    if arm == READ:
        known = Ledger(folder / "ledger.db")
        if len(known.held("org0").holdings) != size.disclosures:
            raise Failed("the ledger does not hold what was disclosed")
        return partial(known.held, "org0")
    policy, profile, held = make(size, alike=arm != WORST)
    if arm == LOOKING:
        return partial(look, policy, profile, held)
    if arm == CLASSIFY:
        return partial(classify.classify, policy, profile, DAY)
    audience = Audience("npl/agreement-0", Urgency.LOW) if arm == PARTNER else Audience()
    with_forms = classify.classify if arm == FORMS else None

    def decide() -> object:
        labelled = classify.classify(policy, profile, DAY)
        return gate.decide(policy, labelled, audience, held, with_forms)

    return decide


def main() -> None:
    arm, folder, size = sys.argv[1], Path(sys.argv[2]), Size(*map(int, sys.argv[3:7]))
    times, began = 0, time.process_time()
    if arm == "prepare":
        record(folder, size)
        times = 1
    else:
        again = work(arm, folder, size)
        again()  # once, so that what is made once is made
        began = time.process_time()
        while times == 0 or time.process_time() - began < LONG_ENOUGH:
            again()
            times += 1
    print(json.dumps({"cpu": (time.process_time() - began) / times, "times": times}))


if __name__ == "__main__":
    main()
