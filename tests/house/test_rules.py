"""Each rule of the house finds what it forbids, and nothing else."""

import pytest
from tests.house.rules import python_faults, tree_faults, word_faults

GOOD = '"""A noun."""\n'


def messages(path: str, text: str) -> list[str]:
    return [fault.message for fault in python_faults(path, text)]


def test_a_module_within_all_limits_is_fine() -> None:
    body = "\n".join(["def f(a, b, c, d, e):", *["    a = b"] * 59])
    assert messages("a/noun.py", f"{GOOD}{body}\n" + "x = 1\n" * 339) == []


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        pytest.param("a/noun.py", GOOD + "x = 1\n" * 400, "401 lines", id="long-module"),
        pytest.param("a/noun.py", "x = 1\n", "no docstring", id="no-docstring"),
        pytest.param(
            "a/noun.py", f"{GOOD}def f():\n" + "    x = 1\n" * 60, "61 lines", id="long-function"
        ),
        pytest.param(
            "a/noun.py", f"{GOOD}def f(a, b, *, c, d, e, g): ...\n", "6 parameters", id="parameters"
        ),
        pytest.param(
            "a/noun.py", f"{GOOD}async def f(a, b, c, d, e, g): ...\n", "6 parameters", id="async"
        ),
        pytest.param("a/utils.py", GOOD, "'utils' names no thing", id="vague-name"),
        pytest.param("a/helpers/noun.py", GOOD, "'helpers' names no thing", id="vague-folder"),
    ],
)
def test_a_module_out_of_bounds_is_found(path: str, text: str, expected: str) -> None:
    (found,) = messages(path, text)
    assert expected in found


def test_the_object_itself_is_not_counted_as_a_parameter() -> None:
    text = f"{GOOD}class A:\n    def f(self, a, b, c, d, e): ...\n"
    assert messages("a/noun.py", text) == []


def test_a_test_may_take_any_number_of_fixtures() -> None:
    text = f"{GOOD}def test_f(a, b, c, d, e, f, g): ...\n"
    assert messages("tests/unit/test_noun.py", text) == []
    assert messages("tests/unit/noun.py", text) != []


def test_an_empty_package_file_needs_no_docstring() -> None:
    assert messages("a/__init__.py", "") == []


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("cd /wo" + "rk/main", id="work"),
        pytest.param("open('/ho" + "me/ann/x')", id="home"),
        pytest.param("path = /ro" + "ot/x", id="root"),
        pytest.param("https://py" + "pi.org/simple", id="python-index"),
        pytest.param("https://registry.np" + "mjs.org", id="npm"),
        pytest.param("http://deb.deb" + "ian.org/debian", id="debian"),
        pytest.param("see issue" + " #4", id="task"),
    ],
)
def test_words_that_do_not_belong_here_are_found(line: str) -> None:
    (fault,) = word_faults("README.md", f"first\n{line}\n")
    assert fault.line == 2


@pytest.mark.parametrize(
    "line",
    [
        "python package index",
        "/etc/tidemill/store",
        "s3://bucket/work/x",
        "~/.cache",
        "an issue of 4 bytes",
    ],
)
def test_plain_words_are_fine(line: str) -> None:
    assert list(word_faults("README.md", line)) == []


def test_the_source_root_must_not_be_a_package() -> None:
    assert list(tree_faults(["operator/__init__.py"])) != []
    assert list(tree_faults(["operator/tidemill/__init__.py"])) == []
