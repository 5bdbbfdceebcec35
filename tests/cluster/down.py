"""Takes the local cluster down; nothing of it stays but the cache."""

import argparse

from localcluster.failure import run
from localcluster.layout import Layout
from localcluster.root import require_root
from localcluster.take_down import take_down


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", default="tidemill")
    where = Layout.of(parser.parse_args().name)
    require_root()
    take_down(where)
    print(f"the cluster {where.name!r} is down")
    return 0


if __name__ == "__main__":
    run(main)
