"""Named bad inputs: one change to the sample policy each, and all that must be said about it.

``expected`` are whole problems, without the file where it is the changed file itself.
"""

# ruff: noqa: E501 - whole sentences, as they are printed

from __future__ import annotations

from typing import NamedTuple

from support.policies import (
    AGREEMENT,
    ASSESSMENT,
    CLASSIFICATION,
    CONTACTS,
    DATASET,
    GENERAL,
    IOM,
    OPERATION,
    OVERLAY,
    PROTECTION,
    RELATIONS,
    REQUEST,
    SCPA,
    WAIVER,
    sample_files,
)


class Bad(NamedTuple):
    file: str
    old: str
    new: str
    expected: tuple[str, ...]


_PEOPLE = sample_files()[IOM].decode().partition("people:\n")[2]

_COLUMNS = sample_files()[DATASET].decode().partition("encoding: utf-8\n")[2].partition("drop_at_")[0]


def bad(file: str, old: str, new: str, *expected: str) -> Bad:
    return Bad(file, old, new, expected)


NOT_YAML = {
    "tab": bad(
        RELATIONS, "id: relations\n", "\tid: relations\n", "3:1: a tab stands here; indent with spaces"
    ),
    "colon in a text": bad(
        DATASET,
        "title: Site assessment",
        "title: Site: assessment",
        "4:12: a ':' cannot stand here; put a text that holds ': ' in quotes, or mend the indentation",
    ),
    "open quote": bad(
        DATASET,
        "title: Site assessment",
        "title: 'Site assessment",
        "18:21: this does not fit what stands before it; look for a wrong indentation or quote",
    ),
    "open double quote before another document": bad(
        OPERATION,
        "name: Earthquake in Xyz",
        'name: "Earth\n---\n',
        "6:1: a quote is opened and not closed before '---'",
    ),
    "open list": bad(
        DATASET, "key: [Site ID]", "key: [Site ID", "9:11: a ',' or ']' is missing in this list"
    ),
    "open mapping": bad(
        AGREEMENT,
        "scpa: xyz/scpa-primary}",
        "scpa: xyz/scpa-primary",
        "7:11: a ',' or '}' is missing in this mapping",
    ),
    "lost indentation": bad(
        OPERATION,
        "name: Earthquake in Xyz",
        " name: Earthquake in Xyz",
        "5:6: a ':' cannot stand here; put a text that holds ': ' in quotes, or mend the indentation",
    ),
    "no colon": bad(OPERATION, "name: Earthquake in Xyz", "name", "5:1: a ':' is missing after this key"),
    "value begins with @": bad(
        OPERATION,
        "name: Earthquake in Xyz",
        "name: @home",
        "5:7: a value cannot begin with this character; put it in quotes",
    ),
    "backslash": bad(
        OPERATION,
        "name: Earthquake in Xyz",
        'name: "a\\q"',
        "5:10: a backslash in double quotes begins no known escape; use single quotes",
    ),
    "impossible escape": bad(
        OPERATION,
        "name: Earthquake in Xyz",
        'name: "\\UFFFFFFFF"',
        "1:1: this is not YAML; look for a quote or bracket that is not closed",
    ),
    "unknown tag handle": bad(
        OPERATION,
        "name: Earthquake in Xyz",
        "name: !x!y z",
        "5:7: tags ('!…') are not used in policy files; remove it",
    ),
    "tag": bad(
        OPERATION,
        "name: Earthquake in Xyz",
        "name: !!str Earthquake",
        "5:7: tags ('!…') are not used in policy files; remove it",
    ),
    "list where a line is expected": bad(
        OPERATION,
        "name: Earthquake in Xyz",
        "name: - Earthquake",
        "5:7: a '-' cannot stand here; begin the list on its own line",
    ),
    "control character": bad(
        OPERATION,
        "name: Earthquake in Xyz",
        "name: Earth\x07quake",
        "5:12: a character stands here that cannot be printed; remove it",
    ),
    "alias": bad(
        REQUEST,
        "valid_from: 2026-10-01",
        "valid_from: *day",
        "11:13: aliases ('*…') are not used here; write the value out",
    ),
    "alias with its anchor": bad(
        REQUEST,
        "valid_from: 2026-10-01\nvalid_until: 2027-09-30",
        "valid_from: &d 2026-10-01\nvalid_until: *d",
        "12:14: aliases ('*…') are not used here; write the value out",
    ),
    "directive": bad(
        OPERATION,
        "kind: operation",
        "%YAML 1.1\n---\nkind: operation",
        "2:1: directives ('%…') are not used in policy files; remove the line",
    ),
    "directive that nobody knows": bad(
        OPERATION,
        "kind: operation",
        "%FOO bar\n---\nkind: operation",
        "2:1: directives ('%…') are not used in policy files; remove the line",
    ),
    "second document": bad(
        OPERATION,
        "valid_until: 2027-12-31",
        "---\nvalid_until: 2027-12-31",
        "8:1: a second document begins here; write one policy per file",
    ),
    "duplicate key": bad(
        OPERATION,
        "context: disaster\n",
        "context: disaster\nname: Flood\n",
        "7:1: the key 'name' stands twice; the first is on line 5",
    ),
    "key that is a list": bad(
        OPERATION,
        "context: disaster\n",
        "context: disaster\n[a, b]: c\n",
        "7:1: a key must be one plain word",
    ),
    "deep nesting": bad(
        OPERATION,
        "name: Earthquake in Xyz",
        "name: " + "[" * 3000 + "]" * 3000,
        "5:27: this is nested too deeply for a policy file",
    ),
}

