"""The command lines of etcd, the API server, the controller manager and the scheduler.

What differs from a production cluster, and why:
- a lost node is noticed after 15 s instead of 50 s, and its pods are evicted after 20 s instead of
  300 s, so that a test of it is short (Kubernetes evicts nothing while *no* node is ready: such a
  test needs a second node, for which a fake one is enough);
- the controllers may send 200 requests/s: a burst of Jobs shall measure the operator, not them;
- nobody elects a leader: there is one of each, and losing the API server must not end them;
- etcd does not wait for the disk: its data survives its own end, not the machine's.
"""

import json
from collections.abc import Mapping
from typing import Any

from .certificates import CLUSTER, ETCD, FRONT_PROXY, write_kubeconfig
from .layout import GATEWAY, SERVICES, Layout
from .ports import Ports
from .processes import Program

NODE_GRACE = "15s"
EVICTION_SECONDS = 20
QPS, BURST = 200, 400
# What the operator asks for, request by request: a test holds it against the rights it is given.
AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "omitManagedFields": True,
    "rules": [
        {
            "level": "Metadata",
            "users": ["system:serviceaccount:tidemill-system:tidemill-operator"],
        },
        {"level": "None"},
    ],
}


def flags(values: Mapping[str, object]) -> list[str]:
    return [f"--{name}={value}" for name, value in values.items()]


def server(ports: Ports) -> str:
    return f"https://{GATEWAY}:{ports['kube-apiserver']}"


def etcd(layout: Layout, ports: Ports) -> Program:
    client = f"https://127.0.0.1:{ports['etcd']}"
    peer = f"https://127.0.0.1:{ports['etcd-peer']}"
    pair = {"cert-file": layout.pki / "etcd-server.crt", "key-file": layout.pki / "etcd-server.key"}
    options: dict[str, object] = {
        "name": layout.name,
        "data-dir": layout.state / "etcd",
        "listen-client-urls": client,
        "advertise-client-urls": client,
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "initial-cluster": f"{layout.name}={peer}",
        "listen-metrics-urls": f"http://127.0.0.1:{ports['etcd-metrics']}",
        "client-cert-auth": "true",
        "peer-client-cert-auth": "true",
        "trusted-ca-file": layout.pki / f"{ETCD}.crt",
        "peer-trusted-ca-file": layout.pki / f"{ETCD}.crt",
        "unsafe-no-fsync": "true",
        "quota-backend-bytes": 4 << 30,
        "log-level": "warn",
    }
    options |= pair | {f"peer-{name}": path for name, path in pair.items()}
    return Program("etcd", (layout.program("etcd"), *flags(options)))


def apiserver(layout: Layout, ports: Ports) -> Program:
    pki = layout.pki
    policy = layout.config / "audit-policy.json"
    options: dict[str, object] = {
        "advertise-address": GATEWAY,
        "audit-policy-file": policy,
        "audit-log-path": layout.logs / "audit.log",
        "audit-log-maxsize": 100,
        "audit-log-maxbackup": 1,
        "bind-address": GATEWAY,
        "secure-port": ports["kube-apiserver"],
        "tls-cert-file": pki / "kube-apiserver.crt",
        "tls-private-key-file": pki / "kube-apiserver.key",
        "client-ca-file": pki / f"{CLUSTER}.crt",
        "etcd-servers": f"https://127.0.0.1:{ports['etcd']}",
        "etcd-cafile": pki / f"{ETCD}.crt",
        "etcd-certfile": pki / "etcd-client.crt",
        "etcd-keyfile": pki / "etcd-client.key",
        "authorization-mode": "Node,RBAC",
        "enable-admission-plugins": "NodeRestriction",
        "service-cluster-ip-range": SERVICES,
        "service-account-issuer": "https://kubernetes.default.svc.cluster.local",
        "service-account-signing-key-file": pki / "service-account.key",
        "service-account-key-file": pki / "service-account.pub",
        "kubelet-certificate-authority": pki / f"{CLUSTER}.crt",
        "kubelet-client-certificate": pki / "apiserver-kubelet-client.crt",
        "kubelet-client-key": pki / "apiserver-kubelet-client.key",
        "kubelet-preferred-address-types": "InternalIP",
        "requestheader-client-ca-file": pki / f"{FRONT_PROXY}.crt",
        "requestheader-allowed-names": "front-proxy-client",
        "requestheader-extra-headers-prefix": "X-Remote-Extra-",
        "requestheader-group-headers": "X-Remote-Group",
        "requestheader-username-headers": "X-Remote-User",
        "proxy-client-cert-file": pki / "front-proxy-client.crt",
        "proxy-client-key-file": pki / "front-proxy-client.key",
        "default-not-ready-toleration-seconds": EVICTION_SECONDS,
        "default-unreachable-toleration-seconds": EVICTION_SECONDS,
        "shutdown-send-retry-after": "true",  # ends within 2 s instead of waiting for watches
        "profiling": "false",
    }
    command = (layout.program("kube-apiserver"), *flags(options))
    return Program("kube-apiserver", command, {policy: json.dumps(AUDIT_POLICY, indent=2)})


