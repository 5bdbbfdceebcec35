"""Builds the images and pushes them to the cluster's registry; only what changed, each time."""

import argparse

from imagebuild import target
from imagebuild.building import Workshop, read_sources
from imagebuild.catalog import BY_NAME, PUBLISHED, ROOT
from imagebuild.engines import choose
from imagebuild.failure import run
from imagebuild.paths import cache, exclusive
from imagebuild.progress import say
from imagebuild.publishing import publish, report


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--registry", help="host:port[/path]; the cluster's own when not given")
    registry = parser.parse_args().registry or target.find().require_registry()
    with exclusive(cache()):
        sources = read_sources(ROOT, with_programs=True)
        workshop = Workshop(choose(cache() / "storage"), sources, cache())
        published = {name: publish(workshop, BY_NAME[name], registry) for name in PUBLISHED}
    say(report(published))
    return 0


if __name__ == "__main__":
    run(main)
