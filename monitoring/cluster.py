"""Alerts on the cluster that the pods run in; each is silent without the exporter that it reads.

kube-state-metrics must be scraped with `honor_labels`, so that `namespace` and `pod` are those of
the object that it describes. That is the default of its Helm charts.
"""

from monitoring.matchers import CONTAINERS, IN_OUR_NAMESPACES, JOB, NAMESPACES
from monitoring.rules import Alert, Group, Record

_DEPLOYMENTS = 'deployment=~"gateway|classifier"'
_PODS = 'pod=~"(gateway|classifier|dicom)-.+"'
_SCALER = 'scaledObject="classifier"'
_AUTOSCALERS = 'horizontalpodautoscaler=~"gateway|keda-hpa-classifier"'
"""KEDA names the HPA that it creates after its ScaledObject."""

_THROTTLED_SHARE = 0.5
"""A gateway under full load has more threads than cores, and is throttled in some periods."""
_LITTLE_SPACE = 0.1
_NODE_DISKS = 'mountpoint=~"/|/var|/var/lib|/var/lib/(kubelet|containerd|containers|docker)"'
"""Where kubelets and container runtimes keep images, logs and emptyDirs."""


def groups() -> list[Group]:
    """Returns the rules on pods, autoscalers, rollouts, CPU, memory and disks."""
    present = Record(NAMESPACES, f"group by (namespace) (present_over_time(up{{{JOB}}}[1d]))")
    scaling = [_pending(), _scaler_errors(), _autoscaler_inactive(), _autoscaler_at_maximum()]
    resources = [_throttled(), _out_of_memory(), _volume_full(), _node_disk_full()]
    return [Group("chestxray.cluster", "1m", [present, *scaling, _rollout_stuck(), *resources])]


def _pending() -> Alert:
    return Alert(
        name="ChestxrayPodPending",
        severity="warning",
        query=f"""
            max by (namespace, pod) (kube_pod_status_phase{{phase="Pending", {_PODS}}}) == 1
            {IN_OUR_NAMESPACES}
        """,
        lasts="10m",  # longer than a node autoscaler and the pull of a CUDA image need
        summary="{{ $labels.pod }} has been pending for ten minutes",
        description="""
            No node has enough free CPU or memory, a GPU or a volume is missing, or its image cannot
            be pulled. The pods that run carry its load.""",
    )


def _scaler_errors() -> Alert:
    # Older releases of KEDA count without the suffix.
    counters = " or ".join(
        f"increase(keda_scaled_object_errors{suffix}{{{_SCALER}}}[5m])" for suffix in ("_total", "")
    )
    # Without honor_labels `namespace` is that of KEDA's own pod.
    errors = f'label_replace({counters}, "namespace", "$1", "exported_namespace", "(.+)")'
    return Alert(
        name="ChestxrayScalerErrors",
        severity="warning",
        query=f"""
            sum by (namespace, scaledObject) (
              {errors}
            ) >= 3
            {IN_OUR_NAMESPACES}
        """,
        lasts="5m",
        summary="KEDA cannot evaluate the ScaledObject {{ $labels.scaledObject }}",
        description="""
            {{ $value | printf "%.0f" }} errors in five minutes: the classifier tier does not follow
            demand, and a tier at zero does not start.""",
    )


def _autoscaler_inactive() -> Alert:
    condition = "kube_horizontalpodautoscaler_status_condition"
    return Alert(
        name="ChestxrayAutoscalerInactive",
        severity="warning",
        # At zero replicas an HPA is inactive on purpose.
        query=f"""
            max by (namespace, horizontalpodautoscaler, condition) (
              {condition}{{condition=~"ScalingActive|AbleToScale", status="false", {_AUTOSCALERS}}}
            ) == 1
            and on (namespace, horizontalpodautoscaler)
            kube_horizontalpodautoscaler_status_current_replicas > 0
            {IN_OUR_NAMESPACES}
        """,
        lasts="10m",
        summary="The autoscaler {{ $labels.horizontalpodautoscaler }} does not work",
        description="""
            Its condition {{ $labels.condition }} is false, usually because it gets no metric. The
            number of pods does not follow the load.""",
    )


def _autoscaler_at_maximum() -> Alert:
    def replicas(which: str) -> str:
        metric = f"kube_horizontalpodautoscaler_{which}_replicas"
        return f"max by (namespace, horizontalpodautoscaler) ({metric}{{{_AUTOSCALERS}}})"

    return Alert(
        name="ChestxrayAutoscalerAtMaximum",
        severity="warning",
        # One whose minimum is its maximum is always there.
        query=f"""
            {replicas("status_desired")}
            >= {replicas("spec_max")}
            > {replicas("spec_min")}
            {IN_OUR_NAMESPACES}
        """,
        lasts="15m",
        summary="The autoscaler {{ $labels.horizontalpodautoscaler }} is at its maximum",
        description="""
            It wants {{ $value }} replicas and may not add one. If demand grows further, requests
            are shed.""",
    )


