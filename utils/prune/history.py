"""How the gates moved in a pruning stage: histograms by part, over time."""

import torch

from models import Network
from utils.prune.gates import all_gates
from utils.prune.scores import by_part

BINS, WIDEST = 40, 1.0  # what is wider counts in the last bin


class History:
    """Counts of |gamma| in bins from 0 to 1, one row each time that it is noted; plain data."""

    def __init__(self) -> None:
        self.rows: list[dict] = []

    @torch.no_grad()
    def note(self, network: Network, step: int) -> None:
        """Add a row: the step, the exact zeros and the counts of each part."""
        parts = by_part([gate for group, gate in all_gates(network) if group in network.plan])
        row: dict = {"step": step}
        for part, scales in parts.items():
            sizes = torch.cat(scales).float().cpu()
            counts = torch.histc(sizes.clamp(max=WIDEST), BINS, 0, WIDEST).int().tolist()
            row[part] = {"zero": int((sizes == 0).sum()), "counts": counts}
        self.rows.append(row)

    def state_dict(self) -> dict:
        return {"rows": self.rows}

    def load_state_dict(self, state: dict) -> None:
        self.rows = list(state["rows"])
