"""P-codes: which code of a country is how deep.

Counted in the Global P-code list of OCHA and its partners (HDX, data set ``global-pcodes``), first and second
level. What is longer is finer: up to three digits more (two behind a hyphen, as in Haiti) are the third
level, everything after it a place.
"""

from __future__ import annotations

from collections.abc import Mapping

from dtm_sharing.model import Dataset, Grain, country_of

# Digits of the first level, and of the second with it -> country and the letters before them. Where a
# country has codes of several lengths, the most frequent. Left out: whose codes are of one length at both.
_DIGITS = {
    (1, 2): "COM:KM LBN:LB LKA:LK RWA:RW SYC:SC TON:TO TUN:TN",
    (1, 3): "CRI:CR ERI:ER FJI:FJ FSM:FM KIR:KI MWI:MW PAK:PK SWZ:SZ TCA:TC VCT:VC ZAF:ZA",
    (1, 4): "GUF:GF UGA:UG",
    (2, 3): "ARM:AM BMU:BM CAF:CF CHL:CL MRT:MR",
    (2, 4): """AFG:AF ALB:AL BEN:BJ BFA:BF BGD:BD BOL:BO BWA:BW CIV:CI COD:CD COG:CG CPV:CV CUB:CU DJI:DJ
        DOM:DOM ECU:EC EGY:EG ETH:ET GEO:GE GHA:GH GLP:GP GMB:GM GNB:GW GRC:GR GTM:GT GUY:GY HND:HN HTI:HT
        IDN:ID JAM:JM KHM:KH LAO:LA LBR:LR LBY:LY MHL:MH MLI:ML MNG:MN MOZ:MZ MTQ:MQ MYS:MY NAM:NA NIC:NI
        NPL:NP OMN:OM PAN:PA PER:PE PNG:PG PRK:KP PRY:PY PSE:PS SEN:SN SLE:SL SOM:SO SSD:SS STP:ST SUR:SR
        SYR:SY TCD:TCD TGO:TG THA:TH TLS:TL TZA:TZ UKR:UA VEN:VE YEM:YE ZWE:ZW""",
    (2, 5): "AGO:AO COL:CO MDG:MG MEX:MX PHL:PH SDN:SD SLV:SV URY:UY UZB:UZ VUT:VU",
    (2, 7): "BRA:BR",
    (3, 5): "BTN:BT VNM:VN",
    (3, 6): """ARG:AR BDI:BDI BGR:BG BLR:BY CHN:CN CMR:CM DZA:DZ GAB:GAB GIN:GN GNQ:GQ HUN:HU IRN:IR KAZ:KAZ
        KEN:KE MAR:MA MDV:MV NER:NE NGA:NG POL:PL QAT:QAT ROU:RO RUS:RU SVK:SK TUR:TUR ZMB:ZM""",
}
# Alpha-2 letters (ISO 3166-1) where they neither stand above nor begin the alpha-3 letters.
_LETTERS = """
    ABW:AW ALA:AX AND:AD ARE:AE ATA:AQ ATF:TF ATG:AG AUT:AT BDI:BI BES:BQ BHS:BS BIH:BA BLZ:BZ BRB:BB BRN:BN
    COK:CK CUW:CW CYM:KY DNK:DK ESH:EH EST:EE FLK:FK FRO:FO GRD:GD GRL:GL IRL:IE IRQ:IQ ISR:IL KAZ:KZ KOR:KR
    MAC:MO MAF:MF MLT:MT MNE:ME MNP:MP MYT:YT NIU:NU PCN:PN PLW:PW PRT:PT PYF:PF SGS:GS SLB:SB SPM:PM SRB:RS
    SVN:SI SWE:SE TCD:TD TKM:TM TUR:TR TUV:TV WLF:WF"""
_ALPHA_2 = {each[:3]: each[4:] for each in _LETTERS.split()}
_STRUCTURES = {
    (named := each.split(":"))[0]: (named[1], first, second)
    for (first, second), countries in _DIGITS.items()
    for each in countries.split()
}
# Where letters stand between the digits. Iraq's places and Myanmar's townships are from their own lists.
_LETTERED = {
    "IRQ": {
        Grain.ADMIN1: "IQG[0-9]{2}",
        Grain.ADMIN2: "IQG[0-9]{2}Q[0-9]{2}",
        Grain.ADMIN3: "IQG[0-9]{2}Q[0-9]{2}[A-Z][0-9]{1,3}",
        Grain.SITE: "IQ-?P[0-9]{3,}",
    },
    "LSO": {Grain.ADMIN2: "LS[A-K][0-9]{2}"},
    "MMR": {
        Grain.ADMIN1: "MMR[0-9]{3}",
        Grain.ADMIN2: "MMR[0-9]{3}[DS][0-9]{3}",
        Grain.ADMIN3: "MMR[0-9]{6}",
        Grain.SITE: "MMR[0-9]{7,}",
    },
}
_ELSEWHERE = "|".join(
    (
        *(
            f"{letters}[0-9]{{{first}}}(?:[0-9]{{{second - first}}})?"
            for letters, first, second in _STRUCTURES.values()
        ),
        *(each[grain] for each in _LETTERED.values() for grain in each if grain.depth <= Grain.ADMIN2.depth),
    )
)


def by_level(dataset: Dataset) -> Mapping[Grain, str]:
    """Patterns (RE2) of the P-codes of the dataset's country; none where their structure is not known."""
    country = country_of(dataset.id).upper()
    if country in _LETTERED:
        return _LETTERED[country]
    if country not in _STRUCTURES:
        return {}
    letters, first, second = _STRUCTURES[country]
    area = f"{letters}-?[0-9]{{{second}}}"
    return {
        Grain.ADMIN1: f"{letters}-?[0-9]{{{first}}}",
        Grain.ADMIN2: area,
        Grain.ADMIN3: f"{area}(?:[0-9]{{1,3}}|-[0-9]{{1,2}})",
        Grain.SITE: f"{area}(?:[0-9]{{4,}}|[0-9]*-[0-9]{{3,}}|[0-9]+-[0-9]+)",
    }


def of_areas(dataset: Dataset) -> str:
    """The P-codes of this country, and those of others whose length is that of their first or second."""
    return "|".join((*by_level(dataset).values(), _ELSEWHERE))


def under_areas(dataset: Dataset) -> str:
    """What may stand under the header of an area of this country: P-codes, and ISO 3166-2 with its letters.

    Where the structure of its P-codes is not known, any of its letters with up to six digits.
    """
    country = country_of(dataset.id).upper()
    letters = _STRUCTURES.get(country, ("",))[0]
    letters = letters if len(letters) == 2 else _ALPHA_2.get(country, country[:2])
    own = () if by_level(dataset) else (f"(?:{letters}|{country})-?[0-9]{{1,6}}",)
    return "|".join((f"{letters}-[A-Z0-9]{{1,3}}", of_areas(dataset), *own))
