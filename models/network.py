"""What all networks have: a name, a plan, a structure, stages; matting and segmentation."""

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.arrays import UNKNOWN, check_arrays, matte_of
from models.channels import Axes, Channels, Norm, Plan
from models.errors import InputError
from models.layers.folding import fold

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
MOST_CLASSES = 255  # 8-bit label maps tell so many classes from "no label", which is 255


class Stage(NamedTuple):
    """A feature map that can be distilled.

    `pre` is the pooled map before its ReLU, `activation` the pooled map after it, both (N,C,H,W)
    and the same tensor for a linear stage; `norm` is the BatchNorm that wrote it, or None. `pre` is
    None where it was not asked for.
    """

    pre: Tensor | None
    activation: Tensor
    norm: Norm | None


class Stages(dict[str, Stage]):
    """The stages of one forward pass, in order; `pre` says whether maps before ReLUs are wanted.

    `auxiliary` is a further output that training can judge: of the head that only training needs,
    or the matte before its refinement.
    """

    def __init__(self, pre: bool = True) -> None:
        super().__init__()
        self.pre = pre
        self.auxiliary: Tensor | None = None


class Encoder(NamedTuple):
    """Which weights of an ImageNet classifier an encoder can start from.

    `entries` maps our state-dict entries to those of torchvision's model `classifier`, or of
    another where torchvision has none; where ours reads more channels, they come last and start at
    zero.
    """

    classifier: str
    entries: dict[str, str]

    @classmethod
    def of(cls, network: nn.Module, classifier: str, layers: Mapping[str, str]) -> "Encoder":
        """All entries of the layers `{ours: theirs}`."""
        kinds = ("weight", "bias", "running_mean", "running_var")
        pairs = {f"{a}.{kind}": f"{b}.{kind}" for a, b in layers.items() for kind in kinds}
        ours = network.state_dict()
        return cls(classifier, {a: b for a, b in pairs.items() if a in ours})


