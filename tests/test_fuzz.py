"""200 unusual inputs end in success or in one line, and are as they were; more on demand."""

from pathlib import Path

import pytest

from tests.fuzz.cases import write_base
from tests.fuzz.running import fault


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("fuzz") / "base"
    write_base(folder)
    return folder


@pytest.mark.parametrize("first", range(0, 200, 20))
def test_unusual_inputs_end_in_success_or_in_one_line(base, tmp_path, first):
    cases = range(first, first + 20)
    found = [fault(base, tmp_path / "case", 0, number) for number in cases]
    assert not [one for one in found if one]
