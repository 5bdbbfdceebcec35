"""The flags and arguments that commands have in common, named as kubectl names them."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from tidemill.cli import versions
from tidemill.cli.cluster import Cluster, Place
from tidemill.cli.data import Data

Command = Callable[..., Any]


def opened(context: str | None, kubeconfig: str | None, **names: str | None) -> Data:
    """Read the kubeconfig; nothing is asked of any server yet."""
    place = Place(
        namespace=names.get("namespace"),
        context=context,
        kubeconfig=kubeconfig,
        account=names.get("service_account") or "default",
        system=names.get("tidemill_namespace") or "tidemill-system",
    )
    return Data(Cluster(place), place)


def with_data(command: Command) -> Command:
    """Give a command the flags that say where, and the data there as its first argument."""

    @click.option("-n", "--namespace", metavar="NS", help="Namespace; the context's by default.")
    @click.option("--context", metavar="NAME", help="Context of the kubeconfig.")
    @click.option(
        "--kubeconfig", metavar="FILE", type=click.Path(dir_okay=False), help="As for kubectl."
    )
    @click.option(
        "--service-account",
        metavar="NAME",
        default="default",
        show_default=True,
        help="ServiceAccount of the namespace in whose name data is read.",
    )
    @click.option(
        "--tidemill-namespace",
        metavar="NS",
        default="tidemill-system",
        show_default=True,
        help="Where the operator runs.",
    )
    @wraps(command)
    def given(
        *,
        namespace: str | None,
        service_account: str,
        tidemill_namespace: str,
        **others: Any,  # noqa: ANN401 - the command's own
    ) -> Any:  # noqa: ANN401 - likewise
        data = opened(
            others.pop("context"),
            others.pop("kubeconfig"),
            namespace=namespace,
            service_account=service_account,
            tidemill_namespace=tidemill_namespace,
        )
        return command(data, **others)

    return given


def with_page(default: str) -> Callable[[Command], Command]:
    """Give a command that writes a page the options of where to, and whether to show it."""

    def given(command: Command) -> Command:
        where = click.option(
            "-o",
            "--output",
            "file",
            metavar="FILE",
            type=click.Path(dir_okay=False, path_type=Path),
            help=f"Where to; default {default}.",
        )
        return where(show_option(command))

    return given


show_option = click.option("--open", "show", is_flag=True, help="Open it in a browser.")


def complete_name(context: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
    """Offer the data sets of the namespace."""
    names = [item["metadata"]["name"] for item in _datasets(context)]
    return [CompletionItem(name) for name in names if name.startswith(begun)]


def complete_version(
    context: click.Context, _: click.Parameter, begun: str
) -> list[CompletionItem]:
    """Offer the versions that the status of the data set names."""
    name = context.params.get("name")
    for item in _datasets(context):
        if item["metadata"]["name"] == name:
            found = versions.completed(item.get("status") or {})
            return [CompletionItem(v, help=h) for v, h in found.items() if v.startswith(begun)]
    return []


def data_of(context: click.Context) -> Data:
    """Give the data that a command begun on the line speaks of."""
    flags = {
        name: context.params.get(name)
        for name in ("namespace", "service_account", "tidemill_namespace")
    }
    return opened(context.params.get("context"), context.params.get("kubeconfig"), **flags)


def _datasets(context: click.Context) -> list[dict[str, Any]]:
    """Ask for them; whatever fails, there is nothing to complete by and nothing to say."""
    try:
        return data_of(context).datasets()
    except Exception:
        return []
