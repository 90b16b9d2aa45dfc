"""Many cases on demand; see the package."""

import argparse
import io
import logging
import sys
import tempfile
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import torch

from tests import fuzz
from tests.fuzz.cases import write_base
from tests.fuzz.running import fault


def main() -> None:
    parser = argparse.ArgumentParser(
        description=fuzz.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=2000, metavar="N", help="how many (2000)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of all of them (0)")
    parser.add_argument("--only", type=int, metavar="N", help="this case alone, aloud")
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.only is None:
        logging.disable()
    started, faults = time.monotonic(), []
    with tempfile.TemporaryDirectory() as place:
        base = Path(place) / "base"
        write_base(base)
        chosen = range(args.cases) if args.only is None else [args.only]
        for number in chosen:
            aloud = io.StringIO() if args.only is None else sys.stdout
            with redirect_stdout(aloud), redirect_stderr(aloud):
                found = fault(base, Path(place) / "case", args.seed, number)
            if found:
                faults.append(found)
                print(found, flush=True)
    print(f"{len(faults)} of {len(chosen)} end badly; {time.monotonic() - started:.0f} s")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
