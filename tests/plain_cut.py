"""The method once more: which channels are kept, and the cut by indexing."""

import math
from collections.abc import Mapping

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
    least = math.ceil(floor / multiple) * multiple
    counts = {group: min(least, len(score)) for group, score in scores.items()}
    if released:  # every gate for itself, the output's among them; the larger count of a pair
        pools["decoder"] = torch.cat([pools["decoder"], *output.values()])
        for group, g in found.items():
            for part, values in g.items():
                threshold = pools[part].sort().values[int(len(pools[part]) * share)]
                count = math.ceil(int((values > threshold).sum()) / multiple) * multiple
                counts[group] = min(max(counts[group], count), len(values))
    else:
        for tied in (False, True):
            members = [group for group in found if ("decoder" in found[group]) == tied]
            channels = sum(len(scores[group]) for group in members)
            left = channels - int(channels * share) - sum(counts[group] for group in members)
            for *_, group, width in sorted(blocks_of(members, scores, counts, multiple)):
                if 2 * left < width:  # nearer to the share without it
                    break
                counts[group] += width
                left -= width
    return {
        group: sorted(score.sort(descending=True, stable=True).indices[: counts[group]].tolist())
        for group, score in scores.items()
    }


def blocks_of(
    groups: list[str], scores: Mapping[str, Tensor], counts: Mapping[str, int], multiple: int
) -> list[tuple[float, float, str, int]]:
    """(-mean score, share of the group that is better, group, width) of what goes at once."""
    found = []
    for group in groups:
        ordered = scores[group].sort(descending=True).values.tolist()
        for first in range(counts[group], len(ordered), multiple):
            block = ordered[first : first + multiple]
            found.append((-sum(block) / len(block), first / len(ordered), group, len(block)))
    return found


def cut(w: Weights, keep: Keep) -> Weights:
    small = dict(w)
    for entry, reads, writes, _ in layers(blocks(w)):
        for name in (name for name in w if name.startswith(f"{entry}.")):
            if writes in keep and w[name].ndim:
                small[name] = small[name][keep[writes]]
        if reads in keep:
            small[f"{entry}.conv.weight"] = small[f"{entry}.conv.weight"][:, keep[reads]]
    return small
