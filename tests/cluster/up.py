"""Brings the local cluster up, building its programs first where that was not done yet."""

import argparse

from localcluster import layout, pins
from localcluster.bring_up import bring_up
from localcluster.builds import build
from localcluster.failure import run
from localcluster.layout import Layout
from localcluster.root import require_root


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", default="tidemill")
    where = Layout.of(parser.parse_args().name)
    require_root()
    build(layout.cache(), pins.NEEDED)
    cluster = bring_up(where)
    print(f"kubeconfig: {where.kubeconfig}")
    print(f"programs:   {where.bin}")
    print(f"registry:   localhost:{cluster.ports['registry']}")
    return 0


if __name__ == "__main__":
    run(main)
