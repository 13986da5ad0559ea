"""Where the files are that training and tests use and the repository does not have.

The variable SHARED_DIR names the folder, from the repository's root; `../shared` where it is not
set. It has `data/`, `weights/` and `k8s-lab/`. Tests that need one that is absent are skipped.
"""

import os
from pathlib import Path

SHARED = (Path(__file__).parents[1] / os.environ.get("SHARED_DIR", "../shared")).resolve()
DATA = SHARED / "data"
"""The curated collection of images."""
