"""Loads a model file in a process of its own, which that may end: `python -m … PATH`.

It is asked two rows of zeros as well, which a model may refuse, but not end the process of. It is
told nothing but the file; what it says at its end is one line.
"""

import contextlib
import importlib
import sys
import warnings
from pathlib import Path

from tidemill.store import boosted, loading, onnx_file, onnx_model, trees, trusted
from tidemill.store.errors import PackageError
from tidemill.store.structure import BrokenModel, check_structure
from tidemill_runner.imported import asking, tree_files


def main(path: Path, memory: int, seconds: float) -> int:
    warnings.simplefilter("ignore")
    _import(path)
    loading.limit(memory, seconds)
    try:
        if path.name == onnx_file.FILE:
            onnx_file.check(path)
            asking.ask_session(onnx_model.open_session(path))
        elif path.name in boosted.FILES.values():
            width = tree_files.proved(path).width
            asking.ask(trees.load(path, None), width)
        else:
            model = trusted.load(path)
            check_structure(model)
            asking.ask(model)
    except MemoryError:
        sys.stdout.write(f"{path.name} needs more memory than the container has left for it\n")
        return 1
    except ImportError:
        return 0  # of a library that is not there: whoever asks finds that out
    except (trusted.ModelRefused, PackageError, BrokenModel) as error:
        sys.stdout.write(f"{error}\n")
        return 1
    except Exception as error:
        words = " ".join(f"{type(error).__name__}: {error}".split())
        sys.stdout.write(f"{path.name} cannot be read ({words[:300]})\n")
        return 1
    return 0


def _import(path: Path) -> None:
    """Import what is needed before the bounds are set: they are of what the model takes."""
    names = {onnx_file.FILE: "onnxruntime", **{name: one for one, name in boosted.FILES.items()}}
    library = names.get(path.name, "skops.io")
    with contextlib.suppress(ImportError):
        importlib.import_module(library)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
