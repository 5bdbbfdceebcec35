"""The house's rules on size, form and words: from a file to the faults found in it.

A module is at most 400 lines and begins with its concept; a function is at most 60 lines and takes
at most 5 parameters; names say what a thing is. Files speak of the project alone: no path of one
person's machine, no host of a package registry, no number of somebody's list of tasks.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

MODULE_LINES = 400
FUNCTION_LINES = 60
PARAMETERS = 5
VAGUE_NAMES = {"helper", "helpers", "manager", "managers", "misc", "util", "utils"}
BOUND = ("self", "cls")

# Written so that the patterns do not match themselves.
WORDS = {
    r"(?<![\w.])/work/[a-z]": "the path of one machine",
    r"(?<![\w.])/home/[a-z]{2}": "the path of one machine",
    r"(?<![\w.])/root/(?!\.)[a-z]": "the path of one machine",
    r"pypi[.]org|pythonhosted[.]org": "the host of a package registry",
    r"npmjs[.]org|proxy[.]golang[.]org": "the host of a package registry",
    r"deb[.]debian[.]org": "the host of a package registry",
    r"(?i)\bissue #?\d+\b": "the number of a task",
}


@dataclass(frozen=True, order=True)
class Fault:
    """Where a rule is broken, and which."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


def python_faults(path: str, text: str) -> Iterator[Fault]:
    """Checks one Python module."""
    lines = text.count("\n")
    if lines > MODULE_LINES:
        yield Fault(path, lines, f"{lines} lines; a module has at most {MODULE_LINES}")
    if vague := VAGUE_NAMES & set(re.split(r"[_/.]", path)):
        yield Fault(path, 1, f"{vague.pop()!r} names no thing: call the module by its noun")
    tree = ast.parse(text)
    if tree.body and not ast.get_docstring(tree):
        yield Fault(path, 1, "no docstring that says what the module is about")
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _function_faults(path, node)


def _function_faults(path: str, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[Fault]:
    lines = (node.end_lineno or node.lineno) - node.lineno + 1
    if lines > FUNCTION_LINES:
        message = f"{node.name} has {lines} lines; a function has at most {FUNCTION_LINES}"
        yield Fault(path, node.lineno, message)
    count = len(parameters(node))
    if count > PARAMETERS and not is_test(path):
        message = f"{node.name} takes {count} parameters; at most {PARAMETERS}"
        yield Fault(path, node.lineno, message)


def parameters(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    given = node.args
    names = [argument.arg for argument in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return names[1:] if names and names[0] in BOUND else names


def is_test(path: str) -> bool:
    """Tests take fixtures as parameters, as many as they need."""
    return PurePosixPath(path).name.startswith(("test_", "conftest"))


def word_faults(path: str, text: str) -> Iterator[Fault]:
    """Checks one file of text for what does not belong into the project."""
    for number, line in enumerate(text.splitlines(), start=1):
        for pattern, meaning in WORDS.items():
            if found := re.search(pattern, line):
                yield Fault(path, number, f"{found.group()!r} is {meaning}")


def tree_faults(paths: list[str]) -> Iterator[Fault]:
    """Checks what no single file shows."""
    if "operator/__init__.py" in paths:
        yield Fault("operator/__init__.py", 1, "would hide the standard library's `operator`")
