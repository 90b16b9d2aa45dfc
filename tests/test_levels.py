"""What a config needs of trimaps costs it neither OpenCV nor PyTorch."""

import subprocess
import sys
from pathlib import Path


def test_options_are_read_without_opencv_and_pytorch():
    program = "import sys, utils.config; print({'cv2', 'torch'} & set(sys.modules) or 'none')"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "none\n"
