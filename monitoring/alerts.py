"""Alerts on causes and on what no objective covers; each has a page in docs/runbooks."""

from bentos.settings import Settings
from monitoring.objectives import ANALYSES, JUDGED, SHED_RATE
from monitoring.rules import Alert, Group, Record

JOB = 'job="chestxray"'
"""What both scrape configurations call the pods of the service."""

QUEUE_WAIT_SECONDS = float(Settings.model_fields["max_queue_seconds"].default) / 2
"""Half of the longest time that images should be in the house: what is over it soon is shed."""

_ENOUGH = 200
"""Images that a shift is judged by. The standard error of a share is at most 0.036 then, so a shift
of 0.15 is over four of them; and two samples of one distribution differ by 0.2 in the statistic of
Kolmogorov and Smirnov less than once in a million times (2 exp(-2 n d^2)). Images of one hospital
are alike, so the true odds are worse: hence a warning that somebody reads, and six hours."""
_SHARE_SHIFT, _SCORE_SHIFT = 0.15, 0.2


def groups() -> list[Group]:
    """All but the alerts on objectives."""
    return [
        Group("chestxray.capacity", "30s", [_shedding(), _queue(), _full_batches()]),
        Group("chestxray.processes", "30s", [*_runners(), _restarts(), *_scrapes()]),
        Group("chestxray.models", "2m", [_skew(), *_verdicts(), *_scores()]),
    ]


def _shedding() -> Alert:
    shed = "sum by (namespace) (rate(chestxray_shed_total[5m]))"
    judged = f"sum by (namespace) (rate(chestxray_requests_total{{{ANALYSES}, {JUDGED}}}[5m]))"
    return Alert(
        name="ChestxrayShedding",
        severity="warning",
        # A request that was shed is no other outcome, so both together are all that came.
        query=f"{shed}\n/\n({shed} + {judged})\n> {SHED_RATE:g}",
        lasts="10m",
        summary="Requests are refused for want of capacity",
        description=f"""
            {{{{ $value | humanizePercentage }}}} of the requests of the last five minutes were
            told to return later; {SHED_RATE:.0%} may be.""",
    )


def _queue() -> Alert:
    return Alert(
        name="ChestxrayQueueWait",
        severity="warning",
        query=f"""
            histogram_quantile(
              0.95,
              sum by (namespace, model, le) (rate(chestxray_batch_queue_seconds_bucket[10m]))
            ) > {QUEUE_WAIT_SECONDS:g}
        """,
        lasts="10m",
        summary="Images wait for {{ $labels.model }}",
        description=f"""
            One image in twenty waits {{{{ $value | humanizeDuration }}}} or longer for its batch,
            over {QUEUE_WAIT_SECONDS:g} s; soon they are shed.""",
    )


def _full_batches() -> Alert:
    return Alert(
        name="ChestxrayBatchesFull",
        severity="warning",
        # Full batches are cheap and good for minutes; for long they say that nothing is left.
        query="""
            sum by (namespace, model) (rate(chestxray_batch_fill_ratio_sum[15m]))
            / sum by (namespace, model) (rate(chestxray_batch_fill_ratio_count[15m]))
            > 0.9
        """,
        lasts="15m",
        summary="{{ $labels.model }} works at its limit",
        description="""
            Batches are {{ $value | humanizePercentage }} full on average: more images wait than a
            batch takes, and the tier has not grown.""",
    )


def _runners() -> list[Alert]:
    return [
        Alert(
            name="ChestxrayNoReadyRunner",
            severity="critical",
            query="max by (namespace, model) (chestxray_runner_ready) == 0",
            lasts="2m",
            summary="No pod has a ready runner of {{ $labels.model }}",
            description="Nothing is analysed: every pod's {{ $labels.model }} fails its probe.",
        ),
        Alert(
            name="ChestxrayRunnerNotReady",
            severity="warning",
            query="min by (namespace, pod, model) (chestxray_runner_ready) == 0",
            lasts="10m",  # a start takes up to three minutes on a slow machine
            summary="{{ $labels.model }} is not ready in {{ $labels.pod }}",
            description="The pod gets no requests, and its runner has not come back by itself.",
        ),
        Alert(
            name="ChestxrayClassifierPodsUnused",
            severity="warning",
            query=f"""
                max by (namespace) (chestxray_classifier_pods) == 0
                and on (namespace)
                sum by (namespace) (up{{{JOB}, workload="classifier"}}) > 0
            """,
            lasts="10m",
            summary="Classifier pods run and no gateway uses them",
            description="""
                The tier is up and paid for, while the gateways classify on their own CPUs: no pod
                is ready, or the pods refuse the gateways.""",
        ),
    ]


