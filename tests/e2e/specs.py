"""The smallest specs that work; a test changes what it is about."""

from typing import Any

RAW_BUCKET = "raw"
RAW_SECRET = "raw-reader"


def dataset(prefix: str, *, form: str = "CSV", **s3: Any) -> dict[str, Any]:
    """A Dataset on a prefix of the raw bucket, quick to notice changes."""
    source = {
        "bucket": RAW_BUCKET,
        "prefix": prefix,
        "format": form,
        "credentialsRef": {"name": RAW_SECRET},
        **s3,
    }
    return {
        "source": {"s3": {k: v for k, v in source.items() if v is not None}},
        "refresh": {"pollInterval": "2s", "settlePeriod": "1s"},
    }


def training_run(dataset_name: str, **changes: Any) -> dict[str, Any]:
    """A logistic regression on the column `label`, trained whether another test has done so."""
    return {
        "dataset": {"name": dataset_name},
        "task": "Classification",
        "target": "label",
        "estimator": sklearn("sklearn.linear_model.LogisticRegression"),
        "cache": "Refresh",
        **changes,
    }


def sklearn(path: str, **params: Any) -> dict[str, Any]:
    """An estimator of one step."""
    step: dict[str, Any] = {"name": "model", "class": path}
    return {"sklearn": {"steps": [{**step, "params": params} if params else step]}}


def model_deployment(run: str, **changes: Any) -> dict[str, Any]:
    """One replica of the model of a run."""
    return {"model": {"run": run}, **changes}
