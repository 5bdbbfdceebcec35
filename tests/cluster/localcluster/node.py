"""The command lines and files of what runs on the node: containerd, kubelet, kube-proxy, and beside
them the image registry and the cluster's name server.

CoreDNS is a process of the machine on the pods' gateway address, not a pod: names resolve before
the first pod starts and whatever happens to the node, and the machine's own resolver is upstream.
"""

import json
from pathlib import Path
from typing import Any

from .certificates import CLUSTER
from .images import PAUSE
from .layout import BRIDGE, GATEWAY, PODS, Layout
from .ports import Ports
from .processes import Program

DOMAIN = "cluster.local"


def registry(layout: Layout, ports: Ports) -> Program:
    """Keeps images in the cache, not in the state, so that they outlive the cluster."""
    config = layout.config / "registry.yaml"
    content = {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {
            "filesystem": {"rootdirectory": str(layout.cache / "registry")},
            "delete": {"enabled": True},
        },
        "http": {"addr": f"127.0.0.1:{ports['registry']}"},
    }
    command = ("/usr/bin/docker-registry", "serve", str(config))
    return Program("registry", command, {config: json.dumps(content, indent=2)})


def containerd(layout: Layout, ports: Ports, mtu: int) -> Program:
    config = layout.config / "containerd.toml"
    host = layout.config / "registries" / f"localhost:{ports['registry']}" / "hosts.toml"
    network = layout.config / "cni" / "10-tidemill.conflist"
    files = {
        config: CONTAINERD.format(
            root=layout.state / "containerd",
            state=layout.run / "containerd",
            socket=layout.containerd_socket,
            pause=PAUSE,
            registries=host.parent.parent,
            plugins=Path(layout.program("bridge")).parent,
            shim=layout.program("containerd-shim-runc-v2"),
            runc=layout.program("runc"),
            networks=network.parent,
            runc_root=layout.run / "runc",
        ),
        host: f'server = "http://127.0.0.1:{ports["registry"]}"\n',
        network: json.dumps(_network(layout, mtu), indent=2),
    }
    return Program("containerd", (layout.program("containerd"), f"--config={config}"), files)


CONTAINERD = """\
version = 3
root = "{root}"
state = "{state}"
disabled_plugins = [
  "io.containerd.internal.v1.opt",
  "io.containerd.nri.v1.nri",
]

[grpc]
address = "{socket}"

[plugins."io.containerd.cri.v1.images"]
snapshotter = "overlayfs"

[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "{pause}"

[plugins."io.containerd.cri.v1.images".registry]
config_path = "{registries}"

[plugins."io.containerd.cri.v1.runtime"]
restrict_oom_score_adj = true # root may lack CAP_SYS_RESOURCE
netns_mounts_under_state_dir = true
enable_cdi = false

[plugins."io.containerd.cri.v1.runtime".cni]
bin_dirs = ["{plugins}"]
conf_dir = "{networks}"
use_internal_loopback = true

[plugins."io.containerd.cri.v1.runtime".containerd]
default_runtime_name = "runc"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
runtime_path = "{shim}"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
BinaryName = "{runc}"
Root = "{runc_root}"
SystemdCgroup = false
"""


