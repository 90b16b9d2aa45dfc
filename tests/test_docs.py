"""The documentation names what exists: links, files, options, flags, and Python that runs."""

import re
import runpy
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

import models
from models.files import saving as files
from tests import mutants
from utils import config as configs
from utils.config.options import Config, Section
from utils.images.reading import read_alpha
from utils.images.writing import write_image

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    ROOT / "data" / "README.md",
    ROOT / "pretrained" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
RESULTS = frozenset({"test.yaml"})

LINK = re.compile(r"\]\(([^)\s]+)\)")
FILE = re.compile(r"(?<![\w/.-])((?:[\w.-]+/)*[\w.-]+\.(?:py|yaml))\b")
PYTHON = re.compile(r"```python\n(.*?)```", re.DOTALL)
LAYOUT = re.compile(r"^\| `[\w./]+(?:\.py|/)`")  # a row of the design's layout
COMMAND = re.compile(r"^ *python ([a-z_]+\.py)(.*)$", re.MULTILINE)
SECTIONS = {
    name: field.annotation
    for name, field in Config.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
}
VALUE = r'=(?:\[[^]]*\]|[^\s`,;|"]+)'
OPTION = re.compile(rf"(?<![\w/.])({'|'.join(SECTIONS)})\.(?!py\b)(\w+)\b(?!\()({VALUE})?")


def of_all_pages(test):
    return pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))(test)


def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def anchors(page: Path) -> set[str]:
    """What GitHub calls the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", text(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_readme_is_one_page_and_opens_with_its_picture():
    lines = text(ROOT / "README.md").splitlines()
    assert len(lines) <= 120
    assert re.fullmatch(r"!\[.+\]\(docs/images/first\.png\)", lines[0])
    assert (ROOT / "docs/images/first.png").stat().st_size < 300_000


@of_all_pages
def test_every_relative_link_resolves(page):
    for link in LINK.findall(text(page)):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@of_all_pages
def test_every_script_and_config_that_is_named_exists(page):
    lines = [line for line in text(page).splitlines() if not LAYOUT.match(line)]
    named = set(FILE.findall(LINK.sub("]", "\n".join(lines))))
    assert not [name for name in named - RESULTS if not (ROOT / name).is_file()]


def test_the_layout_names_files_and_folders_that_exist():
    rows = [line for line in text(ROOT / "docs/design.md").splitlines() if LAYOUT.match(line)]
    assert len(rows) > 20
    for row in rows:
        names = re.findall(r"`([\w./]+(?:\.py|/))`", row)
        folders = [ROOT, *(ROOT / name for name in names if name.endswith("/"))]
        for name in names:
            assert any((folder / name).exists() for folder in folders), name


@of_all_pages
def test_every_option_that_is_named_is_one(page):
    for section, key, value in OPTION.findall(text(page)):
        assert key in SECTIONS[section].model_fields, f"{section}.{key}"
        if value and not value[1:].isupper():  # FILE stands for the user's own
            # hide_fused, fuse_exact and triplets need fuse; what stands later holds.
            fuse = ["augment.fuse=1", "augment.fuse_exact=true"]
            configs.load(None, [*fuse, f"{section}.{key}{value}"])


def commands(page: Path) -> str:
    """The lines of a page that run a script, continued ones joined, without their comments."""
    joined = re.sub(r"\\\n\s*", "", text(page))
    found = (f"{script} {rest.partition('  ')[0]}" for script, rest in COMMAND.findall(joined))
    return "\n".join(found)


def test_every_flag_that_is_written_out_belongs_to_its_script(monkeypatch, capsys):
    # A script sets how the process ends on SIGTERM, which is not for the process of the tests.
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    used: dict[str, set[str]] = {}
    for page in PAGES:
        for command in commands(page).splitlines():
            script, _, rest = command.partition(" ")
            used.setdefault(script, set()).update(re.findall(r"(?<!\S)--[\w-]+", rest))
    assert used.keys() >= {"pre_process.py", "data_gen.py", "train.py", "test.py", "figure.py"}
    for script, flags in used.items():
        monkeypatch.setattr(sys, "argv", [script, "--help"])
        with pytest.raises(SystemExit):
            runpy.run_path(str(ROOT / script), run_name="__main__")
        known = set(re.findall(r"--[\w-]+", capsys.readouterr().out))
        assert flags <= known, script


def test_the_python_of_the_readme_mattes_a_photograph(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("pretrained").symlink_to(ROOT / "pretrained")
    trimap = np.repeat(np.uint8([0, 128, 255]), 24)[None].repeat(40, 0)
    write_image("photo.jpg", np.full((40, 72, 3), 90, np.uint8))
    write_image("trimap.png", trimap)
    exec(*PYTHON.findall(text(ROOT / "README.md")), {})
    matte = read_alpha("matte.png")
    assert matte.shape == (40, 72)
    assert not matte[trimap == 0].any() and (matte[trimap == 255] == 255).all()


def test_the_python_of_the_design_cuts_a_layer(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan = models.scaled_plan("dim", 0.05) | {"encoder3.2": 256}
    Path("result/SPKD").mkdir(parents=True)
    files.save_network("result/SPKD/BEST_checkpoint.tar", models.build("dim", plan))
    names = {"image": torch.rand(1, 3, 32, 32), "trimap": torch.full((1, 1, 32, 32), 128 / 255)}
    exec(*PYTHON.findall(text(ROOT / "docs/design.md")), names)
    assert names["small"].plan == plan | {"encoder3.2": 128}
    assert names["alpha"].shape == (1, 1, 32, 32)


def test_the_citation_has_the_version_of_the_project():
    version = re.search(r'^version = "(.+)"$', text(ROOT / "pyproject.toml"), re.MULTILINE)[1]
    assert yaml.safe_load(text(ROOT / "CITATION.cff"))["version"] == version
    assert f"## [{version}]" in text(ROOT / "CHANGELOG.md")


def test_the_known_faults_of_make_mutants_can_be_put_in():
    assert all(one.source() for one in mutants.KNOWN)
