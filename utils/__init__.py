"""Everything but the networks: data, losses, pruning, training, inference, reports."""
