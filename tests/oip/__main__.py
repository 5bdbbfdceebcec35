"""Run the checks against any server: `python -m tests.oip URL MODEL [--version V] [--inputs FILE]`.

`--grpc HOST:PORT` has those of gRPC run as well, with the same request.

FILE has the `inputs` of a valid request of two rows, all numbers small and whole; without it every
input of the model's metadata gets numbers, which does for a model of numbers with a column each.
Prints a line for each check; the exit code is 1 where one failed.
"""

import argparse
import functools
import json
import sys
from pathlib import Path
from urllib.parse import urlsplit

import grpc
from tests.oip.every import CHECKS
from tests.oip.rpc_checks import RPC_CHECKS
from tests.oip.rpc_target import RpcTarget
from tests.oip.target import Target, Tensors

ROWS = 2


def target_of(url: str, model: str, version: str | None, inputs: Tensors | None) -> Target:
    """Ask the server for what is not given."""
    parts = urlsplit(url)
    found = Target(parts.hostname or "127.0.0.1", parts.port or 80, model, version or "1", [])
    metadata = found.get(found.path).json
    given = inputs or [
        {
            "name": tensor["name"],
            "datatype": tensor["datatype"],
            "shape": [ROWS, *tensor["shape"][1:]],
            "data": [bool(row) if tensor["datatype"] == "BOOL" else row for row in range(ROWS)],
        }
        for tensor in metadata["inputs"]
    ]
    named = version or (metadata.get("versions") or ["1"])[0]
    return Target(found.host, found.port, model, named, given)


def rpc_target_of(address: str, target: Target) -> RpcTarget:
    """The same model over gRPC."""
    channel = grpc.insecure_channel(address)
    return RpcTarget(channel, target.model, target.version, target.inputs)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("model")
    parser.add_argument("--version")
    parser.add_argument("--inputs", type=Path)
    parser.add_argument("--grpc")
    options = parser.parse_args()
    inputs = json.loads(options.inputs.read_text()) if options.inputs else None
    target = target_of(options.url, options.model, options.version, inputs)
    runs = [(one.label, functools.partial(one.run, target)) for one in CHECKS]
    if options.grpc:
        over = rpc_target_of(options.grpc, target)
        runs += [(one.label, functools.partial(one.run, over)) for one in RPC_CHECKS]
    failed = 0
    for label, run in runs:
        try:
            run()
        except Exception as error:
            failed += 1
            sys.stdout.write(f"FAILED {label}: {str(error)[:200]!r}\n")
        else:
            sys.stdout.write(f"ok     {label}\n")
    sys.stdout.write(f"{len(runs) - failed} of {len(runs)} passed\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
