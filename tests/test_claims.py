"""The ledger of claims: each row has evidence, a value that its record still holds, and a command that exists."""
from pathlib import Path

import pytest

from ecom_nbdev.claims import CHECKS, COLUMNS, VERDICTS, differences, ledger, tenth

ROOT = Path(__file__).parents[1]


def test_every_row_has_evidence():
    table = ledger()
    assert tuple(table.columns) == COLUMNS and set(table["claim_id"]) == set(CHECKS)
    assert set(table["verdict"]) <= set(VERDICTS) and (table["claim"] != "").all() and (table["data"] != "").all()
    for command in table["command"]:
        assert (ROOT / command.split()[1]).is_file(), command
    for link in table["link"]:
        assert (ROOT / link).is_file(), link


def test_a_condition_is_named_where_one_is_needed():
    table = ledger()
    assert (table.loc[table["verdict"] != "confirmed", "note"] != "").all()


@pytest.mark.parametrize("claim_id", tenth(20261126))
def test_a_seeded_tenth_is_still_what_the_ledger_says(claim_id):
    assert differences([claim_id]) == []


def test_a_check_without_a_row_is_named(monkeypatch):
    monkeypatch.setitem(CHECKS, "C98", lambda: None)
    assert differences(["C32"]) == ["C98 只在账本里，或者只有检验。"]
