"""Names of 255 bytes are legal: what is made of them has none longer, or their files are named."""

import shutil
from pathlib import Path

import pytest

from tests.refusals import refused
from tests.sets import disc, picture
from utils.data.check import check_set
from utils.data.compose.testing import compose_test_set
from utils.data.folders import backgrounds, foregrounds
from utils.data.importers.importing import import_set
from utils.data.split import write_split
from utils.data.store.building import build_store
from utils.data.store.files import Store
from utils.images.reading import read_alpha
from utils.images.writing import write_image


def lay_out(root, part: str, length: int) -> list[str]:
    """Two foregrounds, of whose names only the ends differ, and a background."""
    names = [f"{chr(0x56FE) * ((length - 5) // 3)}{end}" for end in ("a", "b")]
    names = [name + "x" * (length - 4 - len(name.encode())) for name in names]
    for index, name in enumerate(names):
        write_image(root / part / "fg" / f"{name}.png", picture(index, 40, 50))
        write_image(root / part / "alpha" / f"{name}.png", disc(40, 50, 3 + index))
    write_image(root / part / "bg" / "0.png", picture(3, 40, 50))
    return names


@pytest.mark.parametrize("length", [246, 255])
def test_a_long_name_is_stored_and_found_again(tmp_path, length):
    names = lay_out(tmp_path, "train", length)
    assert {len(f"{name}.png".encode()) for name in names} == {length}
    store = build_store(tmp_path)
    build_store(tmp_path)
    write_split(tmp_path, 0.5, seed=0)
    sources = foregrounds(tmp_path, "train")
    assert Store(tmp_path).usable(sources) == sources and len(list(store.iterdir())) == 2
    for one in sources:
        assert (Store(tmp_path).open(one).rgba[..., 3] == read_alpha(one.alpha)).all()


def test_a_long_name_is_composed(tmp_path):
    lay_out(tmp_path, "test", 253)
    composed = compose_test_set(tmp_path, backgrounds(tmp_path, "test"), per_foreground=10)
    assert len(list((composed / "image").iterdir())) == 20


def test_a_name_too_long_for_its_composites_is_named_before_the_work(tmp_path):
    (name, _) = lay_out(tmp_path, "test", 254)
    told = refused(compose_test_set, tmp_path, backgrounds(tmp_path, "test"), per_foreground=10)
    assert told.endswith(f"fg/{name}.png: too long a name for composites NAME_k.png; shorten it")
    assert not (tmp_path / "test" / "composed").exists()
    assert told in check_set(tmp_path, per_foreground=10)[0]


def test_archives_of_long_names_are_unpacked_and_their_terms_kept(tmp_path):
    (name, _) = lay_out(tmp_path, "train", 255)
    archives = []
    for end in ("a", "b"):
        (tmp_path / "train" / "licence.txt").write_text(end)
        base = shutil.make_archive(str(tmp_path / "z"), "zip", tmp_path / "train")
        archives.append(Path(base).rename(tmp_path / f"{'x' * 250}{end}.zip"))
    root = tmp_path / "data" / ("d" * 255)
    for archive in archives:
        import_set("pairs", archive, root, part="train")
    assert (root / "train" / "fg" / f"{name}.png").exists()
    assert sorted(file.read_text() for file in root.glob("*.txt")) == ["a", "b"]
    assert list(root.parent.iterdir()) == [root]