WRONG_SHAPE = {
    "kind is missing": bad(
        DATASET,
        "kind: dataset\n",
        "",
        "2:1: 'kind' is missing; write one of classification, indicators, relations, operation, overlay, waiver, dataset, assessment, focal_points, request, agreement",
    ),
    "kind is unknown": bad(
        DATASET,
        "kind: dataset",
        "kind: datset",
        "2:7: 'datset' is not a kind of policy file (did you mean 'dataset'?)",
    ),
    "kind is like none": bad(
        RELATIONS,
        "kind: relations",
        "kind: zzz",
        "2:7: 'zzz' is not a kind of policy file; write one of classification, indicators, relations, operation, overlay, waiver, dataset, assessment, focal_points, request, agreement",
    ),
    "kind is a mapping": bad(
        RELATIONS,
        "kind: relations",
        "kind: {a: b}",
        "2:7: 'kind' must be one kind of policy file; write one of classification, indicators, relations, operation, overlay, waiver, dataset, assessment, focal_points, request, agreement",
    ),
    "kind is a list": bad(
        RELATIONS,
        "kind: relations",
        "kind: [relations]",
        "2:7: 'kind' must be one kind of policy file; write one of classification, indicators, relations, operation, overlay, waiver, dataset, assessment, focal_points, request, agreement",
    ),
    "kind is nothing in a mapping": bad(
        RELATIONS,
        "kind: relations",
        "kind: {a: }",
        "2:7: 'kind' must be one kind of policy file; write one of classification, indicators, relations, operation, overlay, waiver, dataset, assessment, focal_points, request, agreement",
    ),
    "kind is an alias": bad(
        RELATIONS,
        "kind: relations",
        "kind: *relations",
        "2:7: aliases ('*…') are not used here; write the value out",
    ),
    "unknown key": bad(
        CONTACTS,
        "levels: {national",
        "levls: {national",
        "6:1: 'levls' is not a key of an indicators file (did you mean 'levels'?)",
    ),
    "unknown key like none": bad(
        DATASET, "component: SA", "component: SA\nqqqq: 1", "7:1: 'qqqq' is not a key of a dataset file"
    ),
    "unknown key in a list": bad(
        DATASET,
        "spellings: [Number",
        "speling: [Number",
        "22:5: 'speling' is not a key of a column (did you mean 'spellings'?)",
    ),
    "required key in a list is misspelled": bad(
        DATASET,
        "indicator: site-id",
        "indicatr: site-id",
        "13:5: 'indicatr' is not a key of a column (did you mean 'indicator'?)",
    ),
    "missing key": bad(DATASET, "encoding: utf-8\n", "", "2:1: 'encoding' is missing from a dataset file"),
    "missing key in a list": bad(
        GENERAL, "    title: Type of site\n", "", "16:5: 'title' is missing from an indicator"
    ),
    "required key is empty": bad(
        DATASET, "operation: xyz/earthquake", "operation:", "5:1: 'operation' is empty; write a value"
    ),
    "optional key is empty": bad(
        OPERATION,
        "valid_until: 2027-12-31",
        "valid_until: null",
        "8:1: 'valid_until' is empty; write a value, or leave the key out",
    ),
    "optional key of an item is empty": bad(
        PROTECTION,
        "title: Child-headed households\n",
        "title: Child-headed households\n    basis:\n",
        "11:5: 'basis' is empty; write a value, or leave the key out",
    ),
    "item is empty": bad(
        DATASET, "key: [Site ID]", "key: [Site ID, ~]", "8:16: an item of 'key' is empty; write a value"
    ),
    "word of a scheme is empty": bad(
        CLASSIFICATION,
        "[protected]",
        "[protected, ~]",
        "11:43: an item of 'other-agencies' is empty; write a value",
    ),
    "level of a grain is empty": bad(
        CONTACTS,
        "levels: {national: Secret",
        "levels: {national: ",
        "6:10: 'national' is empty; write a value",
    ),
    "blank text": bad(
        CLASSIFICATION,
        "meaning: Disclosure carries little or no risk.",
        "meaning: '  '",
        "7:14: 'meaning' is empty; write a value",
    ),
    "number for a text": bad(
        OPERATION, "name: Earthquake in Xyz", "name: 2015", "5:7: 'name' must be one text; put it in quotes"
    ),
    "number for a word": bad(
        DATASET, "component: SA", "component: 12", "6:12: 'component' must be one text; put it in quotes"
    ),
    "list for a date": bad(
        ASSESSMENT, "review_by: 2027-09-14", "review_by: [2027-09-14]", "11:12: 'review_by' must be one text"
    ),
    "truth value for a word": bad(
        DATASET, "grain: site", "grain: true", "7:8: 'grain' must be one text; put it in quotes"
    ),
    "list for a text": bad(
        OPERATION, "name: Earthquake in Xyz", "name: [a, b]", "5:7: 'name' must be one text"
    ),
    "text for a list": bad(
        DATASET,
        "key: [Site ID]",
        "key: Site ID",
        "8:6: 'key' must be a list; write [a, b], or each item on its own line after '- '",
    ),
    "text for a mapping": bad(
        ASSESSMENT,
        "assessors: {coordinator: xyz/iom-primary, sectoral_expert: xyz/iom-protection-expert}",
        "assessors: xyz/iom-primary",
        "8:12: 'assessors' must be a mapping; write its 'key: value' pairs on indented lines",
    ),
    "text for the levels": bad(
        GENERAL,
        "title: Type of site",
        "title: Type of site\n    basis: x\n    levels: Public",
        "19:13: 'levels' must be a mapping; write its 'key: value' pairs on indented lines",
    ),
    "text for a number": bad(
        DATASET,
        "header_row: 3",
        "header_row: '3'",
        "9:13: 'header_row' must be a whole number, without quotes",
    ),
    "row zero": bad(
        DATASET, "header_row: 3", "header_row: 0", "9:13: 'header_row' must be a number from 1 to 1000"
    ),
    "row after the last": bad(
        DATASET, "header_row: 3", "header_row: 1001", "9:13: 'header_row' must be a number from 1 to 1000"
    ),
    "empty list": bad(DATASET, "key: [Site ID]", "key: []", "8:6: 'key' needs at least one item"),
    "one group": bad(RELATIONS, "      - [security-actor]\n", "", "7:7: 'groups' needs at least 2 items"),
    "twice in a list": bad(
        REQUEST,
        "[site-id, district, child-headed-households]",
        "[site-id, district, site-id, child-headed-households]",
        "7:33: 'site-id' stands twice in this list",
    ),
    "item of the wrong type": bad(
        REQUEST,
        "[site-id, district, child-headed-households]",
        "[site-id, 12, district, child-headed-households]",
        "7:23: an item of 'indicators' must be one text; put it in quotes",
    ),
    "two lines": bad(
        OPERATION,
        "name: Earthquake in Xyz",
        "name: |\n  Earthquake\n  in Xyz",
        "5:7: 'name' must be one line of text, without blanks around it",
    ),
    "bad id": bad(
        GENERAL,
        "id: general",
        "id: General indicators",
        "3:5: 'General indicators' is not an id here; use small letters, digits and single hyphens, as in site-type",
    ),
    "bad scoped id": bad(
        OPERATION,
        "id: xyz/earthquake",
        "id: earthquake",
        "xyz/assessments/site-assessment.yaml:4:12: there is no operation 'xyz/earthquake' (did you mean 'earthquake'?)",
        "xyz/datasets/site-assessment.yaml:5:12: there is no operation 'xyz/earthquake' (did you mean 'earthquake'?)",
        "3:5: 'earthquake' is not an id here; write <country>/<name> in small letters, as in npl/site-assessment",
    ),
    "bad date": bad(
        ASSESSMENT,
        "review_by: 2027-09-14",
        "review_by: 2026-13-01",
        "11:12: '2026-13-01' is not a date; write YYYY-MM-DD",
    ),
    "date with a time": bad(
        ASSESSMENT,
        "review_by: 2027-09-14",
        "review_by: 2027-09-14T00:00:00",
        "11:12: '2027-09-14T00:00:00' has a clock; a policy date is a whole day: write 2027-09-14",
    ),
    "date with more digits": bad(
        ASSESSMENT,
        "review_by: 2027-09-14",
        "review_by: 2027-09-1400",
        "11:12: '2027-09-1400' is not a date; write YYYY-MM-DD",
    ),
    "date the other way round": bad(
        ASSESSMENT,
        "review_by: 2027-09-14",
        "review_by: 14.09.2027",
        "11:12: '14.09.2027' is not a date; write YYYY-MM-DD",
    ),
    "date as a number": bad(
        ASSESSMENT,
        "review_by: 2027-09-14",
        "review_by: 20270914",
        "11:12: '20270914' is not a date; write YYYY-MM-DD",
    ),
    "grain": bad(DATASET, "grain: site", "grain: sit", "7:8: 'sit' is not a grain (did you mean 'site'?)"),
    "grain like none": bad(
        DATASET,
        "grain: site",
        "grain: village",
        "7:8: 'village' is not a grain; write one of national, admin1, admin2, admin3, site, household, individual, incident",
    ),
    "grain of a level": bad(
        CONTACTS,
        "incident: Secret}",
        "incidents: Secret}",
        "7:56: 'incidents' is not a grain (did you mean 'incident'?)",
    ),
    "component": bad(
        DATASET,
        "component: SA",
        "component: XX",
        "6:12: 'XX' is not a component; write one of BA, SA, ETT, FMR, FMS",
    ),
    "context": bad(
        OPERATION,
        "context: disaster",
        "context: disasters",
        "6:10: 'disasters' is not a context (did you mean 'disaster'?)",
    ),
    "country": bad(
        OPERATION,
        "country: XYZ",
        "country: Xyz",
        "4:10: 'Xyz' is not a country; write the three capital letters of ISO 3166-1, as in NPL",
    ),
    "encoding": bad(
        DATASET,
        "encoding: utf-8",
        "encoding: utf-88",
        "10:11: 'utf-88' is not a text encoding; write e.g. utf-8, cp1252 or latin-1",
    ),
    "encoding of bytes": bad(
        DATASET,
        "encoding: utf-8",
        "encoding: base64",
        "10:11: 'base64' is not a text encoding; write e.g. utf-8, cp1252 or latin-1",
    ),
    "role": bad(
        SCPA,
        "role: secondary",
        "role: secondery",
        "8:36: what 'role' says is not a role (did you mean 'secondary'?)",
    ),
    "e-mail": bad(
        SCPA,
        "email: primary@scpa.example.org",
        "email: 'primary@scpa.example.org, b@example.org'",
        "6:80: 'email' is not one e-mail address",
    ),
    "state": bad(
        REQUEST,
        "state: approved",
        "state: aproved",
        "8:8: 'aproved' is not a state of a request (did you mean 'approved'?)",
    ),
    "method": bad(
        AGREEMENT,
        "method: excel-email",
        "method: excel",
        "16:13: 'excel' is not a method (did you mean 'excel-email'?)",
    ),
    "urgency": bad(
        AGREEMENT, "urgency: low", "urgency: lo", "10:14: 'lo' is not an urgency (did you mean 'low'?)"
    ),
    "high urgency": bad(
        AGREEMENT,
        "urgency: medium",
        "urgency: high",
        "17:14: high urgency is a referral, outside the guideline: personal information is Secret and enters no pathway",
    ),
    "timeline": bad(
        AGREEMENT,
        "timeline: within 2 days",
        "timeline: in 2 days",
        "18:15: 'in 2 days' is not a timeline; write 'monthly' (low urgency) or 'within N days' (medium)",
    ),
    "language": bad(
        GENERAL,
        "names: {en: [district]",
        "names: {English: [district]",
        "15:13: 'English' is not a language; write its code in small letters, as in en, fr, es, ar",
    ),
    "code": bad(
        GENERAL,
        "codes: [m0310]",
        "codes: [0310]",
        "20:13: an item of 'codes' must be one text; put it in quotes",
    ),
    "code as a text": bad(
        GENERAL,
        "codes: [m0310]",
        "codes: [x0310]",
        "20:13: 'x0310' is not a code of the DTM Data Dictionary; write it as in m0310",
    ),
    "hxl": bad(
        GENERAL,
        "hxl: ['#loc+code']",
        "hxl: ['loc+code']",
        "12:11: 'loc+code' is not an HXL tag; it begins with '#', in quotes",
    ),
    "class of Table A": bad(
        CLASSIFICATION,
        "level: Public",
        "level: public",
        "5:12: 'public' is not a level of Table A (did you mean 'Public'?)",
    ),
    "risk of not sharing is missing": bad(
        ASSESSMENT,
        "risk_of_not_sharing: Children do not reach a service in time.\n",
        "",
        "2:1: 'risk_of_not_sharing' is missing: an assessment weighs both the risk of sharing and the risk of not sharing",
    ),
    "risk of not sharing is empty": bad(
        ASSESSMENT,
        "risk_of_not_sharing: Children do not reach a service in time.",
        "risk_of_not_sharing:",
        "18:1: 'risk_of_not_sharing' is empty: an assessment weighs both the risk of sharing and the risk of not sharing",
    ),
    "risk of not sharing is blank": bad(
        ASSESSMENT,
        "risk_of_not_sharing: Children do not reach a service in time.",
        "risk_of_not_sharing: ' '",
        "18:22: 'risk_of_not_sharing' is empty: an assessment weighs both the risk of sharing and the risk of not sharing",
    ),
    "impact on one is missing": bad(
        ASSESSMENT,
        "  communities: A site could be blamed for what it reports.\n",
        "",
        "13:3: 'communities' is missing from the impact",
    ),
}