def controller_manager(layout: Layout, ports: Ports) -> Program:
    kubeconfig = layout.config / "kube-controller-manager.kubeconfig"
    options: dict[str, object] = {
        "kubeconfig": kubeconfig,
        "authentication-kubeconfig": kubeconfig,
        "authorization-kubeconfig": kubeconfig,
        "bind-address": "127.0.0.1",
        "secure-port": ports["kube-controller-manager"],
        "tls-cert-file": layout.pki / "serving.crt",
        "tls-private-key-file": layout.pki / "serving.key",
        "leader-elect": "false",
        "use-service-account-credentials": "true",
        "service-account-private-key-file": layout.pki / "service-account.key",
        "root-ca-file": layout.pki / f"{CLUSTER}.crt",
        "cluster-signing-cert-file": layout.pki / f"{CLUSTER}.crt",
        "cluster-signing-key-file": layout.pki / f"{CLUSTER}.key",
        "service-cluster-ip-range": SERVICES,
        "node-monitor-grace-period": NODE_GRACE,
        "node-monitor-period": "2s",
        "kube-api-qps": QPS,
        "kube-api-burst": BURST,
        "concurrent-job-syncs": 20,
        "flex-volume-plugin-dir": layout.state / "volume-plugins",
        "profiling": "false",
    }
    command = (layout.program("kube-controller-manager"), *flags(options))
    return Program("kube-controller-manager", command)


def scheduler(layout: Layout, ports: Ports) -> Program:
    kubeconfig = layout.config / "kube-scheduler.kubeconfig"
    config = layout.config / "kube-scheduler.yaml"
    content: dict[str, Any] = {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "clientConnection": {"kubeconfig": str(kubeconfig), "qps": QPS, "burst": BURST},
        "leaderElection": {"leaderElect": False},
        "enableProfiling": False,
    }
    options: dict[str, object] = {
        "config": config,
        "authentication-kubeconfig": kubeconfig,
        "authorization-kubeconfig": kubeconfig,
        "bind-address": "127.0.0.1",
        "secure-port": ports["kube-scheduler"],
        "tls-cert-file": layout.pki / "serving.crt",
        "tls-private-key-file": layout.pki / "serving.key",
    }
    command = (layout.program("kube-scheduler"), *flags(options))
    return Program("kube-scheduler", command, {config: json.dumps(content, indent=2)})


def write_kubeconfigs(layout: Layout, ports: Ports) -> None:
    layout.config.mkdir(parents=True, exist_ok=True)
    for user in ("kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "coredns"):
        target = layout.config / f"{user}.kubeconfig"
        write_kubeconfig(layout, server(ports), user, target)
    write_kubeconfig(layout, server(ports), "admin", layout.kubeconfig)
