"""Start an encoder from the ImageNet weights of torchvision's classifiers."""

from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from models.errors import InputError
from models.files import torch_file
from models.network import Encoder, Network

CURE = "set network.pretrained=null"
# Torchvision's names for the weights of its classifiers; imported only when they are downloaded.
WEIGHTS = {
    "vgg16": "VGG16_Weights",
    "vgg16_bn": "VGG16_BN_Weights",
    "mobilenet_v2": "MobileNet_V2_Weights",
}


def load_encoder(network: Network, source: str = "imagenet") -> None:
    """Copy a classifier's weights and statistics into the network's encoder, in place.

    Where the encoder's first convolution reads more than the image, the weights for that are zero.
    What is fully connected there can be a convolution here.

    Args:
        source: "imagenet" takes them from torchvision, which downloads them once; else a file of
            the classifier's state dict, `.safetensors` or PyTorch's.

    Raises:
        InputError: the network has no such encoder, or not at full width; torchvision is absent; or
            the weights cannot be had.
    """
    encoder = network.encoder()
    if encoder is None or _is_narrower(network, encoder):
        raise InputError(
            f"network.pretrained: ImageNet weights fit the encoder of {network.name} at full width "
            "and with its default structure only, if at all; leave out network.width and "
            f"network.structure, or {CURE}"
        )
    downloads = source == "imagenet"
    theirs = _downloaded(encoder.classifier) if downloads else _from_file(Path(source))
    ours = network.state_dict()
    taken: dict[str, Tensor] = {}
    for entry, name in encoder.entries.items():
        if name not in theirs:
            raise InputError(
                f"network.pretrained: {source} holds no {name}; give weights of {_named(encoder)}"
            )
        value = theirs[name].to(ours[entry])
        if value.ndim == 2 and value.numel() == ours[entry].numel():
            value = value.reshape(ours[entry].shape)
        if value.ndim == 4 and value.shape[1] < ours[entry].shape[1]:
            more = ours[entry].shape[1] - value.shape[1]
            value = torch.cat([value, value.new_zeros(len(value), more, *value.shape[2:])], 1)
        if value.shape != ours[entry].shape:
            raise InputError(
                f"network.pretrained: {name} of {source} is {tuple(theirs[name].shape)}, not "
                f"{tuple(ours[entry].shape)}; give weights of {_named(encoder)}"
            )
        taken[entry] = value
    network.load_state_dict(taken, strict=False)


def _named(encoder: Encoder) -> str:
    known = encoder.classifier in WEIGHTS
    return f"torchvision's {encoder.classifier}" if known else f"a {encoder.classifier}"


def _is_narrower(network: Network, encoder: Encoder) -> bool:
    axes = network.entry_axes()
    written = {axes[entry][0] for entry in encoder.entries}
    return any(network.widths[group] != network.full[group] for group in written)


def _downloaded(classifier: str) -> dict[str, Tensor]:
    if classifier not in WEIGHTS:
        raise InputError(
            f"network.pretrained: torchvision has no weights of a {classifier}; give such a file, "
            f"or {CURE}"
        )
    try:
        from torchvision import models as classifiers
    except ImportError as error:
        raise InputError(
            "network.pretrained: imagenet needs torchvision; pip install it"
        ) from error
    weights = getattr(classifiers, WEIGHTS[classifier]).IMAGENET1K_V1
    try:
        return weights.get_state_dict(progress=True, check_hash=True)
    except (OSError, RuntimeError) as error:
        folder = f"{torch.hub.get_dir()}/checkpoints"
        name = weights.url.rsplit("/", 1)[1]
        raise InputError(
            f"network.pretrained: {classifier} could not be downloaded ({error}); put {name} into "
            f"{folder}, give its path as network.pretrained, or {CURE}"
        ) from error


def _from_file(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise InputError(f"network.pretrained: {path}: no such file; give its path, or imagenet")
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        content = torch_file.read(path)
    except (SafetensorError, InputError) as error:
        raise InputError(
            f"network.pretrained: {path}: truncated, or no state dict; fetch it again"
        ) from error
    if not isinstance(content, dict):
        raise InputError(f"network.pretrained: {path}: holds no state dict; give one")
    return {name: value for name, value in content.items() if isinstance(value, Tensor)}
