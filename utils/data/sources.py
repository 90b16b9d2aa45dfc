"""What a training reads: foregrounds, backgrounds and split of a config, looked at once."""

from utils.cli.problems import tolerate
from utils.config.options import Config
from utils.data.crops.crop_set import CropSet, Item
from utils.data.folders import backgrounds, foregrounds
from utils.data.samples import Failures, Subset, short
from utils.data.split import read_split
from utils.data.store import Store


class Sources:
    """The data of a config; training and validation share it, and what is wrong with its pictures.

    Raises:
        InputError: no data, no split or no store; more than 1 % of the pictures are not there.
    """

    def __init__(self, config: Config) -> None:
        options = config.data
        self.config = config
        self._foregrounds = foregrounds(options.folder, "train")
        problems: list[str] = []
        self._backgrounds = backgrounds(options.folder, "train", options.backgrounds, problems)
        tolerate(problems, len(self._backgrounds) + len(problems), "backgrounds")
        self._store = Store(options.folder)
        self._split = read_split(options.folder)
        self._usable = set(self._store.usable(self._foregrounds))
        self.failures = Failures(len(self._foregrounds) + len(self._backgrounds))

    def identity(self) -> dict[str, str]:
        """A short text for each of what samples are made of: equal for the same, wherever it lies.

        A foreground is taken for the same by its name, its size in bytes and how it was stored, a
        background by its name.
        """
        usable = [one for one in self._foregrounds if one in self._usable]
        content = {
            "split of the data": self._split,
            "set of foregrounds": [self._store.identity(one) for one in usable],
            "set of backgrounds": [path.name for path in self._backgrounds],
        }
        return {name: short(value) for name, value in content.items()}

    def samples(self, subset: Subset) -> CropSet:
        """The samples that train, or the same crops each time of those that validate."""
        config, chosen = self.config, getattr(self._split, subset)
        each = self._each()
        items = []
        for place, one in enumerate(self._foregrounds):
            if one in self._usable and one.name in chosen:
                for number in self._numbers(chosen[one.name], subset):
                    own = (
                        None if number is None else (place * each + number) % len(self._backgrounds)
                    )
                    items.append(Item(one, None if own is None else self._backgrounds[own]))
        weights = (config.loss.composition, config.loss.coarse_composition)
        return CropSet(
            self._store,
            items,
            self._backgrounds,
            config.data,
            config.augment,
            config.seed,
            layers=subset == "train" and any(weights),
            subset=subset,
        )

    def _each(self) -> int:
        """How many composites a foreground has; the lists of a split by composite hold them all."""
        listed = (
            number for part in self._split for numbers in part.values() for number in numbers or ()
        )
        return 1 + max(listed, default=self.config.data.backgrounds_per_foreground - 1)

    def _numbers(self, composites: list[int] | None, subset: Subset) -> list[int | None]:
        """Of each sample of a foreground, which of its backgrounds it has; None is any."""
        options = self.config.data
        if composites is not None:
            return composites[: options.valid_backgrounds] if subset == "valid" else composites
        if subset == "valid":
            return [None] * options.valid_backgrounds
        each = options.backgrounds_per_foreground
        return [None] * each if options.shuffle_backgrounds else list(range(each))
