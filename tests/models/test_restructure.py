"""A network in a larger structure: what it had stays, what is new begins anew or at zero."""

import pytest
import torch
from torch.nn import functional as F

import models
from models import registry
from models.channels import Channels
from models.errors import InputError
from models.files import saving as files
from models.layers.basic import unit
from models.network import MattingNetwork
from models.registry import restructured
from tests.refusals import refused
from utils import config as configs
from utils.networks.loading import new_network


class Reader(MattingNetwork):
    """With `guess` its layers read more: at the end, and between what they read before."""

    name = "reader"

    def __init__(self, channels: Channels, guess: bool = False, kernel: int = 3) -> None:
        super().__init__(channels, {"guess": guess, "kernel": kernel}, {})
        channels.fix(image=3, matte=1, **({"guess": 2} if guess else {}))
        more = ("guess",) if guess else ()
        self.first = unit(channels, ("image", *more), "first", kernel, 4)
        self.second = unit(channels, ("first", *more, "first", "image"), "second", 3, 5)
        if guess:
            self.aside = channels.conv("second", "matte", 1, bias=True)
        self.matte = channels.conv("second", "matte", 3, bias=True)

    def compute(self, image, trimap, stages):
        more = [torch.cat([trimap, 1 - trimap], 1)] if self.structure["guess"] else []
        x = F.relu(self.first(torch.cat([image, *more], 1)))
        x = F.relu(self.second(torch.cat([x, *more, x.flip(-1), image], 1)))
        return self.matte_layer(x)


@pytest.fixture
def reader(monkeypatch):
    """In the registry, with statistics that are not those of the start."""
    monkeypatch.setitem(registry.NETWORKS, "reader", f"{__name__}.Reader")
    torch.manual_seed(1)
    network = models.build("reader", {"first": 3})
    network.train()(torch.rand(2, 3, 8, 8), torch.rand(2, 1, 8, 8))
    return network.eval()


def test_layers_that_read_more_begin_with_zeros_for_it_wherever_it_stands(reader):
    larger = restructured(reader, guess=True).eval()
    assert larger.plan == reader.plan == {"first": 3, "second": 5}
    assert larger.second.conv.weight.shape[1] == 3 + 2 + 3 + 3
    image, trimap = torch.rand(2, 3, 9, 7), torch.rand(2, 1, 9, 7)
    with torch.no_grad():
        torch.testing.assert_close(larger(image, trimap), reader(image, trimap))
    assert not larger.first.conv.weight[:, 3:].any()
    assert not larger.second.conv.weight[:, 3:5].any()
    assert larger.aside.weight.any()


def test_what_takes_away_or_changes_a_layer_is_refused(reader):
    larger = restructured(reader, guess=True)
    with pytest.raises(InputError, match=r"structure: leaves out aside\.weight, .* only add"):
        restructured(larger, guess=False)
    with pytest.raises(InputError, match=r"makes another first\.conv\.weight, which the network"):
        restructured(reader, kernel=5)
    with pytest.raises(InputError, match="reader: no structure named 'gues'; it has guess, kernel"):
        restructured(reader, gues=True)


def test_a_training_starts_with_a_refinement_from_a_file_that_has_none(tmp_path):
    torch.manual_seed(0)
    plan = models.scaled_plan("dim_vgg", 1 / 32, refine=False)
    coarse = models.build("dim_vgg", plan, refine=False)
    files.save_network(tmp_path / "stage1.tar", coarse)
    words = [f"network.start={tmp_path / 'stage1.tar'}", "network.structure.refine=true"]
    one, two = (new_network(configs.load(None, words), resume=False) for _ in range(2))
    ours, theirs = one.state_dict(), coarse.state_dict()
    assert all(torch.equal(ours[entry], theirs[entry]) for entry in theirs)
    assert one.structure["refine"] and one.plan["refinement.1"] == 64
    assert torch.equal(one.refinement[0].conv.weight, two.refinement[0].conv.weight)
    other = configs.load(None, [*words, "seed=1"])
    assert not torch.equal(
        one.refinement[0].conv.weight, new_network(other, False).refinement[0].conv.weight
    )
    line = refused(new_network, configs.load(None, [*words, "network.name=dim"]), False)
    assert "stage1.tar holds a dim_vgg, not a dim" in line
