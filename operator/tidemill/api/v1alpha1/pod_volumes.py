"""Variables and volumes that a pod is given besides our own: as in a pod, bounded."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from tidemill.api.v1alpha1.types import ApiModel, ObjectName, Quantity, rule, rules

MAX_VARIABLES = 64
MAX_VOLUMES = 16
ConfigKey = Annotated[
    str, Field(pattern=r"^[-._a-zA-Z0-9]+$", max_length=253, description="One of its keys.")
]


class KeyReference(ApiModel):
    """A key of a Secret or a ConfigMap of the namespace."""

    name: Annotated[ObjectName, Field(description="Name of the object.")]
    key: ConfigKey


class ValueFrom(ApiModel):
    """Where the value of a variable is read; exactly one."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "has(self.secretKeyRef) != has(self.configMapKeyRef)",
                "exactly one place must be named: secretKeyRef or configMapKeyRef",
            )
        )
    )

    secret_key_ref: Annotated[KeyReference | None, Field(description="A key of a Secret.")] = None
    config_map_key_ref: Annotated[
        KeyReference | None, Field(description="A key of a ConfigMap.")
    ] = None


class EnvVariable(ApiModel):
    """One variable of the environment; value or valueFrom."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "!self.name.matches('^(TIDEMILL_|PYTHON|LD_|PATH$)')",
                "TIDEMILL_, PYTHON, LD_ and PATH decide what runs and are Tidemill's: take another",
            ),
            rule(
                "has(self.value) != has(self.valueFrom)",
                "a variable has exactly one of value and valueFrom",
            ),
        )
    )

    name: Annotated[
        str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=128, description="Its name.")
    ]
    value: Annotated[
        str | None, Field(max_length=4096, description="Its value; no place for secrets.")
    ] = None
    value_from: Annotated[ValueFrom | None, Field(description="Where its value is read.")] = None


class EmptyDir(ApiModel):
    """Space that is gone with the pod."""

    size_limit: Annotated[Quantity, Field(description="How large it may become.")]
    medium: Annotated[
        Literal["Memory"] | None,
        Field(description="Memory: in memory, and counted as the pod's; default: on disk."),
    ] = None


class ConfigMapVolume(ApiModel):
    """The keys of a ConfigMap as files."""

    name: Annotated[ObjectName, Field(description="Name of the ConfigMap.")]


class SecretVolume(ApiModel):
    """The keys of a Secret as files."""

    secret_name: Annotated[ObjectName, Field(description="Name of the Secret.")]


class ClaimVolume(ApiModel):
    """The volume of a claim."""

    claim_name: Annotated[ObjectName, Field(description="Name of the PersistentVolumeClaim.")]
    read_only: Annotated[bool, Field(description="Nothing is written to it.")] = False


class Volume(ApiModel):
    """One volume; exactly one source."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "(has(self.emptyDir) ? 1 : 0) + (has(self.configMap) ? 1 : 0) + "
                "(has(self.secret) ? 1 : 0) + (has(self.persistentVolumeClaim) ? 1 : 0) == 1",
                "a volume is exactly one of emptyDir, configMap, secret, persistentVolumeClaim",
            )
        )
    )

    name: Annotated[
        str,
        Field(
            pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
            max_length=58,
            description="Its name; in the pod it is preceded by user-.",
        ),
    ]
    empty_dir: Annotated[EmptyDir | None, Field(description="Space that is gone after.")] = None
    config_map: Annotated[ConfigMapVolume | None, Field(description="A ConfigMap.")] = None
    secret: Annotated[SecretVolume | None, Field(description="A Secret.")] = None
    persistent_volume_claim: Annotated[ClaimVolume | None, Field(description="A claim.")] = None


class Mount(ApiModel):
    """Where a volume is seen."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "self.mountPath == '/dev/shm' || self.mountPath.matches('^/(mnt|data)/')",
                "mountPath is /dev/shm or below /mnt/ or /data/: elsewhere lie the image's files",
            ),
            rule(
                "!self.mountPath.split('/').exists(part, part == '..')",
                "mountPath has no .. in it",
            ),
        )
    )

    name: Annotated[str, Field(max_length=58, description="Name of one of `volumes`.")]
    mount_path: Annotated[
        str,
        Field(
            pattern=r"^/[^:]*$",
            max_length=512,
            description="Where: /dev/shm, or below /mnt/ or /data/.",
        ),
    ]
    read_only: Annotated[bool, Field(description="Nothing is written to it.")] = False
