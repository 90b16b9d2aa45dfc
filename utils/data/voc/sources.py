"""What a training for segmentation reads: the lists of a config's data set, looked at once."""

from utils.config.options import Config
from utils.data.failures import Failures
from utils.data.samples import Subset, short
from utils.data.voc.folders import class_names, labelled
from utils.data.voc.samples import LabelSet


class LabelSources:
    """The data of a config: it trains on the set's training list and validates on its val list.

    Raises:
        InputError: no data, no lists, or names in them without files.
    """

    def __init__(self, config: Config) -> None:
        root = config.data.folder
        self.config = config
        self.classes = class_names(root)
        self._pictures = {"train": labelled(root, "train"), "valid": labelled(root, "val")}
        self.failures = Failures(sum(map(len, self._pictures.values())))

    def identity(self) -> dict[str, str]:
        """A short text for each of what samples are made of.

        A picture is taken for the same by its name and the size in bytes of its label map.
        """
        content = {
            f"list of pictures that {subset}": [
                (one.name, one.labels.stat().st_size) for one in pictures
            ]
            for subset, pictures in self._pictures.items()
        }
        return {"set of classes": short(self.classes)} | {k: short(v) for k, v in content.items()}

    def samples(self, subset: Subset) -> LabelSet:
        """The samples that train, or the same crops each time of those that validate."""
        config = self.config
        augment = config.augment if subset == "train" else None
        pictures = self._pictures[subset]
        return LabelSet(pictures, len(self.classes), config.data.crop, augment, config.seed)
