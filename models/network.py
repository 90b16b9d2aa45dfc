"""What all networks have: a name, a plan, a structure, parts and stages."""

import copy
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.channels import Axes, Channels, Norm, Plan
from models.layers.folding import fold

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


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

    def entry_axes(self) -> Axes:
        """The groups of each axis of each entry of the state dict.

        Raises:
            ValueError: a layer with parameters or statistics does not declare them.
        """
        found: Axes = {}
        for name, module in self.named_modules():
            own = [*dict(module.named_parameters(recurse=False))]
            buffers = dict(module.named_buffers(recurse=False))
            own += [entry for entry in buffers if entry not in module._non_persistent_buffers_set]
            declared = getattr(module, "axes", {})
            for entry in own:
                if entry not in declared:
                    raise ValueError(f"{self.name}: {name}.{entry} declares no axes")
                found[f"{name}.{entry}"] = declared[entry]
        return found

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


def pad_to_multiple(x: Tensor, stride: int, more: int = 0) -> Tensor:
    """Pad right and bottom by reflection until both sides are multiples of `stride`, plus `more`.

    A side too short to be reflected that far repeats its last row or column instead.
    """
    height, width = x.shape[-2:]
    down, right = (more - height) % stride, (more - width) % stride
    if not down and not right:
        return x
    x = F.pad(x, (0, right, 0, 0), "reflect" if right < width else "replicate")
    return F.pad(x, (0, 0, 0, down), "reflect" if down < height else "replicate")
