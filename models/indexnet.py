"""IndexNet: MobileNetV2 whose pooling and upsampling follow learned indices.

Lu et al., "Indices Matter: Learning to Index for Deep Image Matting", ICCV 2019.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.channels import Channels
from models.errors import InputError
from models.layers.aspp import Aspp
from models.layers.basic import Unit, full_precision, unit
from models.layers.index_blocks import KINDS, IndexBlock
from models.layers.mobilenet_v2 import LAYERS, STEM, imagenet_encoder, inverted_residuals
from models.layers.pooling import max_pool, max_unpool
from models.network import Encoder, MattingNetwork, Stage, Stages, pad_to_multiple

POOLED = (0, 2, 3, 4, 6)  # the layers whose map is pooled
STAGES = {3: "encoder2", 4: "encoder3", 6: "encoder4", 7: "encoder5"}
DECODERS = ("indexed", "unpool", "unet")


class IndexNet(MattingNetwork):
    """IndexNet on a plan; 5,953,515 parameters at full width.

    Group `layerK` is the stream of layer K, `layerK.I` what its I-th block expands it to. What is
    upsampled channel by channel, at the places of layer K, writes its group, too; all else that
    decoder layer K writes is the group `decoderK`. Stage `encoderK` is the last map at stride 2^K,
    stage `decoderK` what decoder layer K writes.

    Args:
        decoder: `indexed` pools and upsamples by index blocks. `unet`, for comparison, keeps the
            largest pixel of each window and unpools at its place; `unpool` has no skips either.
        index: kind of the index blocks: `m2o`, `o2o` or `holistic`; None is m2o.
        nonlinear: whether index blocks have a nonlinearity; None is true.
        context: whether they see more than the windows that they index; None is true.
        aspp: whether there is a pyramid after the encoder, or one convolution.
    """

    name = "indexnet"

    def __init__(
        self,
        channels: Channels,
        decoder: str = "indexed",
        index: str | None = None,
        nonlinear: bool | None = None,
        context: bool | None = None,
        aspp: bool = True,
    ) -> None:
        structure = _checked(decoder, index, nonlinear, context, aspp)
        tied = [k for k in POOLED if structure["index"] != "holistic"]
        writes = [f"layer{k - 1}" if k - 1 in tied else f"decoder{k}" for k in range(8)]
        stages = {name: f"layer{k}" for k, name in STAGES.items()}
        stages |= {f"decoder{k}": writes[k] for k in reversed(range(7))}
        super().__init__(channels, structure, stages)
        channels.fix(image=3, trimap=1, index=4, matte=1)

        self.layer0 = unit(channels, ("image", "trimap"), "layer0", 3, STEM)
        for k, (layer, (width, expansion, blocks, _)) in enumerate(LAYERS.items()):
            layout = (f"layer{k}", layer, width, expansion, blocks, 1)
            setattr(self, layer, inverted_residuals(channels, *layout, early_padding=True))
        if decoder == "indexed":
            kind = {key: structure[key] for key in ("index", "nonlinear", "context")}
            for k in POOLED:
                setattr(self, f"index{k}", IndexBlock(channels, f"layer{k}", f"index{k}", **kind))

        # Each writes as many channels as the layer before its own; where it shares a group with
        # one, the width stands there.
        full = [STEM, *(channels.full[f"layer{max(k - 1, 0)}"] for k in range(1, 8))]
        widths = [None if writes[k] in channels.full else full[k] for k in range(8)]
        if aspp:
            self.aspp = Aspp(channels, "layer7", writes[7], widths[7])
        else:
            self.aspp = nn.Sequential(unit(channels, "layer7", writes[7], 1, widths[7]), nn.ReLU6())
        climb = channels.part("decoder")
        for k in reversed(range(7)):
            skip = () if decoder == "unpool" else (f"layer{k}",)
            layer = unit(climb, (writes[k + 1], *skip), writes[k], 5, widths[k])
            setattr(self, f"decoder{k}", layer)
        self.draft = Unit(climb.conv("decoder0", "matte", 5), climb.norm("matte", gate=False))
        self.matte = climb.conv("matte", "matte", 5)

    def compute(self, image: Tensor, trimap: Tensor, stages: Stages | None) -> Tensor:
        height, width = image.shape[-2:]
        image, trimap = pad_to_multiple(image, self.stride), pad_to_multiple(trimap, self.stride)

        x = F.relu6(self.layer0(torch.cat([self.normalise(image), trimap], 1)))
        skips, places = [], []
        for k in range(8):
            if k > 0:
                x = getattr(self, f"layer{k}")(x)
            if stages is not None and k in STAGES:
                stages[STAGES[k]] = Stage(x, x, getattr(self, f"layer{k}")[-1].project.norm)
            skips.append(x)
            if k in POOLED:
                skips[k], x, where = self._pool(x, k)
                places.append(where)

        x = self.aspp(x)
        for k in reversed(range(7)):
            if k in POOLED:
                x = self._upsample(x, places.pop())
            if self.structure["decoder"] != "unpool":
                x = torch.cat([x, skips[k]], 1)
            layer = getattr(self, f"decoder{k}")
            pre = layer(x)
            x = F.relu6(pre)
            if stages is not None:
                stages[f"decoder{k}"] = Stage(pre, x, layer.norm)
        x = F.relu6(self.draft(x))
        # Near 1, half precision cannot tell neighbouring 8-bit alphas apart.
        return full_precision(self.matte_layer, x)[..., :height, :width]

    def _pool(self, x: Tensor, k: int) -> tuple[Tensor, Tensor, Tensor]:
        """What is skipped to the decoder, the pooled map, and where to upsample."""
        if self.structure["decoder"] == "indexed":
            down, up = getattr(self, f"index{k}")(x)
            x = down * x
            return x, 4 * F.avg_pool2d(x, 2), up
        return x, *max_pool(x)

    def _upsample(self, x: Tensor, places: Tensor) -> Tensor:
        if self.structure["decoder"] == "indexed":
            return places * F.interpolate(x, scale_factor=2, mode="nearest")
        height, width = x.shape[2:]
        return max_unpool(x, places, (2 * height, 2 * width))

    def encoder(self) -> Encoder:
        return imagenet_encoder(self)


def _checked(
    decoder: object, index: object, nonlinear: object, context: object, aspp: bool
) -> dict[str, object]:
    """The structure with all that was left open.

    Raises:
        InputError: a value of another kind, or index blocks where the decoder has none.
    """
    if decoder not in DECODERS:
        raise InputError(f"indexnet: decoder is {decoder!r}; give one of {', '.join(DECODERS)}")
    blocks = {"index": index, "nonlinear": nonlinear, "context": context}
    for key, value in blocks.items():
        if value is None and decoder == "indexed":
            blocks[key] = KINDS[0] if key == "index" else True
        elif value is not None and decoder != "indexed":
            raise InputError(
                f"indexnet: {key} is {value!r}, but decoder {decoder} has no index blocks; "
                f"leave out {key}, or give decoder indexed"
            )
        elif value is not None and key != "index" and not isinstance(value, bool):
            raise InputError(f"indexnet: {key} is {value!r}; give true or false")
    if blocks["index"] not in (*KINDS, None):
        raise InputError(f"indexnet: index is {index!r}; give one of {', '.join(KINDS)}")
    return {"decoder": decoder, **blocks, "aspp": aspp}
