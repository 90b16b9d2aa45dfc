"""Files made to harm: one line each, in little time and memory, and nothing is changed by them."""

import os
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn

import models
from models.errors import InputError
from models.files import saving as files
from models.files.digest import digest
from tests import pickles
from tests.bounds import little
from tests.pickles import get, name, number, put, text

pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux")

FORMATS = [pickles.in_zip, pickles.in_old_format]
READERS = [models.load, models.published.load, files.read]


def refused(path, read=models.load) -> str:
    with pytest.raises(InputError) as caught, little():
        read(path)
    line = str(caught.value)
    assert "\n" not in line and path.name in line and len(line) < 600
    return line


def doubled(inner: bytes, times: int = 60) -> bytes:
    """(((x, x), (x, x)), ...): small in the file, and with 2^times parts for who visits them."""
    return inner + b"".join(put(i) + get(i) + b"\x86" for i in range(times))


def sealed(path, content: dict):
    torch.save(content | {"digest": digest(content)}, path)
    return path


def described(**changed: object) -> dict:
    network = models.build("dim", models.scaled_plan("dim", 1 / 32))
    return files.record(network) | changed


# --- nothing real can be reached ------------------------------------------------------------------


@pytest.mark.parametrize("write", FORMATS)
@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    ("module", "what", "real"),
    [
        ("torch", "UntypedStorage", torch.UntypedStorage),
        ("torch", "FloatStorage", torch.FloatStorage),
        ("torch._utils", "_rebuild_tensor_v2", torch._utils._rebuild_tensor_v2),
        ("torch.nn", "Module", nn.Module),
        ("models.network", "Network", models.Network),
    ],
)
def test_a_class_that_a_file_names_cannot_be_changed(tmp_path, write, read, module, what, real):
    attributes = b"}" + text("patched") + number(1) + b"s"
    for state in (attributes, b"N" + attributes + b"\x86"):
        path = write(tmp_path / "a.tar", name(module, what) + state + b"b")
        refused(path, read)
        assert not hasattr(real, "patched")


@pytest.mark.parametrize(
    "program",
    [
        name("os", "system") + text("touch harm-done") + b"\x85R",
        name("builtins", "eval") + text("1") + b"\x85R",
        name("torch.hub", "load") + text("a/b") + b"\x85R",
        name("torch.serialization", "load") + text("a") + b"\x85R",
        name("collections", "OrderedDict.fromkeys") + b")R",
        b"(" + text("x") + b"ios\nsystem\n",
        b"\x82\x01",  # a name by its number
    ],
)
def test_what_no_checkpoint_needs_is_refused(tmp_path, program):
    line = refused(pickles.in_zip(tmp_path / "a.tar", program))
    assert "refused" in line or "truncated" in line


# --- sizes that a file only claims ----------------------------------------------------------------


def test_widths_beyond_the_weights_are_refused_before_they_are_made(tmp_path):
    plan = dict.fromkeys(models.build("dim", models.scaled_plan("dim", 1 / 32)).plan, 100_000)
    line = refused(sealed(tmp_path / "a.tar", described(plan=plan)))
    assert "encoder1.units.0.conv.weight is (" in line


def test_weights_that_repeat_one_number_are_refused(tmp_path):
    plan = dict.fromkeys(models.build("dim", models.scaled_plan("dim", 1 / 32)).plan, 20_000)
    with torch.device("meta"):
        shapes = models.build("dim", plan).state_dict()
    weights = {k: torch.zeros((), dtype=v.dtype).expand(v.shape) for k, v in shapes.items()}
    path = tmp_path / "a.tar"
    torch.save(described(plan=plan, weights=weights, digest="0"), path)
    assert path.stat().st_size < 100_000
    assert "truncated" in refused(path)


def test_tensors_that_share_a_storage_again_and_again_are_refused(tmp_path):
    one = torch.zeros(100_000)
    path = tmp_path / "a.tar"
    torch.save({f"{i}": one.view(-1) for i in range(100)}, path)
    assert "truncated" in refused(path)


@pytest.mark.parametrize(
    ("network", "structure"),
    [
        ("dim", {"convolutions": [10**9] * 5}),
        ("dim", {"convolutions": [1, 1, 1, 1, 10**9]}),
        ("dim", {"convolutions": [1.0] * 5}),
        ("dim_vgg", {"refine": 10**9}),
        ("dim_vgg", {"wide": "x" * 10**5}),
        ("mobile_unet", {"decoder": 10**9}),
        ("mobile_unet", {"decoder": 1e308}),
        ("mobile_unet", {"decoder": float("inf")}),
        ("mobile_unet", {"decoder": float("nan")}),
        ("mobile_unet", {"decoder": 10**5000}),
        ("gca", {"spectral": 10**9}),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, str) else "",
)
def test_absurd_structures_are_refused_before_anything_is_built(tmp_path, network, structure):
    content = described(name=network, structure=structure, plan={}, digest="0")
    content["kind"] = files.WITHOUT_DIGEST  # a digest is no obstacle to who means harm
    torch.save(content, tmp_path / "a.tar")
    assert "do not fit" in refused(tmp_path / "a.tar")


@pytest.mark.parametrize("count", [10**9, 10**12, -1])
@pytest.mark.parametrize("write", FORMATS)
def test_storages_larger_than_the_file_are_refused(tmp_path, write, count):
    program = pickles.tensor("FloatStorage", "0", count, (4,), (1,))
    assert "truncated" in refused(write(tmp_path / "a.tar", program))


