"""The trees of XGBoost's or LightGBM's model, in the images that have these libraries."""

from pathlib import Path

from tidemill.store import trees
from tidemill.store.trees import Boosted
from tidemill_server.exits import MODEL_UNLOADABLE, Refused
from tidemill_server.package.signature import Signature


def load_trees(folder: Path, signature: Signature) -> Boosted | None:
    """What answers in place of the skops file's last step, if the signature names a file of trees.

    Raises Refused, or ends the process: the libraries do not prove what they read.
    """
    if signature.trees is None:
        return None
    try:
        return trees.load(folder / signature.trees, signature.classes)
    except ImportError as error:
        raise Refused(
            MODEL_UNLOADABLE,
            f"the model was made with {error.name}, which this server's image has not: serve it "
            "with the image server-boosting",
        ) from None
    except (ValueError, RuntimeError) as error:
        raise Refused(MODEL_UNLOADABLE, f"{signature.trees} is broken: {error}") from None
