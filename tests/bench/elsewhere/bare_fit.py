"""The script that somebody would write instead of a run: read, split, fit, measure, keep, send.

It knows nothing of Tidemill. Arguments: endpoint, access key, secret key, bucket, key of a Parquet
file, the kind of boosting, trees, a folder. Prints what it measured.
"""

import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import skops.io
from minio import Minio
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score

HOLDOUT, TARGET = 0.2, "y"


def main() -> None:
    endpoint, access, secret, bucket, key, kind, trees, folder = sys.argv[1:]
    client = Minio(endpoint, access_key=access, secret_key=secret, secure=False)
    data, model_file = Path(folder, "rows.parquet"), Path(folder, "model.skops")
    client.fget_object(bucket, key, str(data))
    table = pq.read_table(data)
    target = table.column(TARGET).to_numpy()
    names = [name for name in table.column_names if name != TARGET]
    features = np.column_stack([table.column(name).to_numpy() for name in names])
    del table
    first_held = len(target) - int(len(target) * HOLDOUT)
    if kind == "GradientBoostingClassifier":
        model = GradientBoostingClassifier(n_estimators=int(trees), random_state=0)
    else:
        model = HistGradientBoostingClassifier(
            max_iter=int(trees), early_stopping=False, random_state=0
        )
    model.fit(features[:first_held], target[:first_held])
    shares = model.predict_proba(features[first_held:])
    truth = target[first_held:]
    print(accuracy_score(truth, model.classes_[shares.argmax(axis=1)]))
    print(roc_auc_score(truth, shares[:, 1]), log_loss(truth, shares))
    skops.io.dump(model, model_file)
    client.fput_object(bucket, "bare/model.skops", str(model_file))


if __name__ == "__main__":
    main()
