"""Builds the cluster's programs, once per machine and set of pins; or prints where one is."""

import argparse
import sys

from localcluster import layout, pins
from localcluster.builds import build
from localcluster.failure import ClusterError, run


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    programs = [name for component in pins.COMPONENTS for name in component.programs]
    parser.add_argument("programs", metavar="PROGRAM", nargs="*", help="default: all of them")
    parser.add_argument("--print", metavar="PROGRAM", choices=programs, help="print a path")
    options = parser.parse_args()
    if unknown := set(options.programs) - set(programs):
        parser.error(f"no such program: {', '.join(sorted(unknown))}")
    wanted = options.print
    if wanted is None:
        print(build(layout.cache(), pins.components_of(options.programs)))
        return 0
    path = layout.programs() / wanted
    if not path.exists():
        raise ClusterError(f"{wanted} is not built; build it with: python3 {sys.argv[0]}")
    print(path)
    return 0


if __name__ == "__main__":
    run(main)
