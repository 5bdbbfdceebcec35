"""Installs Tidemill into a cluster, or removes it: see `python3 manifests/install.py --help`."""

from installer.failure import run
from installer.installation import prepare
from installer.options import parse
from installer.removal import remove


def main() -> int:
    """Do what the command line says."""
    options = parse()
    if options.uninstall:
        remove(options.kubectl, purge=options.purge)
    else:
        prepare(options).run()
    return 0


if __name__ == "__main__":
    run(main)