def _rollout_stuck() -> Alert:
    by = "max by (namespace, deployment)"
    failed = f'{_DEPLOYMENTS}, condition="Progressing", status="false"'
    return Alert(
        name="ChestxrayRolloutStuck",
        severity="warning",
        query=f"""
            (
              {by} (kube_deployment_status_condition{{{failed}}}) == 1
              or
              {by} (kube_deployment_status_replicas_unavailable{{{_DEPLOYMENTS}}}) > 0
            )
            {IN_OUR_NAMESPACES}
        """,
        lasts="15m",  # longer than a rollout of ten pods, which start one after another
        summary="The rollout of {{ $labels.deployment }} does not end",
        description="""
            Replicas have been unavailable for a quarter of an hour, or the Deployment has missed
            its progress deadline. The old pods go on serving.""",
    )


def _throttled() -> Alert:
    def periods(which: str) -> str:
        metric = f"container_cpu_cfs_{which}periods_total"
        return f"sum by (namespace, pod, container) (rate({metric}{{{CONTAINERS}}}[15m]))"

    return Alert(
        name="ChestxrayThrottled",
        severity="warning",
        query=f"""
            {periods("throttled_")}
            / {periods("")}
            > {_THROTTLED_SHARE:g}
            {IN_OUR_NAMESPACES}
        """,
        lasts="15m",
        summary="{{ $labels.pod }} is held back by its CPU limit",
        description="""
            Its CPU limit stopped it in {{ $value | humanizePercentage }} of the scheduler's
            periods: latency rises although the node may be idle.""",
    )


def _out_of_memory() -> Alert:
    by = "sum by (namespace, pod, container)"
    killed = f'kube_pod_container_status_last_terminated_reason{{reason="OOMKilled", {CONTAINERS}}}'
    return Alert(
        name="ChestxrayOutOfMemory",
        severity="warning",
        # The kernel kills the container, or one process in it, which the supervisor replaces.
        query=f"""
            (
              (
                {by} (increase(kube_pod_container_status_restarts_total{{{CONTAINERS}}}[30m])) > 0
                and on (namespace, pod, container) {killed} == 1
              )
              or
              {by} (increase(container_oom_events_total{{{CONTAINERS}}}[30m])) > 0
            )
            {IN_OUR_NAMESPACES}
        """,
        lasts="0m",
        summary="{{ $labels.pod }} ran out of memory",
        description="""
            The kernel killed the container or a process in it at the memory limit. The requests in
            flight there were lost or retried.""",
    )


def _volume_full() -> Alert:
    def volume(which: str) -> str:
        metric = f"kubelet_volume_stats_{which}_bytes"
        claim = 'persistentvolumeclaim=~"training-runs|gateway-audit"'
        return f"max by (namespace, persistentvolumeclaim) ({metric}{{{claim}}})"

    return Alert(
        name="ChestxrayVolumeFull",
        severity="warning",
        # Training writes to its claim alone, perhaps in a namespace without gateways. The claim of
        # the DICOM node is larger than its queue may grow; emptyDirs count as the node's disk.
        query=f"""
            {volume("available")} / {volume("capacity")} < {_LITTLE_SPACE:g}
        """,
        lasts="15m",
        summary="The volume {{ $labels.persistentvolumeclaim }} is almost full",
        description="""
            {{ $value | humanizePercentage }} are free. When nothing is, training fails at its next
            checkpoint, or lines of the audit file are lost.""",
    )


def _node_disk_full() -> Alert:
    def disk(which: str) -> str:
        return f"node_filesystem_{which}_bytes{{{_NODE_DISKS}}}"

    pods = f"(kube_pod_info{{{_PODS}}} {IN_OUR_NAMESPACES})"
    return Alert(
        name="ChestxrayNodeDiskFull",
        severity="warning",
        query=f"""
            min by (node, mountpoint) (
              label_replace(
                {disk("avail")} / {disk("size")}
                * on (instance) group_left (nodename) node_uname_info,
                "node", "$1", "nodename", "(.+)"
              )
            ) < {_LITTLE_SPACE:g}
            and on (node) group by (node) {pods}
        """,
        lasts="15m",
        summary="A disk of {{ $labels.node }}, which runs our pods, is almost full",
        description="""
            {{ $value | humanizePercentage }} of {{ $labels.mountpoint }} are free. The kubelet
            evicts pods when too little is left.""",
    )
