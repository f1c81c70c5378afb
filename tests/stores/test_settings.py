"""Settings: from the environment alone, and an error only for what is asked."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from dtm_sharing.errors import UsageProblem
from dtm_sharing.stores import settings as module
from dtm_sharing.stores.settings import Settings

ALL = {
    "DTM_SHARING_POLICIES": "/p",
    "DTM_SHARING_RESTRICTED_STORE": "s3://restricted/dtm",
    "DTM_SHARING_PUBLIC_STORE": "/public",
    "DTM_SHARING_LEDGER": "/l.db",
    "DTM_SHARING_CREDENTIALS": "/c.db",
    "DTM_SHARING_LEDGER_KEY": "name+12345678+AAAA",
}
PLACES = {
    "restricted_store": "DTM_SHARING_RESTRICTED_STORE",
    "public_store": "DTM_SHARING_PUBLIC_STORE",
    "ledger": "DTM_SHARING_LEDGER",
    "credentials": "DTM_SHARING_CREDENTIALS",
}


def test_each_variable_is_one_setting():
    found = Settings.read(ALL)
    assert (found.policies, found.ledger, found.credentials) == (Path("/p"), Path("/l.db"), Path("/c.db"))
    assert (found.restricted_store, found.public_store) == ("s3://restricted/dtm", "/public")
    assert found.ledger_key == "name+12345678+AAAA"


@pytest.mark.parametrize("value", [None, "", "  "], ids=["absent", "empty", "blank"])
@pytest.mark.parametrize(("setting", "variable"), PLACES.items())
def test_a_place_that_is_not_set_is_named_with_an_example_when_it_is_asked_for(setting, variable, value):
    environment = {name: text for name, text in ALL.items() if name != variable}
    found = Settings.read(environment if value is None else {**environment, variable: value})
    with pytest.raises(UsageProblem, match=rf"^{variable} is not set: .+ e\.g\. /srv/"):
        getattr(found, setting)
    assert found.policies == Path("/p")  # the others are not held up


TOO_PUBLIC = {
    # variable                        its place            the public store
    "DTM_SHARING_RESTRICTED_STORE": [
        ("/srv/dtm", "/srv/dtm/"),
        ("/srv/dtm/restricted", "file:///srv/dtm"),
        ("/srv/dtm/open/../open/restricted", "/srv/dtm/open"),
        ("s3://dtm/restricted", "s3://dtm"),
        ("s3://dtm?endpoint=http://127.0.0.1:1", "s3://dtm/"),
    ],
    "DTM_SHARING_LEDGER": [("/srv/dtm/ledger.db", "/srv/dtm")],
    "DTM_SHARING_CREDENTIALS": [("/srv/dtm/open/c.db", "/srv/dtm/open")],
}


@pytest.mark.parametrize("variable", TOO_PUBLIC)
def test_nothing_else_of_ours_lies_in_the_public_store(variable):
    for place, public in TOO_PUBLIC[variable]:
        found = Settings.read({**ALL, variable: place, "DTM_SHARING_PUBLIC_STORE": public})
        with pytest.raises(UsageProblem, match=f"^{variable} lies in DTM_SHARING_PUBLIC_STORE"):
            _ = found.public_store


@pytest.mark.parametrize(
    ("restricted", "public"),
    [
        ("/srv/dtm/restricted", "/srv/dtm/public"),
        ("s3://dtm/restricted", "s3://dtm/public"),
        ("s3://a", "s3://b"),
    ],
)
def test_places_beside_the_public_store_are_fine(restricted, public):
    given = {**ALL, "DTM_SHARING_RESTRICTED_STORE": restricted, "DTM_SHARING_PUBLIC_STORE": public}
    assert Settings.read(given).public_store == public


def test_the_project_s_own_policies_are_the_default():
    found = Settings.read({}).policies
    assert found == Path(__file__).parents[2] / "policies"
    assert (found / "classification.yaml").is_file()


def test_without_policies_beside_the_plugins_the_variable_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "BESIDE_PLUGINS", tmp_path / "policies")
    with pytest.raises(UsageProblem, match="DTM_SHARING_POLICIES is not set"):
        _ = Settings.read({}).policies


def test_there_need_be_no_ledger_key():
    assert Settings.read({}).ledger_key is None


def test_a_home_folder_is_found(monkeypatch):
    monkeypatch.setenv("HOME", "/home/dtm")
    assert Settings.read({"DTM_SHARING_LEDGER": "~/ledger.db"}).ledger == Path("/home/dtm/ledger.db")


def test_nothing_else_of_the_environment_is_kept():
    assert Settings.read({**ALL, "PASSWORD": "secret"}) == Settings.read(ALL)
    assert "secret" not in repr(Settings.read({**ALL, "PASSWORD": "secret"}))


def test_settings_are_frozen():
    with pytest.raises(FrozenInstanceError):
        Settings.read(ALL).given = {}
