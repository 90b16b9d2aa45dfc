"""Pictures, mattes and trimaps on disk."""

from utils.images.decode import image_size
from utils.images.labels import read_labels
from utils.images.reading import read_alpha, read_image, read_matte, read_trimap
from utils.images.writing import write_image

__all__ = [
    "image_size",
    "read_alpha",
    "read_image",
    "read_labels",
    "read_matte",
    "read_trimap",
    "write_image",
]
