"""The metrics of other programs that rules and dashboards query, with their labels.

Written down from the documentation of kube-state-metrics 2, of the kubelet with cAdvisor, of
node_exporter, blackbox_exporter and dcgm-exporter, and from the sources of KEDA.
"""

_POD = {"namespace", "pod"}
_CONTAINER = _POD | {"container"}
_DEPLOYMENT = {"namespace", "deployment"}
_AUTOSCALER = {"namespace", "horizontalpodautoscaler"}
_DISK = {"instance", "device", "fstype", "mountpoint"}
_EXPORTED = {"exported_namespace", "exported_pod", "exported_container"}
"""What Prometheus makes of an exporter's labels that the target has too, without honor_labels."""
_GPU = _CONTAINER | _EXPORTED | {"gpu", "UUID", "device", "modelName", "Hostname"}
_SCALED_OBJECT = {"namespace", "scaledObject", "exported_namespace"}

_KUBE_STATE = {
    "kube_deployment_spec_replicas": _DEPLOYMENT,
    "kube_deployment_status_condition": _DEPLOYMENT | {"condition", "status"},
    "kube_deployment_status_replicas_ready": _DEPLOYMENT,
    "kube_deployment_status_replicas_unavailable": _DEPLOYMENT,
    "kube_horizontalpodautoscaler_spec_max_replicas": _AUTOSCALER,
    "kube_horizontalpodautoscaler_spec_min_replicas": _AUTOSCALER,
    "kube_horizontalpodautoscaler_status_condition": _AUTOSCALER | {"condition", "status"},
    "kube_horizontalpodautoscaler_status_current_replicas": _AUTOSCALER,
    "kube_horizontalpodautoscaler_status_desired_replicas": _AUTOSCALER,
    "kube_pod_container_resource_requests": _CONTAINER | {"node", "resource", "unit"},
    "kube_pod_container_status_last_terminated_reason": _CONTAINER | {"reason"},
    "kube_pod_container_status_restarts_total": _CONTAINER,
    "kube_pod_container_status_waiting_reason": _CONTAINER | {"reason"},
    "kube_pod_info": _POD | {"node", "host_ip", "pod_ip"},
    "kube_pod_status_phase": _POD | {"phase"},
    "kube_pod_status_scheduled": _POD | {"condition"},
}
_CADVISOR = {
    "container_cpu_cfs_periods_total": _CONTAINER,
    "container_cpu_cfs_throttled_periods_total": _CONTAINER,
    "container_cpu_usage_seconds_total": _CONTAINER,
    "container_memory_working_set_bytes": _CONTAINER,
    "container_oom_events_total": _CONTAINER,
}
_OTHERS = {
    "kubelet_volume_stats_available_bytes": {"namespace", "persistentvolumeclaim"},
    "kubelet_volume_stats_capacity_bytes": {"namespace", "persistentvolumeclaim"},
    "node_filesystem_avail_bytes": _DISK,
    "node_filesystem_size_bytes": _DISK,
    "node_uname_info": {"instance", "nodename"},
    "keda_scaled_object_errors": _SCALED_OBJECT,
    "keda_scaled_object_errors_total": _SCALED_OBJECT,
    "keda_scaler_active": _SCALED_OBJECT | {"scaler"},
}
_BLACKBOX = {
    "probe_duration_seconds": set[str](),
    "probe_http_status_code": set[str](),
    "probe_ssl_earliest_cert_expiry": set[str](),
    "probe_success": set[str](),
}
_DCGM = {
    "DCGM_FI_DEV_FB_USED": _GPU,
    "DCGM_FI_DEV_GPU_UTIL": _GPU,
    "DCGM_FI_DEV_POWER_USAGE": _GPU,
}

OF_PANELS = {
    "blackbox exporter": _BLACKBOX,
    "cAdvisor": _CADVISOR,
    "dcgm-exporter": _DCGM,
    "kube-state-metrics": _KUBE_STATE,
}
"""The metrics of the exporters that a row of a dashboard may need."""
METRICS = _KUBE_STATE | _CADVISOR | _OTHERS | _BLACKBOX | _DCGM
ALERTS = {"ALERTS": {"alertname", "alertstate", "severity"}}
"""What Prometheus itself records of alerts."""
JOINED = {"node"}
"""Labels that a query makes by label_replace."""
