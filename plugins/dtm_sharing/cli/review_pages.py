"""What ``diff``, ``simulate``, ``replay`` and ``due`` print, in each form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dtm_sharing.cli import render
from dtm_sharing.cli.reports import Case as JunitCase
from dtm_sharing.cli.reports import Finding, Severity, as_github, as_junit, located
from dtm_sharing.cli.shapes import as_json
from dtm_sharing.cli.terminal import emit_data
from dtm_sharing.model import Outcome
from dtm_sharing.review.differences import Change
from dtm_sharing.review.simulation import Verdict

if TYPE_CHECKING:
    from dtm_sharing.cli.options import Basis
    from dtm_sharing.model import Policy, Source
    from dtm_sharing.review.cases import Case
    from dtm_sharing.review.differences import Answer, Cause, Difference
    from dtm_sharing.review.lapses import Lapse
    from dtm_sharing.review.loosened import Loosening
    from dtm_sharing.review.replay import Replayed
    from dtm_sharing.review.simulation import Rejudged

_SHOWN = 12  # cases of one kind that are named before the rest is counted
_WORDS = {Outcome.ALLOW: "allowed", Outcome.DENY: "refused", Outcome.UNDECIDED: "undecided"}


# ---------------------------------------------------------------------------------------------------- diff


class Differences:
    """What becomes of two policies' differences on a page."""

    def __init__(
        self,
        policies: tuple[Policy, Policy],
        as_of: date,
        found: Sequence[Difference],
        loosened: Iterable[Loosening],
        folders: tuple[Path | None, Path | None],
    ) -> None:
        (self._old, self._new), self._as_of = policies, as_of
        self._found, self._folders = found, folders
        self.unjustified = sum(each.unjustified for each in found)
        # A waiver that was changed is listed with what it lets out; what had ended does not come back.
        signed = {f"waiver:{id_}" for each in self._of(Change.ALLOWED) for id_ in each.waivers}
        lost = (each for each in loosened if each.ended is None or each.ended >= as_of)
        self.loosened = tuple(each for each in lost if each.rule not in signed)

    def _of(self, change: Change) -> list[Difference]:
        return [each for each in self._found if each.change is change]

    def show(self, form: str) -> None:
        if form == "json":
            emit_data(as_json(self._json()))
        elif form == "github":
            emit_data(as_github(self._findings()))
        else:
            self._table()

    def _json(self) -> dict[str, Any]:
        return {
            "old": self._old.digest,
            "new": self._new.digest,
            "as_of": self._as_of.isoformat(),
            "allowed": [_difference(each) for each in self._of(Change.ALLOWED)],
            "refused": [_difference(each) for each in self._of(Change.REFUSED)],
            "reworded": len(self._of(Change.REWORDED)),
            "unjustified": self.unjustified,
            "loosened": [_loosening(each) for each in self.loosened],
        }

    def _table(self) -> None:
        if not self._found and not self.loosened:
            render.records(f"Nothing changes from {self._as_of} on, for anybody.", ())
            return
        allowed, refused, reworded = (self._of(each) for each in Change)
        some = "" if self.unjustified == len(allowed) else f"{self.unjustified:,} of them "
        without = f", {some}without a waiver" if self.unjustified else ""
        sections = [
            (f"Becomes allowed: {_count(allowed)}{without}", _blocks(allowed)),
            (f"Becomes refused or undecided: {_count(refused)}", _blocks(refused)),
        ]
        if self.loosened:
            count = render.many(len(self.loosened), "change")
            blocks = [(each.rule, _loosening_fields(each)) for each in self.loosened]
            sections.append((f"May allow more, where or when it applies: {count}", blocks))
        if reworded:
            count = render.many(len(reworded), "answer")
            sections.append((f"{count} as before, by other rules or on other terms.", []))
        render.report(sections)

    def _findings(self) -> Iterator[Finding]:
        """One for each group of like differences, at the first rule that made them."""
        for change in (Change.ALLOWED, Change.REFUSED):
            for group in _groups(self._of(change)):
                yield self._finding(group)
        for each in self.loosened:
            file, line, column = self._in_folder(0 if each.gone else 1, each.source)
            sentence = f"{each.rule} may allow more, where or when it applies: {each.sentence}"
            yield Finding(file, line, column, "may-allow-more", "error", sentence)

    def _finding(self, group: Sequence[Difference]) -> Finding:
        first = group[0]
        word: Severity = (
            "error" if first.unjustified else "warning" if first.change is Change.ALLOWED else "note"
        )
        file, line, column = self._at(first.causes)
        sentence = f"For {first.recipient}, {_when(first)}: {_named(group)}: {_turn(first)}."
        return Finding(file, line, column, f"becomes-{first.change}", word, sentence)

    def _at(self, causes: Iterable[Cause]) -> tuple[str, int, int]:
        """Where to show it: in the new policy if the rule is there, else in the old."""
        for which, source in _places(causes):
            return self._in_folder(which, source)
        folder = self._folders[1]
        return ("classification.yaml" if folder is None else located(folder, "classification.yaml")), 1, 1

    def _in_folder(self, which: int, source: Source) -> tuple[str, int, int]:
        """A place of the old policy (0) or the new one (1)."""
        folder = self._folders[which]
        file = source.file if folder is None else located(folder, source.file)
        return file, source.line, source.column


def _places(causes: Iterable[Cause]) -> Iterator[tuple[int, Source]]:
    found = list(causes)
    yield from ((1, each.new) for each in found if each.new)
    yield from ((0, each.old) for each in found if each.old)


def _count(found: Sequence[Difference]) -> str:
    return render.many(len(found), "answer") if found else "nothing"


def _blocks(found: Sequence[Difference]) -> list[tuple[str, dict[str, str]]]:
    blocks = []
    for group in _groups(found):
        first = group[0]
        fields = {
            "what": _named(group),
            "answer": _turn(first),
            "rules": "; ".join(map(str, first.causes)) or first.before.why or first.after.why,
        }
        if first.change is Change.ALLOWED:
            fields["waiver"] = ", ".join(first.waivers) or "none"
        blocks.append((f"{first.recipient}, {_when(first)}", fields))
    return blocks


def _groups(found: Iterable[Difference]) -> list[list[Difference]]:
    """Differences that are alike in all but the table that was tried."""
    groups: dict[object, list[Difference]] = {}
    for each in found:
        alike = (
            str(each.recipient),
            each.case.dataset,
            each.since,
            each.until,
            each.grains,
            each.before.outcome,
            each.after.outcome,
            each.causes,
            each.waivers,
        )
        groups.setdefault(alike, []).append(each)
    return list(groups.values())


def _when(each: Difference) -> str:
    until = f" until {each.until}" if each.until else ""
    return f"{each.case.dataset}, from {each.since}{until}"


def _turn(each: Difference) -> str:
    by = ", ".join(map(str, each.grains))
    return f"{_WORDS[each.before.outcome]}, now {_WORDS[each.after.outcome]} (by {by})"


def _named(group: Sequence[Difference]) -> str:
    names = list(dict.fromkeys(_subject(each.case) for each in group))
    more = f"; and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return "; ".join(names[:_SHOWN]) + more


def _subject(case: Case) -> str:
    named = " and ".join(map(repr, case.texts))
    held = " and ".join(dict.fromkeys(each for _, indicators in case.held for each in indicators))
    return {
        "column": f"column {named}",
        "table": f"the whole table, {render.many(len(case.texts), 'column')}",
        "extract": f"the extract that Table B lists, {render.many(len(case.texts), 'column')}",
        "together": f"{named} together ({case.relation})",
        "beside": f"{named} where they hold {held} ({case.relation})",
    }[case.kind.value]


def _difference(each: Difference) -> dict[str, Any]:
    case = each.case
    return {
        "audience": str(each.recipient.audience),
        "organization": each.recipient.organization,
        "dataset": case.dataset,
        "what": case.kind.value,
        "columns": list(case.texts),
        "joined_by": list(case.keys),
        "held": [{"dataset": dataset, "indicators": list(indicators)} for dataset, indicators in case.held],
        "relation": case.relation,
        "grains": [str(grain) for grain in each.grains],
        "from": each.since.isoformat(),
        "until": each.until.isoformat() if each.until else None,
        "before": _answer(each.before),
        "after": _answer(each.after),
        "rules": [
            {"rule": cause.rule, "old": _text(cause.old), "new": _text(cause.new)} for cause in each.causes
        ],
        "waivers": list(each.waivers),
        "justified": not each.unjustified,
    }


def _loosening_fields(each: Loosening) -> dict[str, str]:
    return {"what": each.sentence, "where": f"{_which(each)} {each.source}"}


def _loosening(each: Loosening) -> dict[str, str]:
    return {"rule": each.rule, "sentence": each.sentence, "policy": _which(each), "source": str(each.source)}


def _which(each: Loosening) -> str:
    return "old" if each.gone else "new"


def _answer(answer: Answer) -> dict[str, Any]:
    level = answer.level.label if answer.level else None
    return {"outcome": str(answer.outcome), "level": level, "why": answer.why}


def _text(source: Source | None) -> str | None:
    return None if source is None else str(source)


# ------------------------------------------------------------------------------------------------ simulate


def simulation(policy: Policy, as_of: date, found: Sequence[Rejudged], recalled: int, form: str) -> None:
    """``recalled``: how many more left and are not judged, since nobody is to have them any more."""
    if form == "json":
        shown = {
            "policy_digest": policy.digest,
            "as_of": as_of.isoformat(),
            "judged": len(found),
            "recalled": recalled,
            "refused": [_rejudged(each) for each in found if each.verdict is Verdict.REFUSED],
            "undecided": [_rejudged(each) for each in found if each.verdict is Verdict.UNDECIDED],
        }
        emit_data(as_json(shown))
        return
    counts = Counter(each.verdict for each in found)
    title = (
        f"{render.many(len(found), 'extract')} held: {counts[Verdict.REFUSED]:,} would be refused, "
        f"{counts[Verdict.UNDECIDED]:,} undecided, {counts[Verdict.ALLOWED]:,} allowed."
    )
    if counts[Verdict.UNDECIDED]:
        title += f" So {counts[Verdict.REFUSED] + counts[Verdict.UNDECIDED]:,} would not leave again."
    sections: list[tuple[str, Iterable[tuple[str, Mapping[str, str]]]]] = [(title, ())]
    if recalled:
        verb = "was" if recalled == 1 else "were"
        more = f"{render.many(recalled, 'more extract')} {verb} recalled, so not judged."
        sections.append((more, ()))
    for verdict, title in ((Verdict.REFUSED, "Would be refused"), (Verdict.UNDECIDED, "Undecided")):
        those = [each for each in found if each.verdict is verdict]
        those.sort(key=lambda each: (each.disclosure.organization, each.disclosure.entry))
        if those:
            sections.append((f"{title}: {len(those):,}", map(_past, those)))
    render.report(sections)


def _past(each: Rejudged) -> tuple[str, Mapping[str, str]]:
    sent = each.disclosure
    heading = f"{sent.organization}, {sent.dataset}, round {sent.round}, since {sent.sent_at.date()}"
    why = dict.fromkeys((*(one.why for one in each.refused), *(gap.sentence for gap in each.gaps)))
    columns = ", ".join(repr(one.header.key) for one in each.refused)
    fields = {
        "columns": columns,
        "why": " ".join(why),
        "rules": "; ".join(f"{rule} ({source})" for rule, source in each.rules),
        "entry": f"{sent.entry}, key {sent.key}",
        "to do": each.advice,
    }
    return heading, {name: text for name, text in fields.items() if text}


def _rejudged(each: Rejudged) -> dict[str, Any]:
    sent = each.disclosure
    return {
        "organization": sent.organization,
        "agreement": sent.agreement,
        "urgency": None if sent.urgency is None else str(sent.urgency),
        "dataset": sent.dataset,
        "round": sent.round,
        "grain": str(sent.grain),
        "since": sent.sent_at.isoformat(timespec="seconds"),
        "entry": sent.entry,
        "key": sent.key,
        "refused": [
            {"column": one.header.key, "level": one.level.label if one.level else None, "why": one.why}
            for one in each.refused
        ],
        "gaps": [{"kind": gap.kind, "column": gap.column, "sentence": gap.sentence} for gap in each.gaps],
        "relations": list(each.relations),
        "rules": [{"rule": rule, "source": str(source)} for rule, source in each.rules],
        "advice": each.advice,
    }


