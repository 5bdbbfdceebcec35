"""Variables of the environment, each read as what it is to be; what is wrong is named.

All raise Refused: nothing is guessed and nothing is ignored.
"""

import json
from collections.abc import Mapping

from tidemill_server.exits import SPEC_INVALID, Exit, Refused


def required(env: Mapping[str, str], name: str) -> str:
    value = env.get(name, "")
    if not value:
        raise wrong(name, "it is not set")
    return value


def one_of(env: Mapping[str, str], name: str, words: tuple[str, ...]) -> str:
    """One of a few words; the first is the default."""
    word = env.get(name) or words[0]
    if word not in words:
        raise wrong(name, f"it must be {' or '.join(words)}, not {word!r}")
    return word


def integer(env: Mapping[str, str], name: str, default: int, *, least: int = 0) -> int:
    text = env.get(name, "")
    if not text:
        return default
    if not text.isdecimal() or int(text) < least:
        raise wrong(name, f"it must be a whole number of at least {least}, not {text!r}")
    return int(text)


def port(env: Mapping[str, str], name: str) -> int | None:
    return integer(env, name, 0) if env.get(name) else None


def networks(env: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(filter(None, env.get("TIDEMILL_HTTP_ALLOWED_NETWORKS", "").split(",")))


def texts(env: Mapping[str, str], name: str) -> tuple[str, ...]:
    """A list of texts in JSON; none where it is not set."""
    if not env.get(name):
        return ()
    try:
        found = json.loads(env[name])
    except (ValueError, RecursionError):
        found = None
    # Empty, it would demand a signature of nobody and check none.
    if not isinstance(found, list) or not found or not all(isinstance(o, str) for o in found):
        raise wrong(name, "it must be a list of texts in JSON")
    return tuple(found)


def seconds(env: Mapping[str, str], name: str, default: float) -> float:
    return number(env, name, default, 86_400, "of seconds")


def share(env: Mapping[str, str], name: str, default: float) -> float:
    return number(env, name, default, 1, "from 0 to 1")


def number(env: Mapping[str, str], name: str, default: float, most: float, what: str) -> float:
    """A number from 0 to the most."""
    text = env.get(name, "")
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= most:
        raise wrong(name, f"it must be a number {what}, not {text!r}")
    return value


def wrong(name: str, why: str) -> Refused:
    return Refused(
        SPEC_INVALID, f"the environment variable {name} is wrong: {why}", Exit.USER_ERROR
    )
