"""Fixtures that several files of tests share."""

from pathlib import Path

import pytest
import yaml
from hypothesis import settings

from tests.sets import prepare, write_set

settings.register_profile("busy", deadline=None)  # a slow example on a busy core is no failure
settings.load_profile("busy")


@pytest.fixture(scope="session")
def data(tmp_path_factory) -> Path:
    """A tiny data set, ready to train on."""
    return prepare(write_set(tmp_path_factory.mktemp("data") / "tiny"))


@pytest.fixture
def costless(monkeypatch) -> None:
    """What a network costs is not found out, which takes longer than to matte tiny pictures."""
    monkeypatch.setattr("utils.networks.cost.milliseconds", lambda nets, *_: [1.0] * len(nets))
    monkeypatch.setattr("utils.networks.cost.macs", lambda *_: 10**9)


@pytest.fixture
def tabled(tmp_path, monkeypatch) -> Path:
    """A working folder with `tests.tables.stub`'s config and table; nothing is timed."""
    from tests.tables import stub  # here, since it imports what few tests need

    monkeypatch.chdir(tmp_path)
    for module in ("running", "work"):
        monkeypatch.setattr(f"utils.tables.{module}.take_time", stub.timed)
    monkeypatch.setattr("utils.tables.work.write", lambda table: None)
    Path("config.yaml").write_text(yaml.safe_dump(stub.CONFIG))
    stub.put()
    return tmp_path
