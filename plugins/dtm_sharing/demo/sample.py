"""A made-up round of the sample country, in the raw shape of a real one.

    python -m dtm_sharing.demo.sample OUT.csv

The headers come from the dataset's policy file. The values are invented here, by a seeded generator; none is
taken from a real round. Zones and districts are Nepal's, everything below them is not. Where a real file
holds a person, this one holds a function and a telephone number that cannot be called.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from random import Random

from dtm_sharing.demo.answers import ASKED_IF, CHOICES, RANKED, SECTIONS, YES_NO
from dtm_sharing.demo.dates import SAMPLE_DATE, shift_dates
from dtm_sharing.errors import SharingError, StoreFailed, UsageProblem
from dtm_sharing.model import Dataset
from dtm_sharing.stores.policies import read_policies

# A demonstration needs the round and the dates together.
__all__ = ["DATASET", "POLICIES", "SAMPLE_DATE", "main", "sample_round", "shift_dates", "write_sample"]

POLICIES = Path(__file__).parents[3] / "policies"
DATASET = "npl/site-assessment"

Answers = dict[str, list[str]]  # indicator -> the answers of its columns, in the order of the columns

_DISTRICTS = {
    "Bagmati": ("Kathmandu", "Bhaktapur", "Lalitpur", "Kavrepalanchok", "Nuwakot", "Dhading", "Rasuwa"),
    "Janakpur": ("Dolakha", "Ramechhap", "Sindhuli"),
    "Sagarmatha": ("Okhaldhunga", "Solukhumbu"),
    "Gandaki": ("Gorkha", "Lamjung"),
    "Narayani": ("Makwanpur", "Chitwan"),
}
_LATITUDE, _LONGITUDE = (27.45, 27.85), (84.30, 86.40)  # degrees; a part of Nepal's hills, well inside it

# <1, 1-5, 6-17, 18-59, 60+ years: people of one sex per household, about two and a half in all.
_PER_HOUSEHOLD = (0.06, 0.25, 0.65, 1.3, 0.22)


def sample_round(  # noqa: PLR0913 - each has a default, and most callers name one
    rows: int = 146,
    seed: int = 2026,
    round: str = "2",  # noqa: A002 - DTM's word
    *,
    columns: int | None = None,
    dataset: Dataset | None = None,
    sampled_on: date = SAMPLE_DATE,
) -> list[list[str]]:
    """A raw file as rows of cells: totals and section names, title, headers, then ``rows`` sites.

    Same arguments, same cells. All dates lie in the seventy days up to ``sampled_on``, those of surveys in
    the last thirty.

    ``columns`` keeps the first so many columns; beyond the questionnaire it adds questions that no rule
    knows. ``dataset`` is ``npl/site-assessment`` of the project's policies unless it is given.

    Raises:
        UsageProblem: the dataset has an indicator for which this generator has no values.
        PolicyInvalid: ``dataset`` was not given, and the project's policies do not load.
    """
    dataset = dataset or read_policies(POLICIES).datasets[DATASET]
    rng = Random(seed)  # noqa: S311 - made-up answers, no secret
    headers = _headers(dataset)
    extra = max(0, (columns or 0) - len(headers))
    headers += [f"99.{number} Made-up question" for number in range(1, extra + 1)]
    sites, households, individuals = [], 0, 0
    for number in range(1, rows + 1):
        answers = _answers(rng, number, round, sampled_on, dataset)
        households += int(answers["idp-households"][0])
        individuals += int(answers["idp-individuals"][0])
        sites.append(_cells(rng, answers, dataset) + rng.choices(YES_NO, k=extra))
    totals = _totals(dataset, households, individuals)
    title = [f"NEPAL DTM - Round {round} Data (made up)"]
    head = [line + [""] * (len(headers) - len(line)) for line in (totals, title)]
    return [line[:columns] for line in (*head, headers, *sites)]


def write_sample(  # noqa: PLR0913 - as above
    path: Path,
    rows: int = 146,
    seed: int = 2026,
    round: str = "2",  # noqa: A002 - DTM's word
    *,
    columns: int | None = None,
    dataset: Dataset | None = None,
    sampled_on: date = SAMPLE_DATE,
) -> None:
    """Write ``sample_round(…)`` to ``path`` as CSV, in UTF-8 as the dataset declares it.

    Raises:
        StoreFailed: the file cannot be written.
        UsageProblem, PolicyInvalid: as ``sample_round``.
    """
    table = sample_round(rows, seed, round, columns=columns, dataset=dataset, sampled_on=sampled_on)
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(table)
    except OSError as error:
        raise StoreFailed(f"The sample cannot be written to {path}: {error.strerror}.") from error


def _headers(dataset: Dataset) -> list[str]:
    return [header for column in dataset.columns for header in (column.name, *column.continued_by)]


def _totals(dataset: Dataset, households: int, individuals: int) -> list[str]:
    """The first row: the two totals, and the name of each section above the column that opens it."""
    line, unopened = list[str](), dict(SECTIONS)
    for column in dataset.columns:
        line += [unopened.pop(column.indicator, ""), *("" for _ in column.continued_by)]
    return [f"{households:,}", "TOTAL HH", f"{individuals:,}", "TOTAL IND", *line[4:]]


def _cells(rng: Random, answers: Answers, dataset: Dataset) -> list[str]:
    taken = Counter[str]()
    cells = []
    for column in dataset.columns:
        try:
            answer = answers[column.indicator][taken[column.indicator]]
        except LookupError as error:
            raise UsageProblem(
                f"The sample has no value for {column.name!r}: add its indicator {column.indicator} to "
                f"dtm_sharing.demo.sample."
            ) from error
        taken[column.indicator] += 1
        cells.append(answer)
        cells += [_continuation(rng, header, answer) for header in column.continued_by]
    return cells


def _continuation(rng: Random, header: str, answer: str) -> str:
    asked = answer == ("Yes" if header.startswith("If yes") else "Other")
    return f"Made-up answer {rng.randint(1, 60)}" if asked else ""


def _answers(rng: Random, number: int, round_: str, day: date, dataset: Dataset) -> Answers:
    times = Counter(column.indicator for column in dataset.columns)
    answers = {each: rng.choices(choices, k=times[each]) for each, choices in CHOICES.items()}
    answers |= {each: rng.sample(choices, 3) for each, choices in RANKED.items()}
    answers |= {"survey-round": [round_], "site-id": [str(10_000 + number)]}
    answers |= _place(rng, number) | _people(rng) | _days(rng, day) | _services(rng)
    answers |= _management(answers, number)
    for each, (question, answer) in ASKED_IF.items():
        if answers[question][0] != answer:
            answers[each] = [""] * len(answers[each])
    return answers


def _place(rng: Random, number: int) -> Answers:
    zones = rng.choices(tuple(_DISTRICTS), k=3)  # of the site, of the largest group, of the second largest
    second = rng.random() < 0.5  # every other site has one group only
    origins = 2 if second else 1

    def of_groups(values: list[str]) -> list[str]:
        return [value if group < origins else "" for group, value in enumerate(values)]

    districts = [rng.choice(_DISTRICTS[zone]) for zone in zones]
    communities = [f"Sample VDC {rng.randint(1, 90)}" for _ in zones]
    known = rng.random() > 0.02  # a few sites come without coordinates
    return {
        "site-name": [f"{rng.choice(('Sample Ground', 'Invented School', 'Made-up Field'))} {number}"],
        "admin1": zones[:1],
        "admin2": districts[:1],
        "admin3": communities[:1],
        "site-gps": [f"{rng.uniform(*box):.5f}" if known else "" for box in (_LATITUDE, _LONGITUDE)],
        "idp-origin-admin1": of_groups(zones[1:]),
        "idp-origin-admin2": of_groups(districts[1:]),
        "idp-origin-admin3": of_groups(communities[1:]),
        "idp-origin-ward": of_groups([str(rng.randint(1, 9)) for _ in range(2)]),
    }


def _people(rng: Random) -> Answers:
    """Counts of one site that agree with each other: ages make up sexes, sexes make up the total."""
    households = 4 + int(rng.lognormvariate(4, 0.9))
    males, females = (
        [int(households * each * rng.uniform(0.5, 1.5) + rng.random()) for each in _PER_HOUSEHOLD]
        for _ in range(2)
    )
    counts = {
        "idp-households": [households],
        "idp-males-by-age": males,
        "idp-males": [sum(males)],
        "idp-females-by-age": females,
        "idp-females": [sum(females)],
        "idp-individuals": [sum(males) + sum(females)],
        "pregnant-women": [rng.randint(0, females[3] // 12)],
        "breastfeeding-mothers": [rng.randint(0, females[3] // 6)],
        "persons-with-disabilities": [rng.randint(0, households // 10)],
        "chronic-illness": [rng.randint(0, households // 8)],
        "female-headed-households": [rng.randint(0, households // 6)],
        "child-headed-households": [rng.choice((0, 0, 0, 0, rng.randint(1, 3)))],  # four sites in five: none
        "elderly-headed-households": [rng.randint(0, households // 8)],
        "marginalized-caste-or-ethnicity": [rng.choice((0, rng.randint(0, households)))],
    }
    return {indicator: [str(each) for each in values] for indicator, values in counts.items()}


def _days(rng: Random, day: date) -> Answers:
    surveyed = day - timedelta(days=rng.randint(1, 30))
    opened = day - timedelta(days=rng.randint(40, 70))
    first = opened + timedelta(days=rng.randint(0, 5))
    last = first + timedelta(days=rng.randint(0, (surveyed - first).days))
    days = {
        "survey-date": surveyed,
        "site-opening-date": opened,
        "site-closing-date": surveyed,
        "first-arrival-date": first,
        "last-arrival-date": last,
    }
    return {indicator: [f"{each:%d/%m/%Y}"] for indicator, each in days.items()}


def _services(rng: Random) -> Answers:
    come = rng.random() < 0.05  # recruiters come to few sites
    return {
        "functioning-toilets": [str(rng.randint(0, 24))],
        "households-with-income": [f"{rng.randrange(0, 101, 5)}%"],
        "child-friendly-spaces": [str(rng.choice((0, 0, 0, 1, 2)))],
        "women-friendly-spaces": [str(rng.choice((0, 0, 0, 0, 1)))],
        "recruiters": ["Yes", f"Made-up town {rng.randint(1, 9)}"] if come else ["No", ""],
    }


def _management(answers: Answers, number: int) -> Answers:
    """Who answers for the site: committee first, agency second. Secret in a real file, so nobody here."""
    there = [answers[each][0] == "Yes" for each in ("site-management-committee", "site-management-agency")]
    numbers = [2 * number + each if yes else None for each, yes in enumerate(there)]
    return {
        "site-management-agency-name": [f"Made-up Agency {number % 40}"],
        "contact-name": ["" if each is None else f"Sample Contact {each}" for each in numbers],
        "contact-phone": ["" if each is None else f"+000 000 {each:06}" for each in numbers],
    }


def main(argv: list[str] | None = None) -> int:
    """The command. Gives the exit code."""
    parser = argparse.ArgumentParser(
        "python -m dtm_sharing.demo.sample", description="Write a made-up round."
    )
    parser.add_argument("path", type=Path, metavar="OUT.csv")
    parser.add_argument("--rows", type=_whole, default=146, help="sites (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=2026, help="same seed, same file (default: %(default)s)")
    parser.add_argument("--columns", type=_whole, help="all columns of the questionnaire unless given")
    wanted = parser.parse_args(argv)
    try:
        write_sample(wanted.path, wanted.rows, wanted.seed, columns=wanted.columns)
    except SharingError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def _whole(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text} is not a whole number")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