# -------------------------------------------------------------------------------------------------- replay


def replay(found: Sequence[Replayed], since: date | None, form: str) -> None:
    differing = [each for each in found if each.differences]
    if form == "json":
        shown = {
            "decisions": len(found),
            "since": since.isoformat() if since else None,
            "differing": [
                {
                    **_asked(each),
                    "differences": [
                        {"field": one.field, "recorded": one.recorded, "now": one.now}
                        for one in each.differences
                    ],
                }
                for each in differing
            ],
        }
        emit_data(as_json(shown))
    elif form == "junit":
        emit_data(as_junit("replay", [_junit(each) for each in found]))
    else:
        _replay_table(found, differing, since)


def _replay_table(found: Sequence[Replayed], differing: Sequence[Replayed], since: date | None) -> None:
    when = f" since {since}" if since else ""
    if not found:
        title = f"The ledger has no decision{when}, so nothing was made again."
    elif not differing:
        title = f"{render.many(len(found), 'decision')}{when}, all as recorded."
    else:
        verb = "differs" if len(differing) == 1 else "differ"
        title = f"{len(differing):,} of {render.many(len(found), 'decision')}{when} {verb} from the record."
    render.records(title, map(_replayed, differing))


def _replayed(each: Replayed) -> tuple[str, Mapping[str, str]]:
    asked = _asked(each)
    heading = f"entry {asked['entry']}, {asked['dataset']}, round {asked['round']}, {asked['audience']}"
    fields = {"decided on": asked["as_of"], "policy": asked["policy_digest"]}
    more = {f"field {number}": str(one) for number, one in enumerate(each.differences, start=1)}
    return heading, {**fields, **more}


def _asked(each: Replayed) -> dict[str, Any]:
    recorded = each.recorded
    dataset, _, round_ = recorded.subject.rpartition("/")
    return {
        "entry": recorded.entry,
        "dataset": dataset,
        "round": round_,
        "audience": recorded.audience,
        "as_of": recorded.as_of.isoformat(),
        "policy_digest": recorded.policy_digest,
    }


def _junit(each: Replayed) -> JunitCase:
    asked = _asked(each)
    findings = tuple(
        Finding("ledger", 1, 1, "decided-otherwise", "error", str(one)) for one in each.differences
    )
    return JunitCase(
        f"entry {asked['entry']}", group=f"{asked['dataset']} {asked['audience']}", findings=findings
    )


# ----------------------------------------------------------------------------------------------------- due


def lapses(found: Sequence[Lapse], by: Basis, within: int, form: str, *, passwords_known: bool) -> None:
    if form == "json":
        shown = {
            "as_of": by.as_of.isoformat(),
            "within": within,
            "policy_digest": by.policy.digest,
            "policy": by.told,
            "passwords_known": passwords_known,
            "due": [_lapse(each, by.as_of) for each in found],
        }
        emit_data(as_json(shown))
        return
    count = f"{len(found):,} due" if found else "Nothing is due"
    where = f" ({by.told})" if by.told else ""
    title = f"{count} on {by.as_of}, looking {render.many(within, 'day')} ahead{where}."
    sections: list[tuple[str, Iterable[tuple[str, Mapping[str, str]]]]]
    sections = [(title, [_due(each, by.as_of) for each in found])]
    if not passwords_known:
        sections.append(("Passwords were not looked at: DTM_SHARING_CREDENTIALS is not set.", ()))
    render.report(sections)


def _due(each: Lapse, as_of: date) -> tuple[str, Mapping[str, str]]:
    lapsed = ", lapsed" if each.has_lapsed(as_of) else ""
    fields = {"what": each.sentence, "who": ", ".join(each.who)}
    if each.source:
        fields["where"] = str(each.source)
    return f"{each.on}{lapsed}: {each.kind} {each.id}", fields


def _lapse(each: Lapse, as_of: date) -> dict[str, Any]:
    return {
        "on": each.on.isoformat(),
        "lapsed": each.has_lapsed(as_of),
        "kind": each.kind,
        "id": each.id,
        "sentence": each.sentence,
        "who": list(each.who),
        "source": _text(each.source),
    }
