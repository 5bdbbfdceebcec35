"""Where the API server is and who we are: from the pod's service account, or a kubeconfig.

The official client's configuration does the reading and the refreshing (rotated tokens, exec
plugins, OIDC); its call path is not used, because it costs twice the CPU of a plain HTTP
request.
"""

import ssl
from dataclasses import dataclass

from kubernetes.aio import config as loader
from kubernetes.aio.client.configuration import Configuration


@dataclass(frozen=True, slots=True)
class Credentials:
    """The `Authorization` header of this moment, in its two parts; both empty with certificates."""

    scheme: str = ""
    token: str = ""

    def headers(self) -> dict[str, str]:
        """Give the header, or none."""
        return {"Authorization": f"{self.scheme} {self.token}"} if self.token else {}


class Connection:
    """A loaded configuration; `credentials()` is asked before every request and is cheap."""

    def __init__(self, configuration: Configuration) -> None:
        """Wrap what `load` or a test has put together."""
        self._configuration = configuration
        self.server: str = configuration.host.rstrip("/")
        self.ca_file: str | None = configuration.ssl_ca_cert
        self.certificate_file: str | None = configuration.cert_file
        self.key_file: str | None = configuration.key_file
        self.proxy: str | None = configuration.proxy
        self.insecure: bool = not configuration.verify_ssl

    @classmethod
    async def load(cls, kubeconfig: str | None = None) -> "Connection":
        """Read the kubeconfig named; without one, the service account or the default kubeconfig."""
        configuration = Configuration()
        if kubeconfig is not None:
            await loader.load_kube_config(kubeconfig, client_configuration=configuration)
        else:
            try:
                loader.load_incluster_config(client_configuration=configuration)
            except loader.ConfigException:
                await loader.load_kube_config(client_configuration=configuration)
        return cls(configuration)

    async def credentials(self) -> Credentials:
        """Give a valid token, refreshed where its source says that it is time."""
        header = await self._configuration.get_api_key_with_prefix("BearerToken")
        if not header:
            return Credentials()
        scheme, _, token = header.partition(" ")
        return Credentials(scheme.capitalize(), token) if token else Credentials("Bearer", scheme)

    def ssl_context(self) -> ssl.SSLContext:
        """Build the TLS context: the cluster's CA and our certificate, if we have one."""
        context = ssl.create_default_context(cafile=self.ca_file)
        if self.certificate_file:
            context.load_cert_chain(self.certificate_file, self.key_file)
        if self.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context
