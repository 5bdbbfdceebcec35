"""KServe's server around a scikit-learn model, as its documentation has a custom model written.

Arguments: name, file, port.
"""

import sys
from uuid import uuid4

import joblib
from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer


class Fitted(Model):
    """One that answers with the classes."""

    def __init__(self, name: str, path: str) -> None:
        super().__init__(name)
        self.fitted = joblib.load(path)
        self.ready = True

    async def predict(self, payload: InferRequest, *_: object, **__: object) -> InferResponse:
        found = self.fitted.predict(payload.inputs[0].as_numpy())
        output = InferOutput("predict", list(found.shape), "INT64", data=found.tolist())
        return InferResponse(payload.id or str(uuid4()), self.name, infer_outputs=[output])


if __name__ == "__main__":
    name, path, port = sys.argv[1:]
    server = ModelServer(http_port=int(port), enable_grpc=False, workers=1, access_log_format=None)
    server.start([Fitted(name, path)])
