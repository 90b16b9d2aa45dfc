"""The shipped networks for torch.hub: `torch.hub.load(FOLDER, "small", source="local")`."""

import models

dependencies = ["torch", "numpy", "PIL", "cv2", "pydantic", "safetensors", "yaml"]


def small() -> models.Network:
    """The shipped `small`: `network(image, trimap) -> alpha`, in evaluation mode."""
    return models.load("small")


def medium() -> models.Network:
    """The shipped `medium`."""
    return models.load("medium")


def large() -> models.Network:
    """The shipped `large`."""
    return models.load("large")


def dim_quarter() -> models.Network:
    """The shipped `dim_quarter`."""
    return models.load("dim_quarter")
