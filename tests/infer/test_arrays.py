"""What Python hands to `Inference` and `network.matte`: arrays as strict as files, any network."""

import numpy as np
import pytest
import torch
from torch import nn

import models
from tests.inference import noisy_picture, varied_dim, whole
from tests.refusals import refused
from tests.sets import disc
from utils.images.trimap import make_trimap
from utils.infer import Inference

IMAGE = noisy_picture(0, 60, 70)
TRIMAP = make_trimap(disc(60, 70), 6)
WHOLE = Inference("whole")


@pytest.fixture(scope="module")
def dim() -> models.Network:
    return varied_dim()


@pytest.mark.parametrize("mode", ["whole", "tile"])
def test_a_network_in_training_mode_gives_the_same_and_comes_back_as_it_was(mode):
    network = varied_dim()
    expected = Inference(mode).alpha(network, IMAGE, TRIMAP)
    network.train()
    kept = next(one for one in network.modules() if isinstance(one, nn.BatchNorm2d)).eval()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    modes = [one.training for one in network.modules()]
    assert (Inference(mode).alpha(network, IMAGE, TRIMAP) == expected).all()
    assert (network.matte(IMAGE, TRIMAP) == WHOLE.matte(network, IMAGE, TRIMAP)).all()
    assert [one.training for one in network.modules()] == modes and not kept.training
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())


@pytest.mark.parametrize(
    ("image", "trimap", "words"),
    [
        (IMAGE, np.where(TRIMAP == 128, np.uint8(127), TRIMAP), "trimap"),
        (IMAGE, TRIMAP / 255, "trimap"),
        (IMAGE, TRIMAP == 255, "trimap"),
        (IMAGE, np.dstack([TRIMAP] * 3), "trimap"),
        (IMAGE, TRIMAP[:-1], "trimap"),
        (IMAGE / 255, TRIMAP, "image: float64 (60, 70, 3); give uint8 (height, width, 3)"),
        (IMAGE.astype(np.uint16), TRIMAP, "image: uint16 (60, 70, 3); give uint8"),
        (IMAGE[None], TRIMAP, "image: uint8 (1, 60, 70, 3); give uint8"),
    ],
)
def test_arrays_of_other_types_values_and_shapes_are_refused(dim, image, trimap, words):
    for make in (WHOLE.alpha, WHOLE.matte, lambda network, *arrays: network.matte(*arrays)):
        assert words in refused(make, dim, image, trimap)


def test_grey_pictures_become_rgb_and_an_alpha_channel_is_ignored(dim):
    expected = whole(dim, IMAGE, TRIMAP)
    assert (whole(dim, np.dstack([IMAGE, TRIMAP]), TRIMAP) == expected).all()
    grey = IMAGE[..., 0]
    expected = whole(dim, np.dstack([grey] * 3), TRIMAP)
    for image in (grey, grey[..., None]):
        assert (whole(dim, image, TRIMAP) == expected).all()


def test_arrays_may_lie_in_memory_as_they_like_and_stay_as_they_are(dim):
    options = Inference("tile")
    expected = options.alpha(dim, IMAGE[::-1].copy(), TRIMAP[::-1].copy())
    image, trimap = IMAGE.copy(), np.asfortranarray(TRIMAP)
    image.flags.writeable = trimap.flags.writeable = False
    found = options.alpha(dim, image[::-1], trimap[::-1])
    assert (found == expected).all() and (image == IMAGE).all()


def test_a_device_may_be_a_word_or_left_out_and_must_be_the_networks(dim):
    expected = whole(dim, IMAGE, TRIMAP)
    for device in ("cpu", None, torch.device("cpu")):
        assert (WHOLE.alpha(dim, IMAGE, TRIMAP, device) == expected).all()
    assert "device: 'gpu' is none" in refused(WHOLE.alpha, dim, IMAGE, TRIMAP, "gpu")
    line = refused(WHOLE.alpha, dim, IMAGE, TRIMAP, torch.device("meta"))
    assert line == "the network is on cpu, not on meta; call network.to(device)"


def test_a_network_within_another_and_one_of_other_numbers_give_the_same():
    network, options = varied_dim(), Inference("tile")
    expected = options.matte(network, IMAGE, TRIMAP).astype(int)
    assert (options.matte(nn.DataParallel(network), IMAGE, TRIMAP) == expected).all()
    for other in (network.double(), network.half()):
        for matte in (options.matte(other, IMAGE, TRIMAP), other.matte(IMAGE, TRIMAP)):
            assert np.abs(matte - expected).mean() < 1
    line = refused(Inference(precision="bfloat16").alpha, network, IMAGE, TRIMAP)
    assert "the network is in float16; call network.float()" in line


def test_the_layer_that_is_called_as_the_method_is_found_by_its_name():
    network = models.load("small")
    for name, layer in network.named_modules():
        assert network.get_submodule(name) is layer
    assert network.get_parameter("matte.weight") is network.matte_layer.weight
    pspnet = models.build("pspnet", models.scaled_plan("pspnet", 1 / 16))
    assert all(pspnet.get_submodule(name) is layer for name, layer in pspnet.named_modules())


def test_a_compiled_network_runs_compiled(dim):
    passes = []

    def backend(graph, _):
        return lambda *inputs: passes.append(1) or graph(*inputs)

    compiled = torch.compile(dim, backend=backend)
    assert (whole(compiled, IMAGE, TRIMAP) == whole(dim, IMAGE, TRIMAP)).all() and passes
