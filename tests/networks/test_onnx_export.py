"""export.py: ONNX Runtime gives PyTorch's alpha, at any size, or nothing is written."""

import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import models
from models.errors import InputError
from models.files.saving import save_network
from tests import scripts
from tests.sets import disc, picture
from utils.images.trimap import make_trimap
from utils.networks import onnx_export

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
FLOAT16 = onnx.TensorProto.FLOAT16
PHOTOGRAPH = (picture(1, 45, 70), make_trimap(disc(45, 70), 9), disc(45, 70))
STRUCTURES = {
    "dim": {},
    "dim_vgg": {"refine": True},
    "gca": {},
    "indexnet": {},
    "mobile_unet": {"guess": True},
}


def lively(name: str, **structure) -> models.Network:
    """A narrow network whose alpha varies, in evaluation mode."""
    torch.manual_seed(0)
    network = models.build(name, models.scaled_plan(name, 1 / 8), **structure).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.2, 1)
    return network


def alpha_of(path: Path, image: torch.Tensor, trimap: torch.Tensor) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(path))
    return session.run(None, {"image": image.numpy(), "trimap": trimap.numpy()})[0]


@pytest.mark.parametrize("name", STRUCTURES)
def test_an_exported_network_gives_pytorchs_alpha_at_any_size(name, tmp_path):
    network, path = lively(name, **STRUCTURES[name]), tmp_path / "network.onnx"
    report = onnx_export.export_onnx(network, path, PHOTOGRAPH)
    assert report.difference < (0.05 if name.startswith("dim") else 1e-4)  # dim unpools
    for count, height, width in ((3, 37, 130), (1, 2, 35), (1, 96, 1)):
        image = torch.rand(count, 3, height, width)
        trimap = torch.randint(0, 3, (count, 1, height, width)) / 2
        with torch.no_grad():
            expected = network(image, trimap).numpy()
        if height > 2 < width:
            assert expected.std() > 1e-3
        wrong = np.abs(alpha_of(path, image, trimap) - expected) > 1e-4
        assert wrong.mean() < 0.01 if name.startswith("dim") else not wrong.any()


def test_a_file_with_vitmattes_signature_reads_what_its_image_processor_gives(tmp_path):
    transformers = pytest.importorskip("transformers")
    network, path = lively("mobile_unet"), tmp_path / "network.onnx"
    onnx_export.export_onnx(network, path, PHOTOGRAPH, "vitmatte")
    image, trimap, _ = PHOTOGRAPH
    processor = transformers.VitMatteImageProcessor()
    values = processor(images=image, trimaps=trimap, return_tensors="pt")["pixel_values"]
    (alphas,) = onnxruntime.InferenceSession(str(path)).run(
        ["alphas"], {"pixel_values": values.numpy()}
    )
    # Padded below and to the right with grey background, to multiples of 32.
    image, trimap = (np.pad(x / 255, ((0, 19), (0, 26), (0, 0)), constant_values=grey)
                     for x, grey in ((image, 0.5), (trimap[..., None], 0)))  # fmt: skip
    with torch.no_grad():
        tensors = (torch.tensor(x.transpose(2, 0, 1)[None]).float() for x in (image, trimap))
        expected = network(*tensors)
    np.testing.assert_allclose(alphas, expected.numpy(), atol=1e-5)


def test_half_precision_halves_the_weights_and_keeps_the_arithmetic(tmp_path):
    network, path = lively("mobile_unet"), tmp_path / "half.onnx"
    onnx_export.export_onnx(network, path, PHOTOGRAPH, half=True)
    rounded = network.folded().half().float()
    numbers = sum(one.numel() for one in rounded.parameters())
    halves = [one.dims for one in onnx.load(path).graph.initializer if one.data_type == FLOAT16]
    assert sum(map(math.prod, halves)) >= numbers
    image, trimap = torch.rand(1, 3, 40, 50), torch.full((1, 1, 40, 50), 128 / 255)
    with torch.no_grad():
        expected = rounded(image, trimap).numpy()
    np.testing.assert_allclose(alpha_of(path, image, trimap), expected, atol=1e-5)


def test_what_the_runtime_computes_otherwise_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr(models.layers.basic.GlobalMean, "forward", once_wrong())
    with pytest.raises(InputError, match=r"not written, since ONNX Runtime's alpha differs"):
        onnx_export.export_onnx(lively("mobile_unet"), tmp_path / "network.onnx", PHOTOGRAPH)
    assert not list(tmp_path.iterdir())


def once_wrong():
    """A mean that is another one in the export than in PyTorch."""

    def forward(self, x):
        mean = x.mean((2, 3), keepdim=True)
        return mean * 2 if torch.onnx.is_in_onnx_export() else mean

    return forward


def test_the_script_exports_a_network(tmp_path, capsys):
    save_network(tmp_path / "own.tar", lively("mobile_unet"))
    scripts.main("export.py", "--network", tmp_path / "own.tar", "--out", tmp_path / "own.onnx")
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines[:2]] == ["PyTorch", "ONNX Runtime"]
    assert lines[0].split()[2] == lines[1].split()[3]  # the SAD
    graph = onnx.load(tmp_path / "own.onnx").graph
    for value in (*graph.input, *graph.output):
        names = [axis.dim_param for axis in value.type.tensor_type.shape.dim]
        assert names == ["batch", "", "height", "width"]
    line = scripts.refusal("export.py", "--network", "small", "--out", tmp_path / "own.onnx")
    assert line.endswith("own.onnx: is there already; --overwrite replaces it")


def test_bad_input_is_one_line(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="pspnet: is a network for segmentation; give one for mat"):
        onnx_export.export_onnx(lively("pspnet"), tmp_path / "network.onnx", PHOTOGRAPH)
    line = scripts.refusal("export.py", "--network", "small", "--out", tmp_path / "network.pt")
    assert line.endswith("network.pt: end its name in .onnx")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    line = scripts.refusal("export.py", "--network", "small", "--out", tmp_path / "network.onnx")
    assert "needs onnx and onnxruntime; run pip install -r requirements-deploy.txt" in line
    assert not list(tmp_path.iterdir())
