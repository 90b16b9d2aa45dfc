"""Tasks: what differs between matting and segmentation. The training loop knows neither."""

from utils.tasks.matting import Matting
from utils.tasks.task import Loaders, Task

TASKS: dict[str, type[Task]] = {"matting": Matting}

__all__ = ["TASKS", "Loaders", "Matting", "Task"]