def _restarts() -> Alert:
    return Alert(
        name="ChestxrayProcessRestarts",
        severity="warning",
        # The first restart makes the counter, so two that are seen are three.
        query="""
            sum by (namespace, pod, process, reason) (
              increase(chestxray_process_restarts_total[30m])
            ) >= 2
        """,
        lasts="0m",
        summary="{{ $labels.process }} restarts again and again in {{ $labels.pod }}",
        description="""
            At least three times in half an hour it {{ $labels.reason }} and was started again; one
            restart loses at most what the process held.""",
    )


def _scrapes() -> list[Alert]:
    # Only gateways have the filter, and gateways are always there; the classifier tier may be at 0.
    gateways = 'chestxray_model_info{model="xray_filter"}'
    return [
        Alert(
            name="ChestxrayMetricsAbsent",
            severity="critical",
            query=f"""
                absent({gateways})
                or
                (
                  count by (namespace) ({gateways} offset 1h)
                  unless count by (namespace) ({gateways})
                )
            """,
            lasts="5m",
            summary="No gateway is seen",
            description="""
                No metric of a gateway has come for five minutes: none runs, or none is scraped.
                Every other alert is blind.""",
        ),
        Alert(
            name="ChestxrayTargetDown",
            severity="warning",
            query=f"up{{{JOB}}} == 0",
            lasts="5m",
            summary="{{ $labels.pod }} answers no scrape",
            description="The pod is there, and its /metrics is not.",
        ),
    ]


def _skew() -> Alert:
    return Alert(
        name="ChestxrayModelSkew",
        severity="warning",
        query="""
            count by (namespace, model) (
              count by (namespace, model, digest) (chestxray_model_info)
            ) > 1
        """,
        lasts="30m",  # longer than a rollout
        summary="Pods serve different weights of {{ $labels.model }}",
        description="""
            {{ $value }} digests are served at once: the answer to an image depends on the pod that
            it reaches.""",
    )


def _verdicts() -> list[Record | Alert]:
    verdicts, rejected = "chestxray_filter_verdicts_total", '{verdict!="frontal_chest"}'

    def images(window: str, of: str = "") -> str:
        return f"sum by (namespace) (increase({verdicts}{of}[{window}]))"

    return [
        Record("chestxray:images_judged:increase6h", images("6h")),
        Record("chestxray:images_judged:increase1w", images("1w")),
        *(
            Record(
                f"chestxray:images_rejected:share{window}",
                f"({images(window, rejected)} or 0 * chestxray:images_judged:increase{window})\n"
                f"/ chestxray:images_judged:increase{window}",
            )
            for window in ("6h", "1w")
        ),
        Alert(
            name="ChestxrayRejectShift",
            severity="warning",
            query=f"""
                abs(chestxray:images_rejected:share6h - chestxray:images_rejected:share1w offset 6h)
                > {_SHARE_SHIFT}
                and chestxray:images_judged:increase6h >= {_ENOUGH}
                and chestxray:images_judged:increase1w offset 6h >= {_ENOUGH}
            """,
            lasts="30m",
            summary="The filter rejects another share of images than before",
            description="""
                The share of images that are no upright frontal chest X-ray moved by
                {{ $value | humanizePercentage }} against the week before: another source, or
                another filter.""",
        ),
    ]


def _scores() -> list[Record | Alert]:
    scores, by = "chestxray_prediction_score", "namespace, label"
    return [
        *(
            Record(
                f"chestxray:prediction_score:increase{window}",
                f"sum by ({by}) (increase({scores}_count[{window}]))",
            )
            for window in ("6h", "1w")
        ),
        *(
            # The share of scores up to each bound: the distribution function.
            Record(
                f"chestxray:prediction_score:distribution{window}",
                f"sum by ({by}, le) (increase({scores}_bucket[{window}]))\n"
                f"/ ignoring (le) group_left ()\n"
                f"chestxray:prediction_score:increase{window}",
            )
            for window in ("6h", "1w")
        ),
        Alert(
            name="ChestxrayScoreDrift",
            severity="warning",
            # The statistic of Kolmogorov and Smirnov: it sees changes of shape that a mean hides.
            query=f"""
                max by ({by}) (
                  abs(
                    chestxray:prediction_score:distribution6h
                    - chestxray:prediction_score:distribution1w offset 6h
                  )
                ) > {_SCORE_SHIFT}
                and chestxray:prediction_score:increase6h >= {_ENOUGH}
                and chestxray:prediction_score:increase1w offset 6h >= {_ENOUGH}
            """,
            lasts="30m",
            summary="The scores of {{ $labels.label }} are distributed otherwise than before",
            description="""
                The distribution of the last six hours and that of the week before are
                {{ $value | humanize }} apart, at most 1: other patients, other devices, or another
                model.""",
        ),
    ]
