"""Start an encoder from the ImageNet weights of torchvision's classifiers."""

from pathlib import Path

import torch
from torch import Tensor

from models.errors import InputError
from models.files.reading import read
from models.files.state_dict import state_dict
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
            the classifier, in any wrapping that `models.files.state_dict` opens.

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
    theirs = _downloaded(encoder.classifier) if source == "imagenet" else _from_file(source)
    known = encoder.classifier in WEIGHTS
    classifier = f"torchvision's {encoder.classifier}" if known else f"a {encoder.classifier}"
    ours = network.state_dict()
    for entry, name in encoder.entries.items():
        if name not in theirs:
            raise InputError(
                f"network.pretrained: {source} holds no {name}; give weights of {classifier}"
            )
        try:
            ours[entry] = _fitted(theirs[name], ours[entry])
        except RuntimeError as error:
            raise InputError(
                f"network.pretrained: {name} of {source} is {tuple(theirs[name].shape)}, not "
                f"{tuple(ours[entry].shape)}; give weights of {classifier}"
            ) from error
    network.load_state_dict(ours)


def _fitted(value: Tensor, like: Tensor) -> Tensor:
    """The value in the shape of ours: a linear layer's as a convolution's, zeros for more inputs.

    Raises:
        RuntimeError: it has another shape.
    """
    if value.ndim == 4 and value.shape[1] < like.shape[1]:
        more = like.shape[1] - value.shape[1]
        value = torch.cat([value, value.new_zeros(len(value), more, *value.shape[2:])], 1)
    if value.ndim == 2:
        value = value.reshape(like.shape)
    if value.shape != like.shape:
        raise RuntimeError
    return value.to(like)


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
    file = Path(torch.hub.get_dir(), "checkpoints", weights.url.rsplit("/", 1)[1])
    try:
        return weights.get_state_dict(progress=True, check_hash=True)
    except Exception as error:  # of the network, the disk, or bytes that make no sense
        raise InputError(
            f"network.pretrained: {file} could not be downloaded or read ({error}); remove it if "
            f"it is damaged, put it there, give its path as network.pretrained, or {CURE}"
        ) from error


def _from_file(source: str) -> dict[str, Tensor]:
    if not Path(source).is_file():
        raise InputError(f"network.pretrained: {source}: no such file; give its path, or imagenet")
    try:
        return state_dict(read(source), source)
    except InputError as error:
        raise InputError(f"network.pretrained: {error}") from error
