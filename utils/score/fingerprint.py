"""A short text that two networks share if and only if they compute the same."""

import hashlib
import json

from models import Network


def fingerprint(network: Network) -> str:
    """SHA-256 over the structure, the plan and every number that the network holds."""
    digest = hashlib.sha256(network.name.encode())
    digest.update(json.dumps([network.plan, network.structure], sort_keys=True).encode())
    for name, tensor in network.state_dict().items():
        plain = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {plain.dtype} {tuple(plain.shape)}".encode())
        digest.update(plain.numpy())
    return digest.hexdigest()
