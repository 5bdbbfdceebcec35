"""When an object counts as edited, and when it does not."""

from typing import Any

import pytest

from tidemill.kube.drift import drift

CONTAINER = {"name": "main", "image": "i"}


@pytest.mark.parametrize(
    ("desired", "live"),
    [
        pytest.param({"a": 1}, {"a": 1, "b": 2}, id="foreign field"),
        pytest.param({"a": {}}, {"a": {"b": 1}}, id="foreign field in ours"),
        pytest.param({"a": {"b": 1}}, {"a": {"b": 1, "c": "default"}}, id="default beside"),
        pytest.param({"a": None}, {}, id="null is nothing"),
        pytest.param({"a": None}, {"a": 3}, id="null claims nothing"),
        pytest.param({"a": []}, {}, id="empty list left out"),
        pytest.param({"a": {}}, {}, id="empty mapping left out"),
        pytest.param({"a": ""}, {}, id="empty text left out"),
        pytest.param({"cpu": "1000m"}, {"cpu": "1"}, id="quantity normalised"),
        pytest.param({"cpu": 1}, {"cpu": "1"}, id="quantity given as a number"),
        pytest.param({"memory": "1024Mi"}, {"memory": "1Gi"}, id="binary quantity"),
        pytest.param({"memory": "1e3"}, {"memory": "1k"}, id="exponent"),
        pytest.param({"l": [1, "b"]}, {"l": [1, "b"]}, id="plain list"),
        pytest.param(
            {"containers": [CONTAINER]},
            {"containers": [{"name": "sidecar", "image": "s"}, {**CONTAINER, "tty": False}]},
            id="foreign item beside, in another order",
        ),
        pytest.param(
            {"ports": [{"containerPort": 80}]},
            {"ports": [{"containerPort": 80, "protocol": "TCP"}]},
            id="default in an item",
        ),
        pytest.param(
            {"sources": [{"configMap": {"name": "a"}}, {"secret": {"name": "b"}}]},
            {"sources": [{"configMap": {"name": "a"}}, {"secret": {"name": "b", "optional": 1}}]},
            id="list without a merge key",
        ),
    ],
)
def test_agrees(desired: Any, live: Any) -> None:
    assert drift(desired, live) is None


@pytest.mark.parametrize(
    ("desired", "live", "path"),
    [
        pytest.param({"a": 1}, {"a": 2}, "a", id="value"),
        pytest.param({"a": {"b": 1}}, {"a": {}}, "a.b", id="removed"),
        pytest.param({"a": {"b": 1}}, {}, "a", id="parent removed"),
        pytest.param({"a": False}, {}, "a", id="false is not nothing"),
        pytest.param({"a": 0}, {}, "a", id="zero is not nothing"),
        pytest.param({"a": True}, {"a": 1}, None, id="true is one to Python and to us"),
        pytest.param({"cpu": "1"}, {"cpu": "2"}, "cpu", id="quantity"),
        pytest.param({"v": "1.2.3"}, {"v": "1.2"}, "v", id="no quantity"),
        pytest.param({"v": "."}, {"v": "0"}, "v", id="no number"),
        pytest.param({"l": [1, 2]}, {"l": [1]}, "l", id="shorter list"),
        pytest.param({"l": [1]}, {"l": [1, 2]}, "l", id="longer list"),
        pytest.param({"l": [1, 2]}, {"l": [1, 3]}, "l[1]", id="item of a list"),
        pytest.param({"l": []}, {"l": [1]}, "l", id="list that should be empty"),
        pytest.param(
            {"spec": {"containers": [CONTAINER]}},
            {"spec": {"containers": [{"name": "main", "image": "other"}]}},
            "spec.containers[main].image",
            id="field of an item",
        ),
        pytest.param(
            {"containers": [CONTAINER]},
            {"containers": [{"name": "other", "image": "i"}]},
            "containers[main]",
            id="item removed",
        ),
        pytest.param({"a": {"b": 1}}, {"a": "text"}, "a", id="another type"),
        pytest.param(
            {"spec": {"selector": {"a": "1"}}},
            {"spec": {"selector": {"a": "1", "b": "2"}}},
            "spec.selector",
            id="a key more in a selector",
        ),
    ],
)
def test_differs_at(desired: Any, live: Any, path: str | None) -> None:
    assert drift(desired, live) == path