class Network(nn.Module):
    """A network on a channel plan.

    `name`, `plan` and `structure` are plain data from which `models.build` makes the same network
    again. Two switches of a structure mean the same everywhere: `spectral`, whether weights are
    divided by their spectral norm, and `auxiliary`, whether there is a head `auxiliary` that only
    training needs.

    Args:
        channels: what its layers are made with; `on_plan` brings them.
        structure: what widths cannot say, checked.
        stages: `{stage: group}` of the feature maps that can be distilled, in order.
    """

    name: str
    task: str  # the key of `utils.tasks.TASKS`
    stride = 32  # a part of a picture that begins at multiples of it is pooled at the same places

    def __init__(self, channels: Channels, structure: dict, stages: Mapping[str, str]) -> None:
        super().__init__()
        self.plan: Plan = channels.plan
        self.widths, self.full = channels.widths, channels.full
        self.structure = structure
        self.stages = dict(stages)
        for key, value in (("mean", IMAGENET_MEAN), ("std", IMAGENET_STD)):
            self.register_buffer(key, torch.tensor(value).reshape(1, 3, 1, 1), persistent=False)

    @classmethod
    def on_plan(
        cls,
        plan: Mapping[str, int] | None = None,
        *,
        gates: bool = False,
        folded: bool = False,
        **structure,
    ) -> "Network":
        """A freshly initialised network; see `models.build`.

        Args:
            plan: `{group: width}`; absent groups keep their full width.
            gates: learned scales for the groups that no norm writes, as the pruning stage needs.
            folded: the form that `Network.folded` gives.
            structure: of the class.
        """
        channels = Channels(plan, gates)
        network = cls(channels, **structure)
        channels.check_plan()
        if gates:
            network.structure["gates"] = True
        return network._fold(norms=True) if folded else network

    @classmethod
    def blank(cls, plan: Mapping[str, int] | None = None, **structure) -> "Network":
        """`on_plan` for weights that will be loaded: draws nothing from the global generator."""
        with torch.random.fork_rng(devices=[]):
            return cls.on_plan(plan, **structure)

    def forward_features(self, *inputs: Tensor, pre: bool = True) -> tuple[Tensor, Stages]:
        """The output as in training mode, and in order the stages that can be distilled.

        Args:
            pre: whether stages have their maps before the ReLU; pooling these takes time.
        """
        stages = Stages(pre)
        return self.compute(*inputs, stages), stages

    def compute(self, *inputs: Tensor | Stages | None) -> Tensor:
        """The output as in training mode, of the inputs and, last, the stages to fill or None.

        Without stages no feature map outlives its use.
        """
        raise NotImplementedError

    def example(self, batch: int = 1, height: int = 32, width: int = 32) -> tuple[Tensor, ...]:
        """Inputs of that size, of zeros, on the network's device and in its type."""
        raise NotImplementedError

    def normalise(self, image: Tensor) -> Tensor:
        """RGB in [0, 1] as ImageNet-trained encoders expect it."""
        return (image - self.mean) / self.std

    def encoder(self) -> Encoder | None:
        """The ImageNet weights that the encoder can start from, if there are any."""
        return None

    @property
    def radius(self) -> int | None:
        """How far, in pixels, the output of a stride x stride cell sees beyond that cell.

        None where there is no bound, as with global pooling or attention.
        """
        return None

    def stage_widths(self) -> dict[str, int]:
        """The channels of each stage."""
        return {stage: self.widths[group] for stage, group in self.stages.items()}

    @torch.no_grad()
    def stage_norms(self) -> dict[str, Norm]:
        """The BatchNorm that writes each stage; linear and folded stages have none."""
        with evaluating(self):
            _, stages = self.forward_features(*self.example(), pre=False)
        return {name: stage.norm for name, stage in stages.items() if isinstance(stage.norm, Norm)}

    def entry_axes(self) -> Axes:
        """The groups of each axis of each entry of the state dict.

        Raises:
            ValueError: a layer with parameters or statistics does not declare them.
        """
        axes: Axes = {}
        layers = dict(self.named_modules())
        for entry in self.state_dict():
            place, _, own = entry.rpartition(".")
            declared = getattr(layers[place], "axes", {})
            if own not in declared:
                raise ValueError(f"{self.name}: {entry} declares no axes")
            axes[entry] = declared[own]
        return axes

    def folded(self, norms: bool = True) -> "Network":
        """A copy in evaluation mode that computes the same with plain layers.

        Spectral norms and learned scales become part of the weights; with `norms` (the form to
        deploy) so do BatchNorms, and a head that only training needs is dropped.
        """
        network = copy.deepcopy(self).eval()
        network.structure = dict(self.structure)
        return network._fold(norms)

    def _fold(self, norms: bool) -> "Network":
        fold(self, norms)
        self.structure.pop("gates", None)
        if "spectral" in self.structure:
            self.structure["spectral"] = False
        if norms:
            self.structure["folded"] = True
            if "auxiliary" in self.structure:
                self.structure["auxiliary"], self.auxiliary = False, None
                written = {axes[0] for axes in self.entry_axes().values() if axes}
                self.plan = {group: self.plan[group] for group in self.plan if group in written}
        return self


class MattingNetwork(Network):
    """`network(image, trimap) -> alpha`."""

    task = "matting"

    def forward(self, image: Tensor, trimap: Tensor) -> Tensor:
        """The alpha matte; clamped to [0, 1] in evaluation mode, unclamped in training mode.

        Args:
            image: (N,3,H,W), RGB in [0, 1]; any size.
            trimap: (N,1,H,W), 0 for background, 128/255 for unknown, 1 for foreground.

        Returns:
            (N,1,H,W).
        """
        alpha = self.compute(image, trimap, None)
        return alpha if self.training else alpha.clamp(0, 1)

    def matte(self, image: np.ndarray, trimap: np.ndarray) -> np.ndarray:
        """The matte of a photograph at its own size, computed on the network's device.

        Args:
            image: uint8 (H,W,3), RGB.
            trimap: uint8 (H,W) of 0, 128 (unknown) and 255.

        Returns:
            uint8 (H,W); known pixels are exactly 0 and 255.

        Raises:
            InputError: other arrays, or the matte is not finite.
        """
        image, trimap = check_arrays(image, trimap)
        alpha = np.zeros(trimap.shape, np.float32)
        if (trimap == UNKNOWN).any():
            with evaluating(self):
                (alpha,) = forward_arrays(self, image[None], trimap[None])
        return np.rint(255 * matte_of(alpha, trimap)).astype(np.uint8)

    @property
    def matte_layer(self) -> nn.Module:
        """The layer `matte`, as files call it; by that name Python finds the method."""
        return self._modules["matte"]

    def get_submodule(self, target: str) -> nn.Module:
        """As PyTorch's, which is given names of files: `matte` is the layer."""
        first, _, rest = target.partition(".")
        if first != "matte" or first not in self._modules:
            return super().get_submodule(target)
        return self.matte_layer.get_submodule(rest)

    def compute(self, image: Tensor, trimap: Tensor, stages: Stages | None) -> Tensor:
        """The unclamped alpha; fills `stages` where given."""
        raise NotImplementedError

    def example(self, batch: int = 1, height: int = 32, width: int = 32) -> tuple[Tensor, Tensor]:
        image, trimap = (self.mean.new_zeros(batch, c, height, width) for c in (3, 1))
        return image, trimap


