"""Weights of no known layout: a classifier's are told with their use, others by what differs."""

import pytest
import torch

import models
from models.errors import InputError
from models.published import LAYOUTS
from tests import scripts
from tests.test_dim_vgg import published
from tests.test_published import published_module


def refused(state: dict[str, torch.Tensor]) -> str:
    with pytest.raises(InputError) as caught:
        models.published.load(state)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("network", "classifier"),
    [("dim", "vgg16_bn"), ("dim_vgg", "vgg16"), ("mobile_unet", "mobilenet_v2")],
)
def test_weights_of_a_classifier_are_told_with_what_to_do_with_them(tmp_path, network, classifier):
    torchvision = pytest.importorskip("torchvision")
    with torch.device("meta"):
        entries = torchvision.models.get_model(classifier).state_dict()
    path = tmp_path / f"{classifier}.pth"
    torch.save({name: torch.zeros(1) for name in entries}, path)
    line = scripts.refusal("convert.py", path, tmp_path / "out.safetensors")
    assert f"weights of the classifier {classifier}, not of a whole network" in line
    wanted = line.partition("network.name=")[2]
    names, _, given = wanted.partition(" and network.pretrained=")
    assert network in names.split(" or ") and given == str(path)


def test_the_closest_layout_is_named_with_the_first_entries_that_it_lacks():
    state = published_module().state_dict()
    state = {name.replace("cbr_unit", "block"): value for name, value in state.items()}
    strange = {f"{name}.more": torch.zeros(1) for name in ("a", "b")}
    known = {"feature2.weight": torch.zeros(1), "feature3.weight": torch.zeros(1)}
    assert refused(strange | known) == (
        "state dict: of no layout known here; the closest is DIM, which has no 'a.more', 'b.more'"
    )
    renamed = {name.replace("deconv", "unconv"): v for name, v in published(refine=False).items()}
    line = refused(renamed)
    first = "'unconv6_1.weight', 'unconv6_1.bias', 'unconv5_1.weight' and 11 more"
    assert line.endswith(f"the closest is DIM without BatchNorm, which has no {first}")
    assert "no layout known here has an entry 'down1.conv1.block.0.weight'" in refused(
        {name: value for name, value in state.items() if not name.startswith("feature")}
    )


def test_a_part_of_a_layout_is_told_by_what_it_lacks():
    line = refused({"conv1_1.weight": torch.zeros(1), "conv1_1.bias": torch.zeros(1)})
    assert "the closest is DIM without BatchNorm, which has entries (deconv[1-6]_1|" in line


def test_every_layout_names_an_entry_that_it_does_not_have():
    for title, layout in LAYOUTS.items():
        with pytest.raises(InputError, match=r"it has an entry 'nowhere\.at\.all'"):
            layout.convert({"nowhere.at.all": torch.zeros(1)})
        assert not layout.SIGNATURE.fullmatch("nowhere.at.all"), title


def test_a_converted_file_is_told_by_what_it_is(tmp_path, caplog, capsys):
    caplog.set_level("INFO")
    torch.save({"model": published_module().state_dict()}, tmp_path / "spkd.tar")
    scripts.main("convert.py", tmp_path / "spkd.tar", tmp_path / "spkd.safetensors")
    told = "spkd.tar: found DIM, dim here; 2 entries that only its training needs are left out"
    assert told in caplog.text
    assert "parameters" in capsys.readouterr().out
    network = models.load(tmp_path / "spkd.safetensors")
    assert network.name == "dim" and network.structure == {"convolutions": [1] * 5}
