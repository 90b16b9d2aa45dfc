"""Everything but the networks: data, losses, pruning, training, inference, reports."""

import os
from pathlib import Path

# Both here, since whatever imports a part of this does so before PyTorch makes threads and tensors;
# what the user has set stays. A thread that waits in a loop, the default, takes its core from other
# programs, and a step waits for the slowest thread.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# What a large map frees goes back to the system, and the next one gets its memory page by page,
# which took a third of a matte's time. Pages of 2 MB are fewer. Elsewhere PyTorch would warn.
if Path("/sys/kernel/mm/transparent_hugepage").is_dir():
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
