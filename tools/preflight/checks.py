"""The checks: each compares what the manifests need with what the cluster has."""

import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping

from tools.preflight.cluster import Cluster, CommandFailed, Json
from tools.preflight.findings import Finding, missing, ok, present, unknown
from tools.preflight.manifests import Manifests, namespace_of, values

Check = Callable[[Manifests, Cluster], Iterator[Finding]]

_OLDEST_MINOR = 27
"""Of Kubernetes: unhealthyPodEvictionPolicy and matchLabelKeys are on by default from here."""
_OLDEST_KUSTOMIZE = 5
_PROVIDERS = {
    "keda.sh": "install KEDA 2.17 or newer, or use an overlay without its components",
    "monitoring.coreos.com": "install the Prometheus operator, or leave out the component "
    "monitoring",
    "gateway.networking.k8s.io": "install the Gateway API 1.0 or newer and a controller for it, or "
    "use the component ingress",
}
"""Who brings the kinds of an API group."""
_METRICS_APIS = {
    "Pods": "custom.metrics.k8s.io",
    "Object": "custom.metrics.k8s.io",
    "External": "external.metrics.k8s.io",
    "Resource": "metrics.k8s.io",
    "ContainerResource": "metrics.k8s.io",
}
"""The API that serves an autoscaler's metrics, by their type."""
_GPU = re.compile(r"nvidia\.com/(gpu|mig-.*)")
_DEFAULT_CLASS = re.compile(r"(storageclass|ingressclass)\.kubernetes\.io/is-default-class")
_NAMESPACES = re.compile(r'namespace="([^"]*)"')
_SERVICE_NAME = re.compile(r"\.svc\.(?P<domain>[a-z0-9.-]+?)\.:\d+$")


def check_versions(manifests: Manifests, cluster: Cluster) -> Iterator[Finding]:
    """kubectl's kustomize builds components; the cluster knows every field."""
    client = json.loads(cluster.run("version", "--client", "-o", "json"))
    kustomize = client.get("kustomizeVersion", "v0")
    recent = int(kustomize.lstrip("v").partition(".")[0]) >= _OLDEST_KUSTOMIZE
    yield present(recent, f"kubectl with kustomize {kustomize}", "install kubectl 1.27 or newer")
    server = cluster.get("/version") or {}
    minor = int(re.sub(r"\D", "", server.get("minor", "")) or 0)
    wanted = f"the manifests need Kubernetes 1.{_OLDEST_MINOR} or newer"
    yield present(minor >= _OLDEST_MINOR, f"Kubernetes {server.get('gitVersion')}", wanted)


def check_kinds(manifests: Manifests, cluster: Cluster) -> Iterator[Finding]:
    """The cluster has every kind; without one, kubectl would apply the rest and then fail."""
    for version, kinds in sorted(manifests.kinds.items()):
        served = cluster.get(f"/apis/{version}" if "/" in version else f"/api/{version}") or {}
        known = {each["kind"] for each in served.get("resources", [])}
        provider = _PROVIDERS.get(version.partition("/")[0], "install what provides it")
        for kind in sorted(kinds):
            yield present(kind in known, f"kind {kind} of {version}", provider)


def check_secrets(manifests: Manifests, cluster: Cluster) -> Iterator[Finding]:
    """Pods that refer to an absent Secret, or to a key that it lacks, do not start."""
    for namespace, name in sorted(manifests.secrets):
        found = cluster.get(f"/api/v1/namespaces/{namespace}/secrets/{name}")
        what = f"Secret {name} in {namespace}"
        yield present(found, what, _creation(namespace, "generic", name))
        if found:
            for key in sorted(manifests.keys_of(namespace, name) - set(found.get("data") or {})):
                yield missing(f"key {key} of {what}", "make it anew with it, see k8s/README.md")


def _creation(namespace: str, kind: str, name: str) -> str:
    return (
        f"kubectl create namespace {namespace}, if it is new, and "
        f"kubectl -n {namespace} create secret {kind} {name} ..., see k8s/README.md"
    )


def check_certificates(manifests: Manifests, cluster: Cluster) -> Iterator[Finding]:
    """A certificate is there, or cert-manager can make it."""
    for namespace, name in sorted(manifests.certificates):
        found = cluster.get(f"/api/v1/namespaces/{namespace}/secrets/{name}")
        yield present(
            found, f"certificate {name} in {namespace}", _creation(namespace, "tls", name)
        )
    for name in sorted(manifests.issuers):
        yield present(
            cluster.get(f"/apis/cert-manager.io/v1/clusterissuers/{name}"),
            f"ClusterIssuer {name}",
            "install cert-manager, with the Gateway API enabled, and this issuer; or remove the "
            "annotation and create the Secret of the certificate",
        )


def check_classes(manifests: Manifests, cluster: Cluster) -> Iterator[Finding]:
    """A controller answers for each Gateway and Ingress."""
    for gateway in manifests.of_kind("Gateway"):
        name = gateway["spec"]["gatewayClassName"]
        found = cluster.get(f"/apis/gateway.networking.k8s.io/v1/gatewayclasses/{name}")
        yield present(found, f"GatewayClass {name}", "patch gatewayClassName to one of the cluster")
    for ingress in manifests.of_kind("Ingress"):
        name = ingress["spec"].get("ingressClassName")
        classes = cluster.items("/apis/networking.k8s.io/v1/ingressclasses")
        yield _class_finding("IngressClass", name, classes, "patch ingressClassName")


