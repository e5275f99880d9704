"""No cell of an export is a formula."""

import csv

import pytest

from common.csv_lines import csv_line


@pytest.mark.parametrize("head", ["=", "+", "-", "@", "\t", "\r", "\0"])
def test_a_formula_is_text(head):
    cell = f"{head}cmd|'/c calc'!A1"
    assert next(csv.reader([csv_line([cell, "b"])], strict=False))[0].startswith("'")


def test_numbers_and_ordinary_text_stay_as_they_are():
    assert csv_line([-1, 2.5, "a,b", ""]) == '-1,2.5,"a,b",\r\n'