def _network(layout: Layout, mtu: int) -> dict[str, Any]:
    return {
        "cniVersion": "1.0.0",
        "name": layout.cgroup,
        "plugins": [
            {
                "type": "bridge",
                "bridge": BRIDGE,
                "isGateway": True,
                "hairpinMode": True,
                "mtu": mtu,
                "ipam": {
                    "type": "host-local",
                    "dataDir": str(layout.run / "addresses"),
                    "ranges": [[{"subnet": PODS}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": True}, "backend": "nftables"},
        ],
    }


def kubelet(layout: Layout, ports: Ports) -> Program:
    config = layout.config / "kubelet.yaml"
    options = {
        "config": config,
        "kubeconfig": layout.config / "kubelet.kubeconfig",
        "root-dir": layout.state / "kubelet",
        "cert-dir": layout.pki,
        "hostname-override": layout.node,
        "node-ip": GATEWAY,
    }
    flags = [f"--{name}={value}" for name, value in options.items()]
    text = json.dumps(_kubelet_configuration(layout, ports), indent=2)
    return Program("kubelet", (layout.program("kubelet"), *flags), {config: text})


def _kubelet_configuration(layout: Layout, ports: Ports) -> dict[str, Any]:
    access = {
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(layout.pki / f"{CLUSTER}.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(layout.pki / "kubelet-serving.crt"),
        "tlsPrivateKeyFile": str(layout.pki / "kubelet-serving.key"),
        "address": GATEWAY,
        "port": ports["kubelet"],
        "healthzPort": ports["kubelet-health"],
    }
    machine = {
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{layout.cgroup}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "makeIPTablesUtilChains": False,
        "containerRuntimeEndpoint": f"unix://{layout.containerd_socket}",
        "podLogsDir": str(layout.state / "pod-logs"),
        "volumePluginDir": str(layout.state / "volume-plugins"),
        "clusterDNS": [GATEWAY],
        "clusterDomain": DOMAIN,
    }
    # A developer's disk is often 80 % full: pods must not be evicted, nor images deleted, for that.
    housekeeping = {
        "imageGCHighThresholdPercent": 98,
        "imageGCLowThresholdPercent": 97,
        "evictionHard": {
            "memory.available": "100Mi",
            "nodefs.available": "1%",
            "nodefs.inodesFree": "1%",
            "imagefs.available": "1%",
        },
        "maxPods": 250,
    }
    # A lease renewed every 2 s keeps the node's short grace period from being missed under load.
    pace = {
        "nodeLeaseDurationSeconds": 8,
        "nodeStatusUpdateFrequency": "4s",
        "serializeImagePulls": False,
        "registryPullQPS": 0,
        "eventRecordQPS": 0,
    }
    kind = {"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration"}
    return kind | access | machine | housekeeping | pace


def proxy(layout: Layout, ports: Ports, bridge_is_filtered: bool) -> Program:
    """An answer between two pods misses the translation back if the bridge is not filtered."""
    config = layout.config / "kube-proxy.yaml"
    content = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clientConnection": {"kubeconfig": str(layout.config / "kube-proxy.kubeconfig")},
        "hostnameOverride": layout.node,
        "bindAddress": GATEWAY,
        "clusterCIDR": PODS,
        "detectLocalMode": "ClusterCIDR",
        "healthzBindAddress": f"127.0.0.1:{ports['kube-proxy-health']}",
        "metricsBindAddress": f"127.0.0.1:{ports['kube-proxy-metrics']}",
        # Zero: the machine's own settings stay.
        "conntrack": {
            "maxPerCore": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
        },
        "nftables": {"masqueradeAll": not bridge_is_filtered, "minSyncPeriod": "100ms"},
    }
    command = (layout.program("kube-proxy"), f"--config={config}")
    return Program("kube-proxy", command, {config: json.dumps(content, indent=2)})


def coredns(layout: Layout, ports: Ports) -> Program:
    config = layout.config / "Corefile"
    text = COREFILE.format(
        domain=DOMAIN,
        address=GATEWAY,
        health=ports["coredns-health"],
        ready=ports["coredns-ready"],
        kubeconfig=layout.config / "coredns.kubeconfig",
    )
    return Program("coredns", (layout.program("coredns"), "-conf", str(config)), {config: text})


COREFILE = """\
.:53 {{
    bind {address}
    errors
    health 127.0.0.1:{health}
    ready 127.0.0.1:{ready}
    kubernetes {domain} in-addr.arpa {{
        kubeconfig {kubeconfig}
        pods insecure
        fallthrough in-addr.arpa
        ttl 5
    }}
    forward . /etc/resolv.conf
    cache 5
}}
"""
