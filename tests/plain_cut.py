"""The method once more: which channels are kept, and the cut by indexing."""

import math

import torch
from torch import Tensor

from tests.plain_method import Weights, blocks, layers

Keep = dict[str, list[int]]


def gammas(w: Weights) -> dict[str, dict[str, Tensor]]:
    """{group: {part: |gamma|}}; an unpooled group has a gate in either part."""
    found: dict[str, dict[str, Tensor]] = {}
    for entry, _, writes, _ in layers(blocks(w)):
        found.setdefault(writes, {})[entry[:7]] = w[f"{entry}.norm.weight"].abs()
    return found


def select(
    w: Weights, share: float = 0.5, floor: int = 1, multiple: int = 1, released: bool = False
) -> Keep:
    """The channels to keep when `share` of them goes, encoder and decoder each for itself."""
    found = gammas(w)
    output = found.pop("matte")
    pools = {
        part: torch.cat([g[part] for g in found.values() if part in g])
        for part in ("encoder", "decoder")
    }
    scores = {
        group: sum(v / pools[part].mean() for part, v in g.items()) / len(g)
        for group, g in found.items()
    }
    counts = dict.fromkeys(found, 0)
    if released:  # every gate for itself, the output's among them; the larger count of a pair
        pools["decoder"] = torch.cat([pools["decoder"], *output.values()])
        for group, g in found.items():
            for part, values in g.items():
                threshold = pools[part].sort().values[int(len(pools[part]) * share)]
                counts[group] = max(counts[group], int((values > threshold).sum()))
    else:
        for tied in (False, True):
            ranked = []
            for group in (group for group in found if ("decoder" in found[group]) == tied):
                for rank, score in enumerate(scores[group].sort(descending=True).values.tolist()):
                    ranked.append((rank >= floor, -score, rank, group))
            for *_, group in sorted(ranked)[: len(ranked) - int(len(ranked) * share)]:
                counts[group] += 1
    keep = {}
    for group, score in scores.items():
        count = math.ceil(max(counts[group], floor) / multiple) * multiple
        keep[group] = sorted(score.sort(descending=True, stable=True).indices[:count].tolist())
    return keep


def cut(w: Weights, keep: Keep) -> Weights:
    small = dict(w)
    for entry, reads, writes, _ in layers(blocks(w)):
        for name in (name for name in w if name.startswith(f"{entry}.")):
            if writes in keep and w[name].ndim:
                small[name] = small[name][keep[writes]]
        if reads in keep:
            small[f"{entry}.conv.weight"] = small[f"{entry}.conv.weight"][:, keep[reads]]
    return small
