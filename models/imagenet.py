"""Start DIM's encoder from torchvision's ImageNet VGG-16 with BatchNorm."""

import torch

from models.dim import VGG16, WIDTHS, Dim
from models.errors import InputError


def load_encoder(network: Dim) -> None:
    """Copy VGG-16's weights and statistics into the encoder, in place; the trimap channel is zero.

    Raises:
        InputError: not the full VGG-16 encoder, torchvision absent, or weights not to be had.
    """
    widths = {
        f"encoder{k}.{i + 1}": w for k, w in enumerate(WIDTHS, 1) for i in range(VGG16[k - 1])
    }
    if network.plan != widths:
        raise InputError(
            "network.pretrained: imagenet fits dim at full width with VGG-16's convolutions only; "
            "drop network.width and network.convolutions, or set network.pretrained=null"
        )
    features = _vgg16_features()
    units = [unit for k in range(1, 6) for unit in getattr(network, f"encoder{k}").units]
    convolutions = [key for key, value in features.items() if value.ndim == 4]
    with torch.no_grad():
        for unit, key in zip(units, convolutions, strict=True):
            index = int(key.split(".")[0])
            conv = {name: features[f"{index}.{name}"] for name in ("weight", "bias")}
            if unit is units[0]:
                trimap = torch.zeros_like(conv["weight"][:, :1])
                conv["weight"] = torch.cat([conv["weight"], trimap], 1)
            unit.conv.load_state_dict(conv)
            entries = ("weight", "bias", "running_mean", "running_var")
            norm = {name: features[f"{index + 1}.{name}"] for name in entries}
            unit.norm.load_state_dict({**norm, "num_batches_tracked": torch.tensor(0)})


def _vgg16_features() -> dict[str, torch.Tensor]:
    try:
        from torchvision.models import VGG16_BN_Weights
    except ImportError as error:
        raise InputError(
            "network.pretrained: imagenet needs torchvision; pip install it"
        ) from error
    weights = VGG16_BN_Weights.IMAGENET1K_V1
    try:
        state = weights.get_state_dict(progress=True, check_hash=True)
    except (OSError, RuntimeError) as error:
        folder = f"{torch.hub.get_dir()}/checkpoints"
        name = weights.url.rsplit("/", 1)[1]
        raise InputError(
            f"network.pretrained: VGG-16 could not be downloaded ({error}); put {name} into "
            f"{folder}, or set network.pretrained=null"
        ) from error
    return {k.removeprefix("features."): v for k, v in state.items() if k.startswith("features.")}
