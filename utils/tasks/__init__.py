"""Tasks: what differs between matting and segmentation. The training loop knows neither."""

from utils.tasks.matting import Matting
from utils.tasks.segmentation import Segmentation
from utils.tasks.task import Task

TASKS: dict[str, type[Task]] = {"matting": Matting, "segmentation": Segmentation}

__all__ = ["TASKS", "Matting", "Segmentation", "Task"]
