"""Ends the cluster and takes every trace of it off the machine, whatever state it is in.

Everything is found anew from what the machine has (processes by their records, by the cluster's
control group and by its containerd socket; mounts by path): a half-started cluster goes, too.
"""

import json
import os
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

from . import claim, machine
from .bring_up import LOCK
from .cluster import STOPPING
from .failure import ClusterError
from .health import listens
from .layout import RUN, Layout
from .locks import exclusive
from .processes import Identity, Registry, end, identify
from .waiting import wait_for

GONE_SECONDS = 20.0


def take_down(layout: Layout) -> None:
    with exclusive(LOCK, "changing the cluster"):
        _end_components(layout)
        _end_containers(layout)
        sockets = _shim_sockets(layout)
        _end_shims(layout)
        _unmount(layout)
        _remove_cgroups(layout)
        _remove_links(layout)
        for socket in sockets:
            socket.unlink(missing_ok=True)
        machine.restore(layout)
        claim.release(layout)
        for folder in (layout.run, layout.state):
            shutil.rmtree(folder, ignore_errors=not folder.exists())
        with suppress(OSError):  # other clusters' states may be there
            layout.state.parent.rmdir()
        LOCK.unlink(missing_ok=True)
    with suppress(OSError):
        RUN.rmdir()


def _end_components(layout: Layout) -> None:
    """With the kubelet gone, nothing starts containers anew while they are ended."""
    registry = Registry(layout.processes, layout.logs, str(layout.bin))
    for name in STOPPING:
        registry.stop(name)


def _end_containers(layout: Layout) -> None:
    def none_left() -> bool:
        pids = _cgroup_pids(layout)
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not pids

    if not wait_for(none_left, GONE_SECONDS):
        raise ClusterError(f"processes in the control group {layout.cgroup} do not end")


def _cgroup_pids(layout: Layout) -> set[int]:
    return {
        int(pid)
        for root in machine.cgroup_roots()
        for file in (root / layout.cgroup).rglob("cgroup.procs")
        for pid in _read(file).split()
    }


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # the group, or the process, went in the meantime
        return ""


def _end_shims(layout: Layout) -> None:
    for identity in _shims(layout):
        os.kill(identity.pid, signal.SIGKILL)
        end(identity)


def _shims(layout: Layout) -> list[Identity]:
    """Shims outlive containerd by design; the command line names the socket they report to."""
    mark = f"\0-address\0{layout.containerd_socket}\0"
    shims = (
        int(folder.name)
        for folder in Path("/proc").glob("[0-9]*")
        if mark in _read(folder / "cmdline")
    )
    return [identity for pid in shims if (identity := identify(pid)) is not None]


def _shim_sockets(layout: Layout) -> list[Path]:
    """They stand in a folder shared by all containerds of the machine; these are ours."""
    tasks = layout.run / "containerd" / "io.containerd.runtime.v2.task"
    found = []
    for file in tasks.glob("*/*/bootstrap.json"):
        with suppress(json.JSONDecodeError, KeyError):
            found.append(Path(json.loads(_read(file))["address"].removeprefix("unix://")))
    return found


def _unmount(layout: Layout) -> None:
    ours = (f"{layout.state}/", f"{layout.run}/")
    for line in reversed(_read(Path("/proc/self/mountinfo")).splitlines()):
        point = line.split()[4].encode().decode("unicode_escape")
        if point.startswith(ours):
            subprocess.run(["umount", "--lazy", "--no-canonicalize", point], check=True)


def _remove_cgroups(layout: Layout) -> None:
    for root in machine.cgroup_roots():
        top = root / layout.cgroup
        below = sorted((path for path in top.rglob("*") if path.is_dir()), reverse=True)
        for group in (*below, top):
            _remove_cgroup(group)


def _remove_cgroup(group: Path) -> None:
    def removed() -> bool:
        try:
            group.rmdir()
        except FileNotFoundError:
            return True
        except OSError:  # ended processes leave their group a moment later
            return False
        return True

    if not wait_for(removed, GONE_SECONDS):
        raise ClusterError(f"the control group {group} cannot be removed")


def _remove_links(layout: Layout) -> None:
    """What kubelet and CNI keep in places of their own, as far as it is this cluster's."""
    for link in Path("/var/log/containers").glob("*.log"):
        if link.is_symlink() and str(link.readlink()).startswith(f"{layout.state}/"):
            link.unlink()
    for result in Path("/var/lib/cni/results").glob(f"{layout.cgroup}-*"):
        result.unlink()
    devices = Path("/var/lib/kubelet/device-plugins/kubelet.sock")
    if devices.exists() and not listens(devices):
        devices.unlink()
