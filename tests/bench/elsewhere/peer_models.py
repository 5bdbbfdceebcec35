"""The same models fitted in another environment, for servers that load pickles of their own making.

Arguments: a folder with `rows.npz` (features `rows`, classes `target`), and which models if not
all. Writes `NAME/model.joblib`.
"""

import sys
from pathlib import Path

import joblib
import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

folder, wanted = Path(sys.argv[1]), sys.argv[2:]
data = np.load(folder / "rows.npz")
for name, model in {
    "logistic": make_pipeline(StandardScaler(), LogisticRegression()),
    "forest-100": RandomForestClassifier(n_estimators=100, random_state=0),
    "boosted": HistGradientBoostingClassifier(random_state=0),
}.items():
    if wanted and name not in wanted:
        continue
    (folder / name).mkdir(exist_ok=True)
    joblib.dump(model.fit(data["rows"], data["target"]), folder / name / "model.joblib")