@pytest.mark.parametrize(
    ("size", "stride"), [((5,), (1,)), ((2, 2), (3, 1)), ((2,), (-1,)), ((1 << 62, 4), (0, 1))]
)
def test_a_tensor_beyond_its_storage_is_refused(tmp_path, size, stride):
    program = pickles.tensor("FloatStorage", "0", 4, size, stride)
    path = pickles.in_zip(tmp_path / "a.tar", program, {"0": bytes(16)})
    assert "truncated" in refused(path)


def test_a_zip_that_unpacks_to_more_is_refused(tmp_path):
    path = pickles.in_zip(tmp_path / "a.tar", b"N0" * (1 << 23), method=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 100_000
    assert "truncated" in refused(path)


@pytest.mark.parametrize(
    "program",
    [
        b"]" + put(2**31 - 1),  # Python's reader makes a table of so many places
        b"\x96" + struct.pack("<Q", 9 << 30) + b"x",  # a bytearray of 9 GB
        b"\x8e" + struct.pack("<Q", 9 << 30) + b"x",  # the same of bytes
        b"\x8b" + struct.pack("<I", 1 << 30) + b"x",  # a number of so many digits
        b"I" + b"9" * 100_000 + b"\n",
    ],
    ids=["memo", "bytearray", "bytes", "long", "digits"],
)
@pytest.mark.parametrize("write", FORMATS)
def test_pickles_that_ask_for_memory_get_none(tmp_path, write, program):
    refused(write(tmp_path / "a.tar", program))


# --- nested without end ---------------------------------------------------------------------------


def module_of(members: bytes) -> bytes:
    return name("torch.nn", "Module") + b")\x81}" + text("_modules") + members + b"sb"


def doubled_modules(times: int = 40) -> bytes:
    program = module_of(b"}")
    for i in range(times):
        two = b"".join(text(key) + get(i) + b"s" for key in "ab")
        program += put(i) + b"0" + module_of(b"}" + two)
    return program


def nested_modules(times: int = 5000) -> bytes:
    before = name("torch.nn", "Module") + b")\x81}" + text("_modules") + b"}" + text("a")
    return before * times + b"N" + b"ssb" * times


def module_in_itself() -> bytes:
    own = put(0) + b"}" + text("_modules") + b"}" + text("a") + get(0) + b"ssb"
    return name("torch.nn", "Module") + b")\x81" + own


@pytest.mark.parametrize(
    "program",
    [doubled_modules(), nested_modules(), module_in_itself()],
    ids=["doubled", "deep", "in itself"],
)
@pytest.mark.parametrize("write", FORMATS)
def test_modules_nested_without_end_are_refused(tmp_path, write, program):
    assert "nested without end" in refused(write(tmp_path / "a.tar", program))


def test_a_key_that_takes_for_ever_to_look_up_is_refused(tmp_path):
    path = pickles.in_zip(tmp_path / "a.tar", b"}" + doubled(b")") + b"Ns")
    assert "truncated" in refused(path)


def test_deep_lists_end_in_one_line(tmp_path):
    program = b"}" + text("kind") + text(files.KIND) + b"s"
    program += text("digest") + text("0") + b"s" + text("x") + b"]" * 10_000 + b"a" * 9_999 + b"s"
    assert "damaged" in refused(pickles.in_zip(tmp_path / "a.tar", program))


@pytest.mark.parametrize("field", ["name", "plan", "structure", "weights", "kind"])
@pytest.mark.parametrize(
    "value", [doubled(b")"), b"]" + put(0) + get(0) + b"a"], ids=["2^60", "own"]
)
def test_such_a_field_of_a_record_ends_in_one_line(tmp_path, field, value):
    fields = {"kind": text(files.WITHOUT_DIGEST), "name": text("dim")}
    fields |= dict.fromkeys(("plan", "structure", "weights"), b"}") | {field: value}
    program = b"}" + b"".join(text(key) + part + b"s" for key, part in fields.items())
    refused(pickles.in_zip(tmp_path / "a.tar", program))


def test_parts_that_are_named_again_and_again_do_not_keep_a_digest_busy():
    content: list = []
    for _ in range(60):
        content = [content, content]
    with little():
        assert digest(content) == digest([content[0], content[1]])
    content.append(content)
    with pytest.raises(InputError, match="nested without end"), little():
        digest(content)


def test_attributes_that_are_named_again_and_again_are_not_copied(tmp_path):
    attributes = b"}" + b"".join(text(f"{i}") + b"Ns" for i in range(6000)) + put(0) + b"0"
    husk = name("torch.nn", "Module") + b")\x81" + get(0) + b"b"
    refused(pickles.in_zip(tmp_path / "a.tar", attributes + b"]" + (husk + b"a") * 6000))


def test_deep_descriptions_in_safetensors_end_in_one_line(tmp_path):
    metadata = {"kind": f'"{files.KIND}"', "plan": "[" * 100_000}
    (tmp_path / "a.safetensors").write_bytes(
        safetensors.torch.save({"a": torch.zeros(1)}, metadata)
    )
    with pytest.raises(InputError, match="truncated"):
        models.load(tmp_path / "a.safetensors")


# --- what is no file ------------------------------------------------------------------------------


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("suffix", ["tar", "safetensors"])
def test_a_pipe_is_not_waited_for(tmp_path, read, suffix):
    path = tmp_path / f"pipe.{suffix}"
    os.mkfifo(path)
    assert "is a pipe or a device; give a file" in refused(path, read)


def test_a_device_has_no_end_and_is_not_read(tmp_path):
    path = tmp_path / "zero.tar"
    path.symlink_to("/dev/zero")
    assert "is a pipe or a device" in refused(path)


def test_a_pipe_in_a_tar_is_not_waited_for(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        pipe = tarfile.TarInfo("storages")
        pipe.type = tarfile.FIFOTYPE
        archive.addfile(pipe)
    assert "truncated" in refused(tmp_path / "a.tar")
