"""Locks the images' Python dependencies: exact versions and hashes, for the images' Python.

What runner and server both ask for is locked once, for the layer that they share; their own locks
hold what they add. Versions in the locks are kept where they still fit; `--upgrade` starts afresh.
"""

import argparse

from imagebuild.building import Workshop, read_sources
from imagebuild.catalog import ROOT
from imagebuild.engines import choose
from imagebuild.failure import run
from imagebuild.locking import lock_all
from imagebuild.paths import cache, exclusive


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--upgrade", action="store_true")
    upgrade = parser.parse_args().upgrade
    with exclusive(cache()):
        sources = read_sources(ROOT, with_programs=False)
        lock_all(Workshop(choose(cache() / "storage"), sources, cache()), upgrade=upgrade)
    return 0


if __name__ == "__main__":
    run(main)