WRONG_TOGETHER = {
    "same indicator twice": bad(
        PROTECTION,
        "id: security-actor",
        "id: site-type",
        "17:9: the indicator id 'site-type' is used twice; the first is in indicators/general.yaml:16",
        "relations.yaml:8:10: there is no indicator 'security-actor'",
        "xyz/datasets/site-assessment.yaml:29:16: there is no indicator 'security-actor'",
    ),
    "same organization twice": bad(
        SCPA,
        "id: scpa",
        "id: iom",
        "xyz/agreements/child-protection.yaml:4:15: there is no organization 'scpa'",
        "xyz/agreements/child-protection.yaml:6:32: there is no organization 'scpa'",
        "3:5: the organization id 'iom' is used twice; the first is in xyz/focal_points/iom.yaml:3",
        "xyz/requests/child-protection.yaml:4:15: there is no organization 'scpa'",
    ),
    "same focal point twice": bad(
        SCPA,
        "id: xyz/scpa-secondary",
        "id: xyz/iom-secondary",
        "xyz/agreements/child-protection.yaml:22:37: there is no focal point 'xyz/scpa-secondary' (did you mean 'xyz/iom-secondary'?)",
        "8:10: the focal point id 'xyz/iom-secondary' is used twice; the first is in xyz/focal_points/iom.yaml:8",
    ),
    "second classification": bad(
        RELATIONS,
        "kind: relations\nid: relations\n",
        "kind: classification\nid: other\nlevels: []\n",
        "2:7: a folder has one classification; the first is in classification.yaml:2",
        "4:1: the level 'Confidential' is missing from Table A",
        "4:1: the level 'Public' is missing from Table A",
        "4:1: the level 'Secret' is missing from Table A",
        "5:1: 'relations' is not a key of a classification file",
    ),
    "level is missing from Table A": bad(
        CLASSIFICATION,
        "level: Secret",
        "level: Public",
        "4:1: the level 'Secret' is missing from Table A",
        "15:12: the level 'Public' stands twice",
    ),
    "word with two meanings": bad(
        CLASSIFICATION,
        "aliases: {other-agencies: [protected]}",
        "aliases: {other-agencies: [protected, restricted]}",
        "16:32: 'restricted' already means Confidential in the scheme 'other-agencies'",
    ),
    "no such indicator": bad(
        DATASET,
        "indicator: contact-phone",
        "indicator: contact-fone",
        "20:16: there is no indicator 'contact-fone' (did you mean 'contact-phone'?)",
    ),
    "no such indicator, nor any like it": bad(
        RELATIONS, "[feelings-of-safety]", "[zzzzzz]", "7:10: there is no indicator 'zzzzzz'"
    ),
    "no such operation": bad(
        DATASET,
        "operation: xyz/earthquake",
        "operation: xyz/earthquakes",
        "5:12: there is no operation 'xyz/earthquakes' (did you mean 'xyz/earthquake'?)",
    ),
    "no such dataset": bad(
        ASSESSMENT,
        "datasets: [xyz/site-assessment]",
        "datasets: [xyz/site-assesment]",
        "7:12: there is no dataset 'xyz/site-assesment' (did you mean 'xyz/site-assessment'?)",
    ),
    "no such focal point": bad(
        ASSESSMENT,
        "xyz/iom-protection-expert",
        "xyz/iom-protection",
        "8:60: there is no focal point 'xyz/iom-protection' (did you mean 'xyz/iom-protection-expert'?)",
    ),
    "no such organization": bad(
        REQUEST,
        "organization: scpa",
        "organization: scap",
        "4:15: there is no organization 'scap' (did you mean 'scpa'?)",
    ),
    "no such request": bad(
        AGREEMENT,
        "request: xyz/child-protection-request",
        "request: xyz/child-protection-requests",
        "5:10: there is no request 'xyz/child-protection-requests' (did you mean 'xyz/child-protection-request'?)",
    ),
    "bare confidential": bad(
        RELATIONS,
        "level: Confidential",
        "level: confidential",
        "10:12: 'confidential' means Secret to some agencies; write 'Confidential', or name the scheme, as in 'other-agencies:confidential'",
    ),
    "CONFIDENTIAL": bad(
        RELATIONS,
        "level: Confidential",
        "level: CONFIDENTIAL",
        "10:12: 'CONFIDENTIAL' means Secret to some agencies; write 'Confidential', or name the scheme, as in 'other-agencies:confidential'",
    ),
    "level in small letters": bad(
        RELATIONS,
        "level: Confidential",
        "level: secret",
        "10:12: 'secret' is not a level (did you mean 'Secret'?)",
    ),
    "level that is nearly the word confidential": bad(
        RELATIONS,
        "level: Confidential",
        "level: confidental",
        "10:12: 'confidental' is not a level (did you mean 'Confidential'?)",
    ),
    "level that nobody knows": bad(
        RELATIONS,
        "level: Confidential",
        "level: zzz",
        "10:12: 'zzz' is not a level; write Public, Confidential or Secret",
    ),
    "word of an unknown scheme": bad(
        RELATIONS,
        "level: Confidential",
        "level: other-agency:restricted",
        "10:12: there is no naming scheme 'other-agency' (did you mean 'other-agencies'?)",
    ),
    "unknown word of a scheme": bad(
        RELATIONS,
        "level: Confidential",
        "level: other-agencies:restrictd",
        "10:12: the scheme 'other-agencies' has no word 'restrictd' (did you mean 'restricted'?)",
    ),
    "levels of its own without a basis": bad(
        PROTECTION,
        "    basis: Harmless alone; see the relation with security actors\n",
        "",
        "14:5: an indicator with levels of its own gives its 'basis' too",
    ),
    "operation ends before it begins": bad(
        OPERATION,
        "valid_until: 2027-12-31",
        "valid_until: 2025-12-31",
        "8:14: 'valid_until' is before 'valid_from'",
    ),
    "operation that still tightens": bad(
        OPERATION,
        "context: disaster\n",
        "context: disaster\ntightens:\n  - {indicator: security-actor, grain: site, level: Public, why: because}\n",
        "7:1: 'tightens' is no key of an operation file any more: write an overlay: a file of its own in overlays/, with 'kind: overlay'",
    ),
    "operation of another country than its id says": bad(
        OPERATION,
        "country: XYZ",
        "country: ABC",
        "xyz/assessments/site-assessment.yaml:5:10: the operation 'xyz/earthquake' is in ABC, not in XYZ",
        "3:5: the id of an operation in ABC begins with 'abc/'",
    ),
    "dataset of another country than its operation": bad(
        DATASET,
        "id: xyz/site-assessment",
        "id: abc/site-assessment",
        *(
            f"{where}: there is no dataset 'xyz/site-assessment' (did you mean 'abc/site-assessment'?)"
            for where in (
                "xyz/agreements/child-protection.yaml:13:18",
                "xyz/agreements/child-protection.yaml:20:18",
                "xyz/assessments/site-assessment.yaml:7:12",
            )
        ),
        "3:5: the id of a dataset of 'xyz/earthquake' begins with 'xyz/'",
        "xyz/requests/child-protection.yaml:6:12: there is no dataset 'xyz/site-assessment' (did you mean 'abc/site-assessment'?)",
    ),
    "overlay loosens": bad(
        OVERLAY,
        "indicator: feelings-of-safety, grain: site, level: Confidential",
        "indicator: security-actor, grain: site, level: Public",
        "10:53: 'security-actor' at grain site is Confidential, and Public would lower it; a tightening only raises",
        "xyz/waivers/published.yaml:6:11: there is no rule 'overlay:xyz/tense/feelings-of-safety@site' (did you mean 'overlay:xyz/tense/feelings-of-safety@admin3'?)",
    ),
    "overlay with two levels for one thing": bad(
        OVERLAY,
        "grain: admin3",
        "grain: site",
        "11:5: 'feelings-of-safety' at grain site has a level here already, on line 10; keep one of the two",
    ),
    "overlay on what does not exist": bad(
        OVERLAY,
        "indicator: feelings-of-safety, grain: site",
        "indicator: feeling-of-safety, grain: site",
        "10:17: there is no indicator 'feeling-of-safety' (did you mean 'feelings-of-safety'?)",
        "xyz/waivers/published.yaml:6:11: there is no rule 'overlay:xyz/tense/feelings-of-safety@site' (did you mean 'overlay:xyz/tense/feeling-of-safety@site'?)",
    ),
    "overlay that applies to nothing": bad(
        OVERLAY,
        "applies_to: {countries: [XYZ], operations: [xyz/earthquake]}",
        "applies_to: {}",
        "4:13: 'applies_to' needs at least one of countries, operations and contexts",
    ),
    "overlay for a country without an operation": bad(
        OVERLAY,
        "applies_to: {countries: [XYZ], operations: [xyz/earthquake]}",
        "applies_to: {countries: [XYZ, XZY]}",
        "4:31: no operation is in 'XZY' (did you mean 'XYZ'?); this would tighten nothing",
    ),
    "overlay for an operation elsewhere": bad(
        OVERLAY,
        "countries: [XYZ]",
        "countries: [ABC]",
        "4:26: no operation is in 'ABC'; this would tighten nothing",
        "4:45: 'xyz/earthquake' is in XYZ, which 'countries' lacks; this would tighten nothing",
        "xyz/waivers/published.yaml:6:11: 'overlay:xyz/tense/feelings-of-safety@site' has no part in the operation 'xyz/earthquake'; remove it here",
    ),
    "overlay for no operation": bad(
        OVERLAY,
        "operations: [xyz/earthquake]",
        "operations: [xyz/earthqake]",
        "4:45: there is no operation 'xyz/earthqake' (did you mean 'xyz/earthquake'?)",
        "xyz/waivers/published.yaml:6:11: 'overlay:xyz/tense/feelings-of-safety@site' has no part in the operation 'xyz/earthquake'; remove it here",
    ),
    "overlay for a context like none": bad(
        OVERLAY,
        "operations: [xyz/earthquake]",
        "contexts: [war]",
        "4:43: 'war' is not a context; write one of disaster, conflict, mixed",
    ),
    "overlay with an empty list": bad(
        OVERLAY,
        "countries: [XYZ]",
        "countries: []",
        "4:25: 'countries' needs at least one item",
    ),
    "overlay ends before it begins": bad(
        OVERLAY,
        "valid_until: 2026-12-31",
        "valid_until: 2026-10-31",
        "6:14: 'valid_until' is before 'valid_from'",
    ),
    "overlay builds on itself": bad(
        OVERLAY,
        "why: People",
        "builds_on: [xyz/tense]\nwhy: People",
        "7:13: these overlays build on each other in a circle: xyz/tense → xyz/tense; take one step out",
    ),
    "overlay builds on nothing": bad(
        OVERLAY,
        "why: People",
        "builds_on: [tense]\nwhy: People",
        "7:13: there is no overlay 'tense' (did you mean 'xyz/tense'?)",
    ),
    "overlay has a bad id": bad(
        OVERLAY,
        "id: xyz/tense",
        "id: Xyz/Tense",
        "3:5: 'Xyz/Tense' is not an id here; write it in small letters, as in conflict or npl/caste-and-ethnicity",
    ),
    "Secret by an overlay": bad(
        OVERLAY,
        "indicator: feelings-of-safety, grain: admin3, level: Confidential",
        "indicator: district, grain: site, level: other-agencies:restricted",
        "xyz/agreements/child-protection.yaml:14:31: Secret enters no pathway: 'district' is Secret at grain site",
    ),
    "assessment loosens": bad(
        ASSESSMENT,
        "risk_of_sharing:",
        "levels: [{indicator: contact-phone, grain: site, level: other-agencies:protected, why: x}]\nrisk_of_sharing:",
        "17:57: 'contact-phone' at grain site is Secret, and Confidential would lower it; a tightening only raises",
    ),
    "column twice": bad(
        DATASET,
        "name: District",
        "name: ' site  ID'",
        "14:11: the column ' site  ID' is declared twice; the first is on line 12",
    ),
    "spelling of another column": bad(
        DATASET,
        "spellings: [Number of individuals]",
        "spellings: [district]",
        "22:17: the column 'district' is declared twice; the first is on line 14",
    ),
    "column declared twice, which looks so in small letters only": bad(
        DATASET,
        "- name: Individuals\n    spellings: [Number of individuals]\n    indicator: idp-individuals\n  - name: Child-headed households\n",
        "- name: '\u0390'\n    indicator: idp-individuals\n  - name: '\u03aa\u0301'\n",
        "23:11: the column '\u03aa\u0301' is declared twice; the first is on line 21",
    ),
    "continuation that is a column": bad(
        DATASET,
        "- name: Individuals\n",
        "- name: If other, please specify\n",
        "18:20: 'If other, please specify' is also a column, on line 21; it cannot be a continuation too",
        "30:20: 'If other, please specify' is also a column, on line 21; it cannot be a continuation too",
    ),
    "column that a continuation is known as": bad(
        DATASET,
        "- name: Individuals\n",
        "- name: 'Site type:  if OTHER, please specify'\n",
        "18:20: this continuation is known as 'Site type: If other, please specify', which is also a column, on line 21; it cannot be a continuation too",
    ),
    "spelling that a later continuation is known as": bad(
        DATASET,
        "spellings: [Number of individuals]",
        "spellings: ['Security provider: If other, please specify']",
        "30:20: this continuation is known as 'Security provider: If other, please specify', which is also a column, on line 22; it cannot be a continuation too",
    ),
    "continuations of two questions that are known as the same": bad(
        DATASET,
        "['If other, please specify']\n  - name: Site manager phone\n",
        "['Name: Which']\n  - name: 'Site type: Name'\n    indicator: site-type\n    continued_by: [Which]\n  - name: Site manager phone\n",
        "21:20: this continuation is known as 'Site type: Name: Which', and so is the one on line 18; one header cannot be a continuation of two questions",
    ),
    "continuation that another is known as": bad(
        DATASET,
        "    indicator: idp-individuals\n",
        "    indicator: idp-individuals\n    continued_by: ['Site type: If other, please specify']\n",
        "18:20: this continuation is known as 'Site type: If other, please specify', and so is the one on line 24; one header cannot be a continuation of two questions",
    ),
    "part of the key that goes at collection": bad(
        DATASET,
        "key: [Site ID]",
        "key: [Site ID, Site manager phone]",
        "31:22: the column 'Site manager phone' is a part of the key, so it cannot go at collection: without it, nobody sees that several rows are of one site",
    ),
    "two organizations of one name": bad(
        SCPA,
        "organization: Sample Child Protection Agency",
        "organization: iom  XYZ",
        "4:15: an organization of this name is declared twice; the first is in xyz/focal_points/iom.yaml:4",
    ),
    "one mailbox for two organizations": bad(
        SCPA,
        "secondary@scpa.example.org",
        "Officer+scpa@example.org",
        "8:5: the same person, by address or number, is a focal point of 'iom' (xyz/focal_points/iom.yaml:8) on some of the same days; what the one may not have beside the other's would be in one mailbox",
    ),
    "columns that are a text": bad(
        DATASET,
        _COLUMNS,
        "columns: none\n",
        "11:10: 'columns' must be a list; write [a, b], or each item on its own line after '- '",
    ),
    "key that is no column": bad(
        DATASET,
        "key: [Site ID]",
        "key: [Site Id]",
        "8:7: there is no column 'Site Id' in this dataset (did you mean 'Site ID'?)",
    ),
    "dropped column that is no column": bad(
        DATASET,
        "drop_at_collection: [Site manager phone]",
        "drop_at_collection: [Site managers phone]",
        "31:22: there is no column 'Site managers phone' in this dataset (did you mean 'Site manager phone'?)",
    ),
    "assessed by one person": bad(
        ASSESSMENT,
        "sectoral_expert: xyz/iom-protection-expert",
        "sectoral_expert: xyz/iom-primary",
        "8:60: the coordinator and the sectoral expert are the same person; an assessment needs two people",
    ),
    "assessed by one person under two ids": bad(
        IOM,
        "email: expert@example.org",
        "email: Coordinator@example.org",
        "xyz/assessments/site-assessment.yaml:8:60: the coordinator and the sectoral expert are the same person; an assessment needs two people",
    ),
    "assessed by one number under two ids": bad(
        IOM,
        "mobile: '+000 1000003'",
        "mobile: '00 000-100 0001'",
        "xyz/assessments/site-assessment.yaml:8:60: the coordinator and the sectoral expert are the same person; an assessment needs two people",
    ),
    "assessed by one name under two ids": bad(
        IOM,
        _PEOPLE,
        _PEOPLE.replace("DTM Coordinator", "DTM Coordinator, name: Amina  ÉXAMPLE").replace(
            "Protection Lead", "Protection Lead, name: amina e\u0301xample"
        ),
        "xyz/assessments/site-assessment.yaml:8:60: the coordinator and the sectoral expert are the same person; an assessment needs two people",
    ),
    "assessor not in office": bad(
        IOM,
        "in_office_from: 2026-01-01, in_office_until: 2027-12-31",
        "in_office_from: 2026-09-16, in_office_until: 2027-12-31",
        "xyz/assessments/site-assessment.yaml:8:26: 'xyz/iom-primary' was not in office on 2026-09-15",
    ),
    "assessed after collection began": bad(
        ASSESSMENT,
        "assessed_on: 2026-09-15",
        "assessed_on: 2026-10-01",
        "9:14: an assessment is made before collection begins; this one is not",
    ),
    "review before assessment": bad(
        ASSESSMENT,
        "review_by: 2027-09-14",
        "review_by: 2026-09-15",
        "11:12: 'review_by' is not after 'assessed_on'",
    ),
    "no secondary": bad(
        SCPA,
        "role: secondary",
        "role: sectoral-expert",
        "5:1: no focal point has the role secondary; Table C needs a primary and a secondary",
    ),
    "office ends before it begins": bad(
        SCPA,
        "in_office_from: 2026-01-01, in_office_until: 2027-12-31",
        "in_office_from: 2026-01-01, in_office_until: 2025-12-31",
        "xyz/agreements/child-protection.yaml:6:38: 'xyz/scpa-primary' is not in office on 2026-10-01, when the agreement begins",
        "7:75: 'in_office_until' is before 'in_office_from'",
    ),
    "approved without dates": bad(
        REQUEST,
        "decided_on: 2026-09-20\nvalid_from: 2026-10-01\nvalid_until: 2027-09-30\n",
        "",
        "8:8: a request in state 'approved' needs 'decided_on'; it is missing",
        "8:8: a request in state 'approved' needs 'valid_from'; it is missing",
        "8:8: a request in state 'approved' needs 'valid_until'; it is missing",
    ),
    "approved with a reason": bad(
        REQUEST,
        "state: approved",
        "state: approved\nreason: because",
        "9:1: a request in state 'approved' has no 'reason'; remove it",
    ),
    "requested, but decided": bad(
        REQUEST,
        "state: approved",
        "state: requested",
        "10:1: a request in state 'requested' has no 'decided_on'; remove it",
        "11:1: a request in state 'requested' has no 'valid_from'; remove it",
        "12:1: a request in state 'requested' has no 'valid_until'; remove it",
    ),
    "refused without a reason": bad(
        REQUEST,
        "state: approved",
        "state: refused",
        "8:8: a request in state 'refused' needs 'reason'; it is missing",
        "11:1: a request in state 'refused' has no 'valid_from'; remove it",
        "12:1: a request in state 'refused' has no 'valid_until'; remove it",
    ),
    "decided before it was requested": bad(
        REQUEST,
        "decided_on: 2026-09-20",
        "decided_on: 2026-08-20",
        "10:13: 'decided_on' is before 'requested_on'",
    ),
    "agreement ends before it begins": bad(
        AGREEMENT,
        "valid_until: 2027-09-30",
        "valid_until: 2026-09-30",
        "8:14: 'valid_until' is before 'valid_from'",
    ),
    "relation that makes nothing stricter": bad(
        RELATIONS,
        "level: Confidential",
        "level: Public",
        "10:12: a relation that asks for Public makes nothing stricter; write Confidential or Secret",
    ),
    "group twice in a relation": bad(
        RELATIONS,
        "      - [feelings-of-safety]\n",
        "      - [feelings-of-safety, district]\n      - [district, feelings-of-safety]\n",
        "8:9: this group stands twice; the first is on line 7",
    ),
    "signed before the signer came into office": bad(
        SCPA,
        "in_office_from: 2026-01-01, in_office_until: 2027-12-31",
        "in_office_from: 2026-10-02, in_office_until: 2027-12-31",
        "xyz/agreements/child-protection.yaml:6:38: 'xyz/scpa-primary' is not in office on 2026-10-01, when the agreement begins",
    ),
    "request of another organization": bad(
        REQUEST,
        "organization: scpa",
        "organization: iom",
        "xyz/agreements/child-protection.yaml:5:10: 'xyz/child-protection-request' is a request of 'iom', not of this organization",
    ),
    "agreement with ourselves": bad(
        AGREEMENT,
        "organization: scpa",
        "organization: iom",
        "4:15: an agreement is with another organization than IOM",
        "5:10: 'xyz/child-protection-request' is a request of 'scpa', not of this organization",
        "15:19: 'xyz/scpa-primary' is no focal point of 'iom'",
        "22:19: 'xyz/scpa-primary' is no focal point of 'iom'",
        "22:37: 'xyz/scpa-secondary' is no focal point of 'iom'",
    ),
    "one signature": bad(
        AGREEMENT,
        "signed: {iom: xyz/iom-primary, scpa: xyz/scpa-primary}",
        "signed: {scpa: xyz/scpa-primary}",
        "6:1: an agreement is signed by both sides; the signature of 'iom' is missing",
    ),
    "agreement signed by an expert": bad(
        AGREEMENT,
        "iom: xyz/iom-primary",
        "iom: xyz/iom-protection-expert",
        "6:15: 'xyz/iom-protection-expert' has the role sectoral-expert; a primary or a secondary focal point signs an agreement",
    ),
    "signed for the other side": bad(
        AGREEMENT,
        "scpa: xyz/scpa-primary}",
        "scpa: xyz/iom-secondary}",
        "6:38: 'xyz/iom-secondary' is no focal point of 'scpa'",
    ),
    "two pathways of one urgency": bad(
        AGREEMENT,
        "  - urgency: medium\n    timeline: within 2 days",
        "  - urgency: low\n    timeline: monthly",
        "17:14: a second pathway of low urgency; the first is on line 10",
        "23:13: 'document-email' is no method of low urgency (Table B); write portal or excel-email",
    ),
    "method of the other urgency": bad(
        AGREEMENT,
        "method: document-email",
        "method: portal",
        "23:13: 'portal' is no method of medium urgency (Table B); write document-email or telephone",
    ),
    "timeline of the other urgency": bad(
        AGREEMENT,
        "timeline: within 2 days",
        "timeline: monthly",
        "18:15: 'monthly' is no timeline of medium urgency (Table B); write 'within N days'",
    ),
    "destination elsewhere": bad(
        AGREEMENT,
        "destination: [xyz/scpa-primary]",
        "destination: [xyz/iom-secondary]",
        "15:19: 'xyz/iom-secondary' is no focal point of 'scpa'",
    ),
    "not in the request": bad(
        REQUEST,
        "indicators: [site-id, district, child-headed-households]",
        "indicators: [site-id, child-headed-households]",
        "xyz/agreements/child-protection.yaml:14:31: 'district' is not in the request 'xyz/child-protection-request'",
    ),
    "dataset not in the request": bad(
        REQUEST,
        "datasets: [xyz/site-assessment]",
        "datasets: [xyz/others]",
        "xyz/agreements/child-protection.yaml:13:18: 'xyz/site-assessment' is not in the request 'xyz/child-protection-request'",
        "xyz/agreements/child-protection.yaml:20:18: 'xyz/site-assessment' is not in the request 'xyz/child-protection-request'",
        "6:12: there is no dataset 'xyz/others'",
    ),
    "no column for it": bad(
        DATASET,
        "indicator: district",
        "indicator: site-type",
        "xyz/agreements/child-protection.yaml:14:31: 'xyz/site-assessment' keeps no column of the indicator 'district'",
    ),
    "its only column is dropped": bad(
        DATASET,
        "drop_at_collection: [Site manager phone]",
        "drop_at_collection: [Site manager phone, District]",
        "xyz/agreements/child-protection.yaml:14:31: 'xyz/site-assessment' keeps no column of the indicator 'district'",
    ),
    "Secret in a pathway": bad(
        PROTECTION,
        "title: Child-headed households\n",
        "title: Child-headed households\n    basis: x\n    levels: {site: Secret}\n",
        "xyz/agreements/child-protection.yaml:14:41: Secret enters no pathway: 'child-headed-households' is Secret at grain site",
        "xyz/agreements/child-protection.yaml:21:31: Secret enters no pathway: 'child-headed-households' is Secret at grain site",
    ),
    "relation with an unknown indicator": bad(
        RELATIONS,
        "- [security-actor]",
        "- [security-actor, army]",
        "8:26: there is no indicator 'army'",
    ),
    "relation with an unknown key": bad(
        RELATIONS,
        "    grains: [admin2",
        "    keys: [site-id, site-uid]\n    grains: [admin2",
        "9:21: there is no indicator 'site-uid' (did you mean 'site-id'?)",
    ),
    "Secret together in a pathway": bad(
        RELATIONS,
        "- [feelings-of-safety]\n      - [security-actor]\n    grains: [admin2, admin3, site, household, individual]\n    level: Confidential",
        "- [feelings-of-safety, district]\n      - [child-headed-households]\n    grains: [site]\n    level: Secret",
        "xyz/agreements/child-protection.yaml:14:31: Secret enters no pathway: together 'district' and 'child-headed-households' are Secret by the relation 'safety-and-armed-actors' (relations.yaml:5)",
    ),
    "identifies like none": bad(
        GENERAL,
        "title: District",
        "title: District\n    identifies: district",
        "15:17: 'district' is not a grain; write one of national, admin1, admin2, admin3, site, household, individual, incident",
    ),
    "additive as a text": bad(
        GENERAL,
        "title: Displaced individuals",
        "title: Displaced individuals\n    additive: yes",
        "20:15: 'additive' must be true or false, without quotes",
    ),
    "assessment of another country": bad(
        ASSESSMENT,
        "country: XYZ",
        "country: ABC",
        "5:10: the operation 'xyz/earthquake' is in XYZ, not in ABC",
    ),
    "assessment without a context": bad(
        ASSESSMENT, "context: disaster\n", "", "2:1: 'context' is missing from an assessment file"
    ),
    "coordinator of the other side": bad(
        ASSESSMENT,
        "coordinator: xyz/iom-primary",
        "coordinator: xyz/scpa-primary",
        "8:26: 'xyz/scpa-primary' is no focal point of 'iom'; the coordinator is IOM's",
    ),
    "expert who is none": bad(
        ASSESSMENT,
        "sectoral_expert: xyz/iom-protection-expert",
        "sectoral_expert: xyz/iom-secondary",
        "8:60: 'xyz/iom-secondary' has the role secondary; here stands one with the role sectoral-expert",
    ),
    "revoked without a reason": bad(
        REQUEST,
        "state: approved",
        "state: revoked",
        "8:8: a request in state 'revoked' needs 'reason'; it is missing",
    ),
    "two primaries at a time": bad(
        SCPA,
        "role: secondary",
        "role: primary",
        "5:1: no focal point has the role secondary; Table C needs a primary and a secondary",
        "8:5: 'xyz/scpa-secondary' is primary while 'xyz/scpa-primary' still is (line 6); end the one the day before the other begins",
    ),
    "two primaries at a time, the later one first": bad(
        SCPA,
        "role: secondary, title: Information Manager, email: secondary@scpa.example.org,\n     mobile: '+000 2000002', in_office_from: 2026",
        "role: primary, title: Information Manager, email: secondary@scpa.example.org,\n     mobile: '+000 2000002', in_office_from: 2025",
        "5:1: no focal point has the role secondary; Table C needs a primary and a secondary",
        "6:5: 'xyz/scpa-primary' is primary while 'xyz/scpa-secondary' still is (line 8); end the one the day before the other begins",
    ),
    # ------------------------------------------------------------------------------------ waivers
    "waiver of a rule that is none": bad(
        WAIVER,
        "indicator:security-actor@site",
        "indicator:security-actors@site",
        "6:56: there is no rule 'indicator:security-actors@site' (did you mean 'indicator:security-actor@site'?)",
    ),
    "waiver of Secret": bad(
        WAIVER,
        "indicator:security-actor@site",
        "indicator:contact-phone@site",
        "6:56: 'indicator:contact-phone@site' asks for Secret, which no waiver relaxes; personal data need IOM Legal",
    ),
    "waiver that lowers nothing": bad(
        WAIVER,
        "level: Public",
        "level: Confidential",
        "6:11: 'overlay:xyz/tense/feelings-of-safety@site' asks for Confidential; a waiver to Confidential relaxes nothing",
        "6:56: 'indicator:security-actor@site' asks for Confidential; a waiver to Confidential relaxes nothing",
    ),
    "waiver signed by one person": bad(
        WAIVER,
        "sectoral_expert: xyz/iom-protection-expert",
        "sectoral_expert: xyz/iom-primary",
        "9:61: the coordinator and the sectoral expert are the same person; a waiver needs two people",
    ),
    "waiver signed by somebody not in office": bad(
        WAIVER,
        "signed_on: 2026-10-20",
        "signed_on: 2025-10-20",
        "9:27: 'xyz/iom-primary' was not in office on 2025-10-20",
        "9:61: 'xyz/iom-protection-expert' was not in office on 2025-10-20",
    ),
    "waiver signed by the other side": bad(
        WAIVER,
        "coordinator: xyz/iom-primary",
        "coordinator: xyz/scpa-primary",
        "9:27: 'xyz/scpa-primary' is no focal point of 'iom'; the coordinator is IOM's",
    ),
    "waiver signed too late": bad(
        WAIVER,
        "signed_on: 2026-10-20",
        "signed_on: 2026-11-02",
        "10:12: 'signed_on' is after 'valid_from'; a waiver holds from 2026-11-02 at the earliest",
    ),
    "waiver without an end": bad(
        WAIVER, "valid_until: 2026-11-30\n", "", "2:1: 'valid_until' is missing from a waiver file"
    ),
    "waiver without a reason": bad(
        WAIVER,
        "why: The ministry publishes who guards each site.\n",
        "",
        "2:1: 'why' is missing from a waiver file",
    ),
    "waiver without a signature": bad(
        WAIVER,
        ", sectoral_expert: xyz/iom-protection-expert",
        "",
        "9:13: 'sectoral_expert' is missing from the signatures",
    ),
    "waiver for a dataset that is none": bad(
        WAIVER,
        "datasets: [xyz/site-assessment]",
        "datasets: [xyz/sites]",
        "5:12: there is no dataset 'xyz/sites' (did you mean 'xyz/site-assessment'?)",
    ),
    "waiver with a clock": bad(
        WAIVER,
        "valid_from: 2026-11-01",
        "valid_from: 2026-11-01 10:00+02:00",
        "11:13: '2026-11-01 10:00+02:00' has a clock and a time zone; a policy date is a whole day: write 2026-11-01",
    ),
    "date with a zone": bad(
        WAIVER,
        "valid_from: 2026-11-01",
        "valid_from: 2026-11-01Z",
        "11:13: '2026-11-01Z' has a time zone; a policy date is a whole day: write 2026-11-01",
    ),
    "date with a zone of hours": bad(
        WAIVER,
        "valid_from: 2026-11-01",
        "valid_from: 2026-11-01+05:45",
        "11:13: '2026-11-01+05:45' has a time zone; a policy date is a whole day: write 2026-11-01",
    ),
    "only a clock": bad(
        WAIVER,
        "valid_from: 2026-11-01",
        "valid_from: 10:00",
        "11:13: '10:00' has a clock; a policy date is a whole day: write YYYY-MM-DD",
    ),
}

BAD = {**NOT_YAML, **WRONG_SHAPE, **WRONG_TOGETHER}
