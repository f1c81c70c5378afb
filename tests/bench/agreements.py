"""Policy folders with N agreements: what a large country office, or a headquarters, would hold.

Each agreement has an organisation with its focal points, a request and both pathways of the sample, so that
the number of files grows by three with each agreement: the dear case for whatever reads the folder.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from dtm_sharing.stores.policies import seal

ROOT = Path(__file__).resolve().parents[2]
POLICIES = ROOT / "policies"
FILES = ("focal_points/scpa.yaml", "requests/child-protection.yaml", "agreements/child-protection.yaml")


def copy_policies(target: Path) -> Path:
    """The project's policy folder, without its schemas, in a place of its own."""
    shutil.copytree(POLICIES, target, ignore=shutil.ignore_patterns("schemas", "tests"))
    return target


def with_agreements(target: Path, agreements: int) -> Path:
    """The sample's policies with so many agreements, of as many organisations; the first is the sample's."""
    country = copy_policies(target) / "npl"
    for number in range(2, agreements + 1):
        for name in FILES:
            text = (country / name).read_text(encoding="utf-8")
            for word in ("child-protection", "scpa"):
                text = text.replace(f"npl/{word}", f"npl/{word}-{number}")
            text = text.replace(" scpa", f" scpa-{number}").replace("{scpa:", f"{{scpa-{number}:")
            text = text.replace("Agency\n", f"Agency {number}\n")
            text = text.replace("@example", f"@{number}.example").replace("+000 0000 ", f"+000 {number:04} ")
            (country / name).with_stem(f"{Path(name).stem}-{number}").write_text(text, encoding="utf-8")
    seal(target)
    return target
