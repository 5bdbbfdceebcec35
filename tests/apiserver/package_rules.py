"""The rules of signed and imported packages, each with what it takes, refuses and then says."""

from typing import Any

import pytest
from tests.unit.store import keys

FULL: dict[str, Any] = {"keyRef": {"name": "signers", "key": "a.pem", "passwordKey": "password"}}
CHANGES: list[dict[str, Any]] = [
    {"signing.keyRef.name": "other"},
    {"signing.keyRef.key": "b.pem"},
    {"signing.keyRef.passwordKey": None},
    {"signing": None},
]
S3 = {"bucket": "models", "key": "m.ubj"}
FOLDER = {"bucket": "models", "prefix": "runs/1/"}
PEM = keys.public_pem()
DIGEST = "sha256:" + "0a" * 32


def imported(s3: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"estimator.sklearn": None, "estimator.import": {"s3": s3, **more}}


def verified(*pems: str) -> dict[str, Any]:
    return {"model": {"run": "r", "verification": {"publicKeys": list(pems)}}}


SEARCH = {"method": "Random", "trials": 3, "space": {"m__c": {"values": [1]}}}
TEXT = "-----BEGIN PUBLIC KEY-----\nabc\n-----END PUBLIC KEY-----\n"
CURVE = "the key is not of the elliptic curve P-256: see `openssl ecparam -name prime256v1 -genkey`"
CASES: tuple[tuple[str, str, dict[str, Any], dict[str, Any], str], ...] = (
    (
        "TrainingRun",
        "an estimator and an import",
        imported(S3),
        {"estimator.import": {"s3": S3}},
        "exactly one estimator must be set: sklearn, script, container or import",
    ),
    (
        "TrainingRun",
        "a file and a folder",
        imported(FOLDER),
        imported({**FOLDER, "key": "m.ubj"}),
        "set key (a file) or prefix (a folder)",
    ),
    (
        "TrainingRun",
        "neither file nor folder",
        imported(S3),
        imported({"bucket": "models"}),
        "set key (a file) or prefix (a folder)",
    ),
    (
        "TrainingRun",
        "the digest of a folder",
        imported({**S3, "digest": DIGEST}),
        imported({**FOLDER, "digest": DIGEST}),
        "digest is that of one file: it needs key",
    ),
    (
        "TrainingRun",
        "a folder of XGBoost's",
        imported(FOLDER, format="MLflow"),
        imported(FOLDER, format="XGBoost"),
        "prefix is of an MLflow model: other formats are one file, named by key",
    ),
    (
        "TrainingRun",
        "an MLflow model in a file",
        imported(S3, format="XGBoost", classes=["no", "yes"]),
        imported(S3, format="MLflow"),
        "an MLflow model is a folder: name it by prefix",
    ),
    (
        "TrainingRun",
        "an import that is searched",
        {"search": SEARCH},
        {**imported(S3), "search": SEARCH},
        "an imported model is not fitted: remove search",
    ),
    (
        "TrainingRun",
        "an import that is weighed",
        {"weights": {"column": "w"}},
        {**imported(S3), "weights": {"column": "w"}},
        "an imported model is not fitted: remove weights",
    ),
    (
        "TrainingRun",
        "an import that learns",
        {**imported(S3), "evaluation": {"explain": {"permutationImportance": True}}},
        {**imported(S3), "evaluation": {"explain": {"learningCurve": True}}},
        "an imported model is not fitted: remove evaluation.explain.learningCurve",
    ),
    (
        "ModelDeployment",
        "a key that is no PEM",
        verified(PEM, f"\n{keys.public_pem('other')}\n"),
        verified("MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE"),
        "a public key is one PEM: -----BEGIN PUBLIC KEY-----…",
    ),
    (
        "ModelDeployment",
        "a private key",
        verified(PEM),
        verified(keys.private_pem().decode()),
        "a public key is one PEM: -----BEGIN PUBLIC KEY-----…",
    ),
    (
        "ModelDeployment",
        "a key of another kind",
        verified(PEM),
        verified(TEXT),
        CURVE,
    ),
)
RULES = [pytest.param(kind, good, bad, says, id=name) for kind, name, good, bad, says in CASES]
