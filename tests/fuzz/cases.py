"""Cases: each changes a small working folder, and says which script to start there, and how."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import models
from models.files.saving import save_network
from tests.fuzz.damage import NUMBERS, WORDS, array, damaged, encoded, picture, text
from tests.sets import disc, prepare, write_set
from tests.sets import picture as photograph
from utils.config.options import Config
from utils.images.trimap import make_trimap
from utils.images.writing import write_image

SIZE = (24, 28)
Case = list[str]  # a script and its arguments
SAVED = ["test.py", "--pred", "T/pred", "--alpha", "T/alpha", "--trimap", "T/trimap"]
FIGURE = "figure.py --image T/image --alpha T/alpha --trimap T/trimap --pred T/pred --out f.png"
FIGURE += " --width 64"
SET = ["--data-root", ".", "--dataset", "set"]
TRAIN = ["data.root=.", "data.dataset=set", "data.crop=32", "data.workers=0", "device=cpu"]


def write_base(folder: Path) -> None:
    """What every case begins with: a test set, a data set, checkpoints, archives, a config."""
    for index, name in enumerate("ab"):
        matte = disc(*SIZE, softness=4 + index)
        write_image(folder / "T" / "image" / f"{name}.jpg", photograph(index, *SIZE))
        write_image(folder / "T" / "alpha" / f"{name}.png", matte)
        write_image(folder / "T" / "trimap" / f"{name}.png", make_trimap(matte, 3))
        write_image(folder / "T" / "pred" / f"{name}.png", disc(*SIZE, softness=7))
    prepare(write_set(folder / "set", train=2, test=1, size=SIZE), 0.5)
    network = models.build("dim", models.scaled_plan("dim", 1 / 64))
    for name in ("net.tar", "net.safetensors"):
        save_network(folder / name, network)
    for kind in ("zip", "tar", "gztar"):
        shutil.make_archive(str(folder / "pairs"), kind, folder / "set" / "train")
    (folder / "c.yaml").write_text("\n".join(CONFIG) + "\n")


CONFIG = (
    *("save_dir: x", "seed: 3", "network:", "  name: dim", "  width: 0.03", "data:", "  root: ."),
    *(
        "  dataset: set",
        "  crop: 32",
        "  workers: 0",
        "train:",
        "  lr: 1e-3",
        "  betas: [0.9, 0.99]",
    ),
)


def damaged_picture(rng: random.Random) -> Case:
    path = rng.choice(sorted(Path("T").glob("*/*.*")))
    path.write_bytes(damaged(rng, path.read_bytes()))
    return rng.choice((SAVED, [*SAVED, "--float"], FIGURE.split()))


def unusual_picture(rng: random.Random) -> Case:
    path = rng.choice(sorted(Path("T").glob("*/*.*")))
    data, suffix = picture(rng, *SIZE)
    path.unlink()
    path.with_suffix(suffix).write_bytes(data if rng.random() < 0.8 else damaged(rng, data))
    return rng.choice((SAVED, [*SAVED, "--float"], FIGURE.split()))


def saved_array(rng: random.Random) -> Case:
    path = rng.choice(sorted(Path("T/pred").iterdir()))
    data = array(rng, *SIZE)
    path.unlink()
    name = path.with_suffix(rng.choice((".npy", ".npy", ".NPY")))
    name.write_bytes(data if rng.random() < 0.5 else damaged(rng, data))
    if rng.random() < 0.1:
        write_image(path, disc(*SIZE))
    return rng.choice((SAVED, [*SAVED, "--float"]))


def data_set(rng: random.Random) -> Case:
    path = rng.choice(sorted(Path("set").glob("t*/*/*.png")))
    change = rng.randrange(5)
    if change == 0:
        path.unlink()
    elif change == 1:
        path.rename(path.with_name(rng.choice((*WORDS, "a", "b"))[:200].replace("/", "_") + ".png"))
    elif change == 2:
        data, suffix = picture(rng, *SIZE)
        path.unlink()
        path.with_suffix(suffix).write_bytes(data)
    else:
        path.write_bytes(damaged(rng, path.read_bytes()))
    tasks = (["--check"], ["--merged", "--per-foreground", "1"], ["--per-foreground", "1"])
    return ["pre_process.py", *SET, "--workers", "0", *rng.choice(tasks)]


def lists(rng: random.Random) -> Case:
    names = rng.choice(
        (
            *("train_names.txt", "valid_names.txt", "train/train_fg_names.txt"),
            *("test/test_bg_names.txt", "test/test_fg_names.txt", "train/train_bg_names.txt"),
        )
    )
    content = text(rng, ["train0", "train1"] if "train" in names else ["test0.png"])
    data = encoded(rng, content)
    Path("set", names).write_bytes(data if rng.random() < 0.8 else damaged(rng, data))
    return rng.choice(
        (
            ["pre_process.py", *SET, "--workers", "0", "--check"],
            ["pre_process.py", *SET, "--workers", "0", "--per-foreground", "1"],
            ["data_gen.py", *SET, "--valid-share", "0.5"],
            ["train.py", "--sheet", "s.png", *TRAIN],
        )
    )


def state(rng: random.Random) -> Case:
    """What we noted ourselves, damaged since."""
    if rng.random() < 0.5:
        Path("out").mkdir()
        noted = rng.choice(
            ('{"float": false, "of": {}}', '{"float": false}', "[]", "{", "null", "")
        )
        lines = [noted, '{"row": {"name": "a", "SAD": 1}, "files": []}', '{"row": 1}', "[]"]
        data = encoded(rng, text(rng, lines))
        Path("out/pred.rows.jsonl").write_bytes(data)
        return [*SAVED, "--out", "out", "--resume"]
    path = rng.choice((*Path("set/train/store").iterdir(), Path("set/test/composed/settings.json")))
    path.parent.mkdir(exist_ok=True, parents=True)
    content = path.read_bytes() if path.exists() else b'{"radius": [1, 30], "composites": {}}'
    path.write_bytes(damaged(rng, content))
    return rng.choice(
        (
            ["pre_process.py", *SET, "--workers", "0", "--per-foreground", "1"],
            ["train.py", "--sheet", "s.png", *TRAIN],
        )
    )


def archive(rng: random.Random) -> Case:
    path = Path(rng.choice(("pairs.zip", "pairs.tar", "pairs.tar.gz")))
    path.write_bytes(damaged(rng, path.read_bytes()))
    if rng.random() < 0.2:
        path = path.rename(rng.choice(("pairs.zip", "pairs.tar", "pairs.tgz", "pairs.rar")))
    into = ["--data-root", ".", "--dataset", "new", "--part", "train", "--workers", "0"]
    kind = rng.choice(("pairs", "photographs", "cutouts", "composition-1k"))
    return ["pre_process.py", *into, "--kind", kind, "--from", str(path)]


def config(rng: random.Random) -> Case:
    data = encoded(rng, text(rng, list(CONFIG)))
    Path("c.yaml").write_bytes(data if rng.random() < 0.8 else damaged(rng, data))
    return ["train.py", "--config", "c.yaml", "--sheet", "s.png"]


def overrides(rng: random.Random) -> Case:
    keys = list(_keys(Config))
    given = [
        f"{rng.choice((*keys, *keys, 'x', 'data.', '.', ''))}={rng.choice((*NUMBERS, *WORDS))}"
        for _ in range(rng.choice((1, 1, 2)))
    ]
    return ["train.py", "--sheet", "s.png", *TRAIN, *given]


def checkpoint(rng: random.Random) -> Case:
    path = Path(rng.choice(("net.tar", "net.safetensors")))
    path.write_bytes(damaged(rng, path.read_bytes()))
    if rng.random() < 0.1:
        path = path.rename(rng.choice(("net.pth", "net.npy", "net.safetensors", "net.zip")))
    return ["convert.py", str(path), rng.choice(("o.tar", "o.safetensors", "T", "c.yaml/o"))]


def arguments(rng: random.Random) -> Case:
    """An option with a value that it does not expect."""
    task, options = rng.choice(
        (
            (SAVED, ["--workers", "--json", "--out", "--worst", "--pred", "--alpha", "--layout"]),
            (SAVED[:1], ["--network", "--set", "--mode", "--tile", "--halo", "--image"]),
            (FIGURE.split(), ["--rows", "--insets", "--width", "--inches", "--inset", "--picture"]),
            (FIGURE.split(), ["--font", "--over", "--pred", "--out", "--trimap"]),
            (["data_gen.py", *SET], ["--valid-share", "--seed", "--by", "--per-foreground"]),
            (
                ["pre_process.py", *SET, "--workers", "0"],
                ["--per-foreground", "--seed", "--snap", "--backgrounds", "--dataset", "--from"],
            ),
            (
                ["train.py", "--sheet", "s.png", *TRAIN],
                ["--KD_type", "--feature_layer", "--config"],
            ),
        )
    )
    # Python's own parser makes a list of `--out=--`; nobody writes that.
    words = [word for word in WORDS if word != "--"]
    value = rng.choice((*NUMBERS, *words, "T", "T/pred", "net.tar", "c.yaml", "set"))
    return [*task, f"{rng.choice(options)}={value}"]


KINDS: tuple[Callable[[random.Random], Case], ...] = (
    damaged_picture,
    unusual_picture,
    unusual_picture,
    saved_array,
    data_set,
    lists,
    state,
    archive,
    config,
    overrides,
    checkpoint,
    arguments,
)


def _keys(section: type, prefix: str = "") -> list[str]:
    found = []
    for name, field in section.model_fields.items():
        found.append(prefix + name)
        if hasattr(field.annotation, "model_fields"):
            found += _keys(field.annotation, f"{prefix}{name}.")
    return found


def draw(seed: int, number: int) -> Case:
    """Case `number` of a seed, laid out in the working folder."""
    rng = random.Random(f"{seed} {number}")
    return KINDS[number % len(KINDS)](rng)