def check_storage(manifests: Manifests, cluster: Cluster) -> Iterator[Finding]:
    """A volume can be made for each claim."""
    wanted = {each["spec"].get("storageClassName") for each in manifests.claims}
    for name in sorted(wanted, key=str):
        classes = cluster.items("/apis/storage.k8s.io/v1/storageclasses")
        yield _class_finding("StorageClass", name, classes, "patch storageClassName")


def _class_finding(kind: str, name: str | None, classes: list[Json], advice: str) -> Finding:
    if name:
        found = [each for each in classes if each["metadata"]["name"] == name]
        return present(found, f"{kind} {name}", f"{advice} to one of the cluster")
    default = [each for each in classes if _is_default(each["metadata"].get("annotations", {}))]
    return present(default, f"default {kind}", f"{advice}, or make one the default")


def _is_default(annotations: Mapping[str, str]) -> bool:
    return any(
        _DEFAULT_CLASS.fullmatch(key) and value == "true" for key, value in annotations.items()
    )


def check_gpu(manifests: Manifests, cluster: Cluster) -> Iterator[Finding]:
    """A node offers what a pod asks for, with the labels that it selects."""
    wanted = set()
    for _, pod in manifests.pods:
        labels = tuple(sorted(pod.get("nodeSelector", {}).items()))
        limits = [limit for each in values(pod, "limits") for limit in each]
        wanted |= {(limit, labels) for limit in limits if _GPU.fullmatch(limit)}
    for resource, labels in sorted(wanted):
        found = [
            node
            for node in cluster.items("/api/v1/nodes")
            if dict(labels).items() <= node["metadata"].get("labels", {}).items()
            and node["status"].get("allocatable", {}).get(resource, "0") != "0"
        ]
        where = " ".join(f"{key}={value}" for key, value in labels)
        yield present(
            found,
            f"node with {resource} and {where or 'any labels'}",
            "install the NVIDIA GPU operator, or leave out the component gpu; where such nodes "
            "come only on demand, leave out this check (--without gpu)",
        )


def check_metrics(manifests: Manifests, cluster: Cluster) -> Iterator[Finding]:
    """An adapter serves the metrics that an HPA scales by."""
    types = {
        metric["type"]
        for each in manifests.of_kind("HorizontalPodAutoscaler")
        for metric in each["spec"].get("metrics", [])
    }
    services = cluster.items("/apis/apiregistration.k8s.io/v1/apiservices") if types else []
    for api in sorted({_METRICS_APIS[each] for each in types}):
        found = [each for each in services if each["spec"].get("group") == api]
        available = [each for each in found if _is_available(each)]
        advice = "its adapter does not answer" if found else "install an adapter, see k8s/README.md"
        yield present(available, f"metrics API {api}", advice)


def _is_available(service: Json) -> bool:
    conditions = service.get("status", {}).get("conditions", [])
    return any(each["type"] == "Available" and each["status"] == "True" for each in conditions)


def check_queries(manifests: Manifests, cluster: Cluster) -> Iterator[Finding]:
    """An autoscaler's query counts the gateways of its own namespace."""
    for each in manifests.of_kind("ScaledObject", "InferenceService"):
        own, name = namespace_of(each), each["metadata"]["name"]
        for query in values(each, "query"):
            counted = _NAMESPACES.findall(query)
            yield present(
                counted == [own],
                f"query of {each['kind']} {name} for the namespace {own}",
                f"it counts {counted}: copy the block replacements of the overlay into yours",
            )


def check_network(manifests: Manifests, cluster: Cluster) -> Iterator[Finding]:
    """Network policies need a plugin that enforces them."""
    if manifests.of_kind("NetworkPolicy"):
        yield unknown(
            "enforcement of network policies",
            "no API tells whether the network plugin does it; Calico, Cilium and OVN-Kubernetes do",
        )


def check_domain(manifests: Manifests, cluster: Cluster) -> Iterator[Finding]:
    """The full name of a Service ends with the cluster's domain, which each kubelet knows."""
    names = [_SERVICE_NAME.search(str(each)) for each in values(manifests.objects, "value")]
    wanted = {found["domain"] for found in names if found}
    nodes = cluster.items("/api/v1/nodes") if wanted else []
    for domain, node in itertools.product(sorted(wanted), nodes[:1]):
        path = f"/api/v1/nodes/{node['metadata']['name']}/proxy/configz"
        actual = (cluster.get(path) or {})["kubeletconfig"]["clusterDomain"]
        advice = f"the cluster's domain is {actual}: patch CHESTXRAY_CLASSIFIER_PODS"
        yield present(actual == domain, f"cluster domain {domain}", advice)


def check_admission(manifests: Manifests, cluster: Cluster) -> Iterator[Finding]:
    """The API server would take every object, by its own rules."""
    absent = [
        each
        for each in sorted(manifests.namespaces)
        if not cluster.get(f"/api/v1/namespaces/{each}")
    ]
    if absent:
        yield unknown("admission", f"namespace {absent[0]} does not exist yet; nothing was tried")
        return
    text = "\n".join(json.dumps(each) for each in manifests.objects)
    try:
        cluster.run("apply", "--dry-run=server", "-f", "-", text=text)
    except CommandFailed as error:
        yield missing("admission of every object", str(error))
    else:
        yield ok("admission of every object")


CHECKS: dict[str, Check] = {
    "versions": check_versions,
    "kinds": check_kinds,
    "secrets": check_secrets,
    "certificates": check_certificates,
    "classes": check_classes,
    "storage": check_storage,
    "gpu": check_gpu,
    "metrics": check_metrics,
    "queries": check_queries,
    "network": check_network,
    "domain": check_domain,
    "admission": check_admission,
}
"""By name, in the order in which one mends what they find."""
