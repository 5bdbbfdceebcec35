"""CustomResourceDefinitions: what the API server is told of each kind, as readable YAML."""

from typing import Any, ClassVar, Protocol, cast

import yaml
from pydantic import BaseModel

from tidemill.api.structural import Schema, structural_schema
from tidemill.api.v1alpha1 import GROUP, VERSION
from tidemill.api.v1alpha1.dataset import Dataset
from tidemill.api.v1alpha1.model_deployment import ModelDeployment
from tidemill.api.v1alpha1.training_run import TrainingRun

CATEGORY = "tidemill"
_WIDTH = 100


class Kind(Protocol):
    """What the model of a kind carries beside its fields."""

    kind: ClassVar[str]
    plural: ClassVar[str]
    short_names: ClassVar[tuple[str, ...]]
    columns: ClassVar[tuple[dict[str, str | int], ...]]


KINDS: tuple[type[Kind], ...] = (Dataset, TrainingRun, ModelDeployment)


def definition(kind: type[Kind]) -> Schema:
    """Build the CustomResourceDefinition of a kind."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{kind.plural}.{GROUP}",
            "labels": {"app.kubernetes.io/part-of": "tidemill"},
        },
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind.kind,
                "listKind": f"{kind.kind}List",
                "plural": kind.plural,
                "singular": kind.kind.lower(),
                "shortNames": list(kind.short_names),
                "categories": [CATEGORY],
            },
            "versions": [_version(kind)],
        },
    }


def _version(kind: type[Kind]) -> Schema:
    return {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [dict(column) for column in kind.columns],
        "schema": {"openAPIV3Schema": structural_schema(cast("type[BaseModel]", kind))},
    }


class _Dumper(yaml.SafeDumper):
    """Lists stand indented under their key, and nothing is written as a reference."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Indent lists too."""
        super().increase_indent(flow, indentless and False)

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002, ANN401 - yaml's own signature
        """Write equal parts out each time."""
        return True


def render(kind: type[Kind]) -> str:
    """Give the file of a kind."""
    source = cast("type[BaseModel]", kind).__module__.replace(".", "/")
    header = (
        f"# Generated from operator/{source}.py by `python -m tidemill.api.crdgen`.\n"
        "# Do not edit: change the model and generate again.\n"
    )
    body = yaml.dump(
        definition(kind), Dumper=_Dumper, sort_keys=False, width=_WIDTH, allow_unicode=True
    )
    return f"{header}---\n{body}"
