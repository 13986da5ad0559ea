"""What is left, and what an image costs."""

from bentos import capacity as measured
from monitoring.grafana import Dashboard, Panel
from monitoring.queries import gauge, increase, rate

_MEASURED = measured.read()
_CLASSIFIER = 'model="covid_classifier"'
_PODS = 'container=~"gateway|classifier"'
"""Both workloads' containers are called as the workloads are."""
_ADMITTED = gauge("chestxray_in_flight", 'stage="admitted"')
_IMAGES = rate("chestxray_filter_verdicts_total")
_CPU = rate("container_cpu_usage_seconds_total", _PODS)
_CORES = gauge("kube_pod_container_resource_requests", _PODS, 'resource="cpu"')
_NOTE = f"""\
One replica was measured to do **{_MEASURED.images_per_second:g} images a second** on
{_MEASURED.machine}, for **{_MEASURED.cpu_seconds_per_image:g} CPU-seconds** an image and
**{_MEASURED.megabytes:g} MB** of memory (`bentos/capacity.toml`). An image costs its CPU-seconds,
below, times the price of a core for a second."""


def capacity() -> Dashboard:
    """The room, the classifier tier, and figures that a price is made of."""
    return Dashboard(
        "capacity",
        "capacity and cost",
        {"Room": _ROOM, "The classifier tier": _TIER, "Cost": _COST},
        note=_NOTE,
    )


_ROOM = [
    Panel(
        "Images in the house",
        "short",
        {
            "in the house": f"sum({_ADMITTED})",
            "let in at most": f"sum({gauge('chestxray_admission_limit')})",
        },
        "What is over the limit is shed.",
    ),
    Panel(
        "Demand and supply",
        "cps",
        {
            "judged or shed": f"{_IMAGES} + ({rate('chestxray_shed_total')} or vector(0))",
            "classified": rate("chestxray_predictions_total"),
        },
        "Images; the first line is what the classifier tier is scaled by.",
    ),
    Panel(
        "Use of a gateway's measured capacity",
        "percentunit",
        {
            "{{pod}}": f"{rate('chestxray_filter_verdicts_total', by='pod')}"
            f" / {_MEASURED.images_per_second:g}"
        },
        "Over 1 where the tier or a faster machine helps.",
    ),
]
_TIER = [
    Panel(
        "Images classified, by whose runner",
        "cps",
        {"{{runner}}": rate("chestxray_runner_images_total", _CLASSIFIER, by="runner")},
        "Own is the gateway's; pods are the tier's.",
        "stack",
    ),
    Panel(
        "Classifier pods in use",
        "short",
        {"pods": f"max({gauge('chestxray_classifier_pods')})"},
        "As seen by the gateway that sees the most.",
    ),
    Panel(
        "Classifier pods given up",
        "short",
        {"{{reason}}": increase("chestxray_pod_failures_total", "1h", by="reason")},
        "By gateways. Malformed, implausible or wrong: what runs there is not our classifier.",
    ),
    Panel(
        "Decoders that were replaced",
        "short",
        {"{{reason}}": increase("chestxray_decoder_restarts_total", "1h", by="reason")},
        "By files that took too much time or memory, or broke their decoder; idle ones died alone.",
    ),
    Panel(
        "Processes that were started again",
        "short",
        {
            "{{process}} {{reason}}": increase(
                "chestxray_process_restarts_total", "1h", by="process, reason"
            )
        },
        "Within the last hour.",
    ),
]
_COST = [
    Panel(
        "CPU-seconds for an image",
        "s",
        {
            "spent": f"{_CPU} / {_IMAGES}",
            "measured": f"vector({_MEASURED.cpu_seconds_per_image:g})",
        },
        "Of gateways and classifiers together; idle pods make it rise.",
        needs="cAdvisor",
    ),
    Panel(
        "Images a second for each core in use",
        "cps",
        {
            "served": f"{_IMAGES} / {_CPU}",
            "measured": f"vector({1 / _MEASURED.cpu_seconds_per_image:.3g})",
        },
        "The same the other way round: what one more core brings.",
        needs="cAdvisor",
    ),
    Panel(
        "Images a second for each core requested",
        "cps",
        {"served": f"{_IMAGES} / sum({_CORES})"},
        "Requested cores are paid for whether they are used or not.",
        needs="kube-state-metrics",
    ),
    Panel(
        "Memory by pod",
        "decbytes",
        {
            "{{pod}}": f"sum by (pod) ({gauge('container_memory_working_set_bytes', _PODS)})",
            "measured": f"vector({_MEASURED.megabytes:g}e6)",
        },
        "All processes of one replica were measured together.",
        needs="cAdvisor",
    ),
    Panel(
        "Runners at work",
        "percentunit",
        {"{{pod}} {{model}}": rate("chestxray_batch_duration_seconds_sum", by="pod, model")},
        "Share of the time in which a runner has a batch; at 1 it has no pause.",
    ),
]
