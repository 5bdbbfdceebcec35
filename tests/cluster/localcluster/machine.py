"""What a cluster changes on the machine outside its own folders, and how it is taken back.

The values found are written to the state before anything is changed, once per cluster, so that
`down` restores what was there first, however often `up` was repeated in between.
"""

import json
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

from .failure import ClusterError
from .layout import BRIDGE, GATEWAY, PODS, Layout

NFT_OWN = "tidemill"
# Tables with fixed names that kube-proxy and the portmap plugin make.
NFT_FOREIGN = ("ip kube-proxy", "ip6 kube-proxy", "ip cni_hostport", "ip6 cni_hostport")
BRIDGE_FILTER = "net/bridge/bridge-nf-call-iptables"
SET = {
    "net/ipv4/ip_forward": 1,
    BRIDGE_FILTER: 1,
    "fs/inotify/max_user_instances": 1024,  # every kubelet watch and every shim takes one
}
SET_BY_KUBELET = (
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)
# Folders whose places are written into Kubernetes, containerd or CNI.
FIXED_FOLDERS = (
    Path("/var/log/containers"),
    Path("/var/lib/cni"),
    Path("/var/lib/cni/results"),
    Path("/var/lib/kubelet"),
    Path("/var/lib/kubelet/device-plugins"),
    Path("/run/containerd"),
    Path("/run/containerd/s"),
    Path("/run/mount"),
)
ADDRESS = f"{GATEWAY}/{PODS.rpartition('/')[2]}"
MASQUERADE = f"""\
table ip {NFT_OWN} {{}}
delete table ip {NFT_OWN}
table ip {NFT_OWN} {{
    chain leaving {{
        type nat hook postrouting priority srcnat; policy accept;
        ip saddr {PODS} ip daddr != 198.18.0.0/15 masquerade
    }}
}}
"""


def prepare(layout: Layout) -> None:
    subprocess.run(["modprobe", "-aq", "br_netfilter", "overlay"], check=False)
    _remember(layout)
    for name, value in SET.items():
        if (path := _sysctl(name)).exists() and int(path.read_text()) < value:
            path.write_text(str(value))
    for controller in cgroup_roots():
        (controller / layout.cgroup).mkdir(exist_ok=True)
    _make_bridge()
    _run("nft", "-f", "-", given=MASQUERADE)


def bridge_is_filtered() -> bool:
    path = _sysctl(BRIDGE_FILTER)
    return path.exists() and path.read_text().strip() == "1"


def mtu() -> int:
    """That of the machine's way out: a bigger packet from a pod would vanish there."""
    route = json.loads(_run("ip", "-json", "-4", "route", "show", "default") or "[]")
    if not route:
        return 1500
    link = Path("/sys/class/net", route[0]["dev"], "mtu")
    return int(link.read_text())


def cgroup_roots() -> list[Path]:
    """One for cgroup v2; one per controller for v1. Names that are links stand for the same one."""
    root = Path("/sys/fs/cgroup")
    if (root / "cgroup.controllers").exists():
        return [root]
    return sorted(path for path in root.iterdir() if path.is_dir() and not path.is_symlink())


def tables() -> set[str]:
    listed = json.loads(_run("nft", "-j", "list", "tables"))["nftables"]
    found = (one["table"] for one in listed if "table" in one)
    return {f"{table['family']} {table['name']}" for table in found}


def restore(layout: Layout) -> None:
    """Takes back everything that `prepare`, kubelet, kube-proxy and the plugins changed."""
    remembered = _remembered(layout)
    keep = set(remembered.get("tables", []))
    for table in ({f"ip {NFT_OWN}", *NFT_FOREIGN} & tables()) - keep:
        _run("nft", "delete", "table", *table.split())
    _remove_network()
    for name, value in remembered.get("sysctls", {}).items():
        if (path := _sysctl(name)).exists() and path.read_text().strip() != value:
            path.write_text(value)
    for folder in sorted(map(Path, remembered.get("absent", [])), reverse=True):
        with suppress(OSError):  # somebody else uses it by now: it stays
            folder.rmdir()


def _remember(layout: Layout) -> None:
    target = layout.state / "machine.json"
    if target.exists():
        return
    found = tables()
    if taken := sorted(found & set(NFT_FOREIGN[:2])):
        raise ClusterError(
            f"the nft table {taken[0]!r} exists: another kube-proxy serves this machine, and two "
            f"cannot. If it is a leftover, remove it: nft delete table {taken[0]}"
        )
    document = {
        "tables": sorted(found),
        "sysctls": {
            name: _sysctl(name).read_text().strip()
            for name in (*SET, *SET_BY_KUBELET)
            if _sysctl(name).exists()
        },
        "absent": [str(folder) for folder in FIXED_FOLDERS if not folder.exists()],
    }
    made = target.with_suffix(".new")
    made.write_text(json.dumps(document, indent=2))
    made.rename(target)


def _remembered(layout: Layout) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads((layout.state / "machine.json").read_text())
    except FileNotFoundError:
        return {}
    return document


def _make_bridge() -> None:
    if not Path("/sys/class/net", BRIDGE).exists():
        _run("ip", "link", "add", BRIDGE, "type", "bridge")
    _run("ip", "address", "replace", ADDRESS, "dev", BRIDGE)
    _run("ip", "link", "set", BRIDGE, "mtu", str(mtu()), "up")


def _remove_network() -> None:
    """With the pods' links: the kernel takes those only some time after a pod's processes."""
    if not Path("/sys/class/net", BRIDGE).exists():
        return
    for link in json.loads(_run("ip", "-json", "link", "show", "master", BRIDGE) or "[]"):
        with suppress(ClusterError):  # it went in the meantime
            _run("ip", "link", "delete", link["ifname"])
    _run("ip", "link", "delete", BRIDGE)


def _sysctl(name: str) -> Path:
    return Path("/proc/sys", name)


def _run(*command: str, given: str | None = None) -> str:
    done = subprocess.run(
        command, input=given, text=True, capture_output=True, check=False, timeout=30
    )
    if done.returncode != 0:
        raise ClusterError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout
