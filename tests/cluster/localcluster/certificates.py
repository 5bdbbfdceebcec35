"""The cluster's keys and certificates, made with openssl, and the kubeconfigs that hold them.

Three authorities: the cluster's own; the front proxy's, whose holders may speak for anyone;
etcd's, so that no client of the cluster is a client of its database.
"""

import base64
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .failure import ClusterError
from .layout import API_SERVICE, GATEWAY, Layout

DAYS = "3650"
EMPTY_CONFIG = "[req]\ndistinguished_name = names\n[names]\n"
CLUSTER, FRONT_PROXY, ETCD = "ca", "front-proxy-ca", "etcd-ca"


@dataclass(frozen=True)
class Certificate:
    """`subject` decides who its holder is: CN is the user, O the group."""

    name: str
    subject: str
    authority: str = CLUSTER
    hosts: str = ""  # for a server: its subjectAltName


def wanted(layout: Layout) -> list[Certificate]:
    local = f"DNS:localhost,IP:127.0.0.1,IP:{GATEWAY}"
    api = ",".join(
        [
            local,
            f"IP:{API_SERVICE}",
            *(f"DNS:kubernetes{tail}" for tail in ("", ".default", ".default.svc")),
            "DNS:kubernetes.default.svc.cluster.local",
        ]
    )
    node = f"/O=system:nodes/CN=system:node:{layout.node}"
    return [
        Certificate("kube-apiserver", "/CN=kube-apiserver", hosts=api),
        Certificate("serving", "/CN=tidemill-components", hosts=local),
        Certificate("kubelet-serving", node, hosts=f"{local},DNS:{layout.node}"),
        Certificate("kubelet", node),
        Certificate("apiserver-kubelet-client", "/CN=kube-apiserver-kubelet-client"),
        Certificate("admin", "/O=system:masters/CN=tidemill-admin"),
        Certificate("kube-controller-manager", "/CN=system:kube-controller-manager"),
        Certificate("kube-scheduler", "/CN=system:kube-scheduler"),
        Certificate("kube-proxy", "/CN=system:kube-proxy"),
        Certificate("coredns", "/CN=system:coredns"),
        Certificate("front-proxy-client", "/CN=front-proxy-client", FRONT_PROXY),
        Certificate("etcd-server", "/CN=etcd", ETCD, hosts=local),
        Certificate("etcd-client", "/CN=kube-apiserver", ETCD),
    ]


def make(layout: Layout) -> None:
    """Makes what is missing: a certificate is there when both of its files are."""
    pki = layout.pki
    pki.mkdir(parents=True, exist_ok=True, mode=0o700)
    config = pki / "openssl.cnf"
    config.write_text(EMPTY_CONFIG)
    for authority in (CLUSTER, FRONT_PROXY, ETCD):
        _authority(pki, authority)
    for certificate in wanted(layout):
        _issue(pki, certificate)
    _service_account_key(pki)


def write_kubeconfig(layout: Layout, server: str, user: str, target: Path) -> None:
    def embedded(file: str) -> str:
        return base64.b64encode((layout.pki / file).read_bytes()).decode()

    text = f"""\
apiVersion: v1
kind: Config
clusters:
- name: {layout.name}
  cluster:
    server: {server}
    certificate-authority-data: {embedded("ca.crt")}
users:
- name: {user}
  user:
    client-certificate-data: {embedded(f"{user}.crt")}
    client-key-data: {embedded(f"{user}.key")}
contexts:
- name: {layout.name}
  context: {{cluster: {layout.name}, user: {user}}}
current-context: {layout.name}
"""
    if not target.exists() or target.read_text() != text:
        target.touch(mode=0o600)
        target.chmod(0o600)
        target.write_text(text)


def _authority(pki: Path, name: str) -> None:
    usage = ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,digitalSignature"]
    _request(pki, name, f"/CN=tidemill-{name}", usage, [])


def _issue(pki: Path, certificate: Certificate) -> None:
    purpose = "serverAuth,clientAuth" if certificate.hosts else "clientAuth"
    extensions = [
        "basicConstraints=critical,CA:FALSE",
        "keyUsage=critical,digitalSignature",
        f"extendedKeyUsage={purpose}",
    ]
    if certificate.hosts:
        extensions.append(f"subjectAltName={certificate.hosts}")
    authority = pki / certificate.authority
    signer = ["-CA", f"{authority}.crt", "-CAkey", f"{authority}.key"]
    _request(pki, certificate.name, certificate.subject, extensions, signer)


def _request(pki: Path, name: str, subject: str, extensions: list[str], signer: list[str]) -> None:
    key, certificate = pki / f"{name}.key", pki / f"{name}.crt"
    if key.exists() and certificate.exists():
        return
    command = ["req", "-x509", "-config", str(pki / "openssl.cnf"), "-nodes", "-days", DAYS]
    command += ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", subject]
    command += [part for extension in extensions for part in ("-addext", extension)]
    made = pki / f"{name}.crt.new"
    _openssl(*command, *signer, "-keyout", str(key), "-out", str(made))
    made.rename(certificate)


def _service_account_key(pki: Path) -> None:
    private, public = pki / "service-account.key", pki / "service-account.pub"
    if private.exists() and public.exists():
        return
    curve = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    _openssl("genpkey", *curve, "-out", str(private))
    private.chmod(0o600)
    _openssl("pkey", "-in", str(private), "-pubout", "-out", str(public))


def _openssl(*arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ClusterError(f"openssl {arguments[0]} failed: {done.stderr.strip()}")
