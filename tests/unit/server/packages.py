"""Model packages to serve: small, real models, packed as the runner packs them."""

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
import skops.io
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier
from tests.unit.server.bucket import NAME, Bucket

from tidemill.store import digests, package

PREFIX = "models/team/power/abc/"
URI = f"s3://{NAME}/{PREFIX}"
COLUMNS = ("price", "demand", "day", "peak")


@dataclass
class Model:
    """A fitted model, the rows it may be asked about, and its signature."""

    estimator: Any
    rows: np.ndarray
    signature: dict[str, Any]
    card: dict[str, Any] | None = None

    def files(self) -> dict[str, bytes]:
        """A package without its manifest."""
        told = {"card.json": digests.canonical_json(self.card)} if self.card else {}
        return {
            **told,
            "model.skops": skops.io.dumps(self.estimator),
            "signature.json": digests.canonical_json(self.signature),
            "environment.json": digests.canonical_json(environment(sklearn.__version__)),
        }


def environment(version: str) -> dict[str, Any]:
    return {
        "python": "3.13",
        "packages": {"scikit-learn": version, "numpy": np.__version__, "skops": "0.16.0"},
        "image": "runner@sha256:0",
    }


def manifest(files: dict[str, bytes]) -> bytes:
    """As `build_manifest` writes it, also for packages that it would refuse."""
    return digests.canonical_json(
        {
            "files": [
                {"path": name, "sha256": digests.sha256_digest(data), "size": len(data)}
                for name, data in sorted(files.items())
            ],
            "format": package.FORMAT,
        }
    )


def publish(bucket: Bucket, files: dict[str, bytes], prefix: str = PREFIX) -> str:
    """Put a package into the bucket; its digest."""
    data = manifest(files)
    bucket.objects.update({prefix + name: body for name, body in files.items()})
    bucket.objects[prefix + "manifest.json"] = data
    return digests.sha256_digest(data)


def numbers(count: int = 400) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(7)
    rows = random.normal(size=(count, len(COLUMNS)))
    rows[:, 2] = random.integers(1, 8, size=count)
    rows[:, 3] = random.integers(0, 2, size=count)
    target = (rows[:, 0] + 0.5 * rows[:, 1] + 0.1 * random.normal(size=count) > 0).astype(int)
    return rows, target


def signature(
    outputs: list[dict[str, Any]], *, nullable: bool = False, matrix: str = "float64"
) -> dict[str, Any]:
    types = ("FP64", "FP64", "INT64", "BOOL")
    return {
        "format": "tidemill.dev/signature/v1",
        "task": "Classification",
        "matrix": matrix,
        "inputs": [
            {"name": name, "datatype": datatype, "nullable": nullable}
            for name, datatype in zip(COLUMNS, types, strict=True)
        ],
        "outputs": outputs,
        "classes": None,
    }


def labels(datatype: str) -> list[dict[str, Any]]:
    return [
        {"name": "predict", "datatype": datatype, "shape": [-1]},
        {"name": "predict_proba", "datatype": "FP64", "shape": [-1, 2]},
    ]


def logistic() -> Model:
    rows, target = numbers()
    estimator = make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, target)
    return Model(estimator, rows, signature(labels("INT64")))


def boosted() -> Model:
    """Labels are texts; every column may be missing."""
    rows, target = numbers()
    rows[::7, 1] = np.nan
    estimator = HistGradientBoostingClassifier(max_iter=20, random_state=0)
    estimator.fit(rows, np.where(target > 0, "UP", "DOWN"))
    return Model(estimator, rows, signature(labels("BYTES"), nullable=True))


def named() -> Model:
    """The boosted one with everything that a package tells."""
    model = boosted()
    examples = [[None if v != v else v for v in row] for row in model.rows[:3].tolist()]  # noqa: PLR0124
    told = {**model.signature, "classes": ["DOWN", "UP"], "examples": examples}
    metric = {"name": "accuracy", "value": 0.91, "low": 0.9, "high": 0.92}
    card = {
        "format": "tidemill.dev/card/v1",
        "model": {"estimator": "HistGradientBoostingClassifier", "target": "way"},
        "data": {"dataset": "power", "version": "sha256:" + "ab" * 32, "rowsHeldOut": 80},
        "metrics": [metric],
    }
    return Model(model.estimator, model.rows, told, card)


def forest() -> Model:
    rows, target = numbers()
    estimator = RandomForestClassifier(n_estimators=10, n_jobs=2, random_state=0).fit(rows, target)
    return Model(estimator, rows, signature(labels("INT64")))


def tree() -> Model:
    rows, target = numbers()
    estimator = DecisionTreeClassifier(max_depth=4, random_state=0).fit(rows, target)
    return Model(estimator, rows, signature(labels("INT64")))


def regression() -> Model:
    rows, _ = numbers()
    estimator = make_pipeline(StandardScaler(), LinearRegression())
    estimator.fit(rows, rows @ np.array([1.5, -2.0, 0.25, 3.0]))
    outputs = [{"name": "predict", "datatype": "FP64", "shape": [-1]}]
    return Model(estimator, rows, {**signature(outputs), "task": "Regression"})


def texts() -> Model:
    """A number and a text that may be missing."""
    random = np.random.default_rng(3)
    rows = np.empty((200, 2), dtype=object)
    rows[:, 0] = random.normal(size=200)
    rows[:, 1] = random.choice(np.array(["north", "south", None], dtype=object), size=200)
    target = (np.array([row[1] == "north" for row in rows])).astype(int)
    columns = ColumnTransformer(
        [("scale", StandardScaler(), [0]), ("encode", OneHotEncoder(handle_unknown="error"), [1])]
    )
    estimator = make_pipeline(columns, LogisticRegression()).fit(rows, target)
    inputs = [
        {"name": "price", "datatype": "FP64", "nullable": False},
        {"name": "site", "datatype": "BYTES", "nullable": True},
    ]
    told = {**signature(labels("INT64"), matrix="object"), "inputs": inputs}
    return Model(estimator, rows, told)


def texts_with_nan() -> Model:
    """As the runner packs them: what is missing is NaN, in texts as well, and filled in."""
    model = texts()
    rows = model.rows.copy()
    rows[[value is None for value in rows[:, 1]], 1] = np.nan
    fill = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder())
    columns = ColumnTransformer([("scale", StandardScaler(), [0]), ("encode", fill, [1])])
    target = (rows[:, 1] == "north").astype(int)
    estimator = make_pipeline(columns, LogisticRegression()).fit(rows, target)
    examples = [[0.5, "north"], [1.5, None]]
    return Model(estimator, rows, {**model.signature, "matrix": "object-nan", "examples": examples})


def edit_member(skops_file: bytes, suffix: str, change: Any, folder: Path) -> bytes:
    """The same skops file with the first array of that kind changed."""
    source, target = folder / "source.skops", folder / "target.skops"
    source.write_bytes(skops_file)
    done = False
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for item in old.infolist():
            data = old.read(item)
            if item.filename.endswith(suffix) and not done:
                changed = change(data)
                done = changed is not data
                data = changed
            new.writestr(item.filename, data)
    if not done:
        raise LookupError(f"no member ends with {suffix} and was changed")
    return target.read_bytes()


def schema_of(skops_file: bytes, folder: Path) -> dict[str, Any]:
    path = folder / "read.skops"
    path.write_bytes(skops_file)
    with zipfile.ZipFile(path) as archive:
        found: dict[str, Any] = json.loads(archive.read("schema.json"))
    return found