class SegmentationNetwork(Network):
    """`network(image) -> scores`; the label of a pixel is the class of the highest score.

    Its structure holds `classes`, how many there are; the group `classes` is of that width.
    """

    task = "segmentation"

    def __init__(self, channels: Channels, structure: dict, stages: Mapping[str, str]) -> None:
        super().__init__(channels, structure, stages)
        classes = structure["classes"]
        if type(classes) is not int or not 2 <= classes <= MOST_CLASSES:
            raise InputError(
                f"{self.name}: classes is {classes!r}; give a whole number from 2 to {MOST_CLASSES}"
            )
        channels.fix(image=3, classes=classes)

    def forward(self, image: Tensor) -> Tensor:
        """The scores of the classes, not normalised: a softmax makes probabilities of them.

        Args:
            image: (N,3,H,W), RGB in [0, 1].

        Returns:
            (N,classes,H,W).
        """
        return self.compute(image, None)

    def compute(self, image: Tensor, stages: Stages | None) -> Tensor:
        """The scores; fills `stages` where given."""
        raise NotImplementedError

    def example(self, batch: int = 1, height: int = 64, width: int = 64) -> tuple[Tensor]:
        return (self.mean.new_zeros(batch, 3, height, width),)


@torch.inference_mode()
def forward_arrays(network: nn.Module, images: np.ndarray, trimaps: np.ndarray) -> np.ndarray:
    """`network(image, trimap)` of arrays (N,H,W,3) and (N,H,W), 0 to 255; float32 (N,H,W)."""
    device = network.mean.device
    pictures = torch.from_numpy(images).to(device).permute(0, 3, 1, 2).float() / 255
    known = torch.from_numpy(trimaps).to(device)[:, None].float() / 255
    alphas = network(pictures.to(network.mean.dtype), known.to(network.mean.dtype))
    return alphas[:, 0].float().cpu().numpy()


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Inside, the network is in evaluation mode; it comes back as it was."""
    training = [module for module in network.modules() if module.training]
    network.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


def unknown_region(trimap: Tensor) -> Tensor:
    """Where the matte is to be found: bool, of a trimap (N,1,H,W) in [0, 1]."""
    return (trimap > 0.25) & (trimap < 0.75)


def one_hot(trimap: Tensor) -> Tensor:
    """(N,3,H,W) of background, unknown and foreground, of a trimap (N,1,H,W) in [0, 1]."""
    unknown = unknown_region(trimap)
    return torch.cat([trimap <= 0.25, unknown, trimap >= 0.75], 1).to(trimap.dtype)


def pad_to_multiple(x: Tensor, stride: int, more: int = 0) -> Tensor:
    """Pad right and bottom by reflection until both sides are multiples of `stride`, plus `more`.

    A side too short to be reflected that far repeats its last row or column instead.
    """
    height, width = x.shape[-2:]
    down, right = (more - height) % stride, (more - width) % stride
    if torch.onnx.is_in_onnx_export():
        return x[:, :, _reflected(height, down)][..., _reflected(width, right)]
    if not down and not right:
        return x
    x = F.pad(x, (0, right, 0, 0), "reflect" if right < width else "replicate")
    return F.pad(x, (0, 0, 0, down), "reflect" if down < height else "replicate")


def pad_to_least(x: Tensor, least: int) -> Tensor:
    """Repeat the last row and column until both sides are at least `least`."""
    height, width = x.shape[-2:]
    if torch.onnx.is_in_onnx_export():
        down, right = ((least - side).clamp(min=0) for side in (height, width))
        return x[:, :, _repeated(height, down)][..., _repeated(width, right)]
    return F.pad(x, (0, max(0, least - width), 0, max(0, least - height)), "replicate")


# An export computes where padding takes its pixels from: ONNX has sizes, but no branches on them.


def _reflected(size: Tensor, more: Tensor) -> Tensor:
    place = torch.arange(size + more)
    mirrored = size - 1 - (size - 1 - place).abs()
    return torch.where(more < size, mirrored, place.clamp(max=size - 1))


def _repeated(size: Tensor, more: Tensor) -> Tensor:
    return torch.arange(size + more).clamp(max=size - 1)
