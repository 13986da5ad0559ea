"""Alerts on causes, and on symptoms outside the SLOs; each has a runbook in docs/runbooks."""

from bentos.settings import Settings
from monitoring.matchers import GATEWAYS, JOB
from monitoring.objectives import ANALYSES, JUDGED, SHED_RATE
from monitoring.rules import Alert, Group, Record

QUEUE_WAIT_SECONDS = float(Settings.model_fields["max_queue_seconds"].default) / 2
"""Half of the target queueing delay: beyond it, admission control soon sheds load."""

_MIN_IMAGES = 200
"""Minimum number of images in a window. At 200 the standard error of a share is at most 0.036, so a
shift of 0.15 exceeds four standard errors, and two samples of one distribution differ by 0.2 in the
Kolmogorov-Smirnov statistic less than once in a million (2 exp(-2 n d^2)). Images from one hospital
are correlated, so the true odds are worse: hence a warning, not a page, over six hours."""
_SHARE_SHIFT, _SCORE_SHIFT = 0.15, 0.2


def groups() -> list[Group]:
    """Returns every rule group except those of the SLOs."""
    return [
        Group("chestxray.capacity", "30s", [_shedding(), _queue(), _full_batches()]),
        Group("chestxray.processes", "30s", [*_readiness(), _restarts(), *_scrapes()]),
        Group("chestxray.models", "2m", [_skew(), *_verdicts(), *_scores()]),
    ]


def _shedding() -> Alert:
    shed = f"sum by (namespace) (rate(chestxray_shed_total{{{GATEWAYS}}}[5m]))"
    judged = f"sum by (namespace) (rate(chestxray_requests_total{{{ANALYSES}, {JUDGED}}}[5m]))"
    return Alert(
        name="ChestxrayShedding",
        severity="warning",
        # What the tier refuses is no refused request: the gateway's own model takes the image. A
        # request that is shed is counted apart from those that are judged, so the sum is all.
        query=f"{shed}\n/\n({shed} + {judged})\n> {SHED_RATE:g}",
        lasts="10m",
        summary="Load shedding: requests are rejected",
        description=f"""
            {{{{ $value | humanizePercentage }}}} of the requests in the last five minutes were
            rejected with Retry-After; the objective is {SHED_RATE:.0%}.""",
    )


def _queue() -> Alert:
    return Alert(
        name="ChestxrayQueueWait",
        severity="warning",
        # By workload: a tier that is idle would hide a queue in the gateways, and the reverse.
        query=f"""
            histogram_quantile(
              0.95,
              sum by (namespace, workload, model, le) (
                rate(chestxray_batch_queue_seconds_bucket[10m])
              )
            ) > {QUEUE_WAIT_SECONDS:g}
        """,
        lasts="10m",
        summary="Images queue too long for {{ $labels.model }} in the {{ $labels.workload }} pods",
        description=f"""
            The 95th percentile of the queueing time is {{{{ $value | humanizeDuration }}}}, above
            {QUEUE_WAIT_SECONDS:g} s; load shedding comes next.""",
    )


def _full_batches() -> Alert:
    return Alert(
        name="ChestxrayBatchesFull",
        severity="warning",
        # Full batches are efficient; if they stay full, the model has no headroom.
        query="""
            sum by (namespace, workload, model) (rate(chestxray_batch_fill_ratio_sum[15m]))
            / sum by (namespace, workload, model) (rate(chestxray_batch_fill_ratio_count[15m]))
            > 0.9
        """,
        lasts="15m",
        summary="{{ $labels.model }} is saturated in the {{ $labels.workload }} pods",
        description="""
            Batches are {{ $value | humanizePercentage }} full on average: more images are queued
            than fit into a batch, and the workload has not scaled out.""",
    )


def _readiness() -> list[Alert]:
    return [
        Alert(
            name="ChestxrayNoReadyModel",
            severity="critical",
            # A gateway is ready only if its own two models are, whatever the tier's pods say.
            query=f"""
                max by (namespace, workload, model) (chestxray_model_ready{{{GATEWAYS}}}) == 0
            """,
            lasts="2m",
            summary="{{ $labels.model }} is ready in no gateway",
            description="""
                No request is served: {{ $labels.model }} fails its probe in every gateway, and none
                gets requests without it.""",
        ),
        Alert(
            name="ChestxrayModelNotReady",
            severity="warning",
            query="min by (namespace, workload, pod, model) (chestxray_model_ready) == 0",
            lasts="10m",  # a slow machine needs up to three minutes to start
            summary="{{ $labels.model }} is not ready in {{ $labels.pod }}",
            description="The pod gets no requests, and the model has not recovered.",
        ),
        Alert(
            name="ChestxrayClassifierPodsUnused",
            severity="warning",
            # By gateway: the tier may refuse some of them only, such as those with an old token.
            query=f"""
                min by (namespace, pod) (chestxray_classifier_pods{{{GATEWAYS}}}) == 0
                and on (namespace)
                sum by (namespace) (up{{{JOB}, workload="classifier"}}) > 0
            """,
            lasts="10m",
            summary="Classifier pods are running but {{ $labels.pod }} uses none",
            description="""
                The gateway classifies on its own CPU although the tier is running: no classifier
                pod is ready, or the pods reject this gateway.""",
        ),
    ]


def _restarts() -> Alert:
    return Alert(
        name="ChestxrayProcessRestarts",
        severity="warning",
        # The series exist from the start, so the increase counts every restart. It extrapolates:
        # three restarts give at least 3, and two of them far less.
        query="""
            sum by (namespace, pod, process) (increase(chestxray_process_restarts_total[30m])) >= 3
        """,
        lasts="0m",
        summary="{{ $labels.process }} keeps restarting in {{ $labels.pod }}",
        description="""
            The supervisor restarted it at least three times in half an hour. A restart loses at
            most the work that the process was doing.""",
    )


def _scrapes() -> list[Alert]:
    # Only gateways load the filter. They always run; the classifier tier may be scaled to zero.
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
            summary="No gateway metrics",
            description="""
                No gateway has been scraped for five minutes: none is running, or scraping is
                broken. Until this is fixed no other alert can fire.""",
        ),
        Alert(
            name="ChestxrayTargetDown",
            severity="warning",
            query=f"up{{{JOB}}} == 0",
            lasts="5m",
            summary="Prometheus cannot scrape {{ $labels.pod }}",
            description="The pod exists, but its /metrics does not answer.",
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
            {{ $value }} digests are served at once: the result for an image depends on the pod that
            analyses it.""",
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
                f"{images(window, rejected)} / chestxray:images_judged:increase{window}",
            )
            for window in ("6h", "1w")
        ),
        Alert(
            name="ChestxrayRejectShift",
            severity="warning",
            query=f"""
                abs(chestxray:images_rejected:share6h - chestxray:images_rejected:share1w offset 6h)
                > {_SHARE_SHIFT}
                and chestxray:images_judged:increase6h >= {_MIN_IMAGES}
                and chestxray:images_judged:increase1w offset 6h >= {_MIN_IMAGES}
            """,
            lasts="30m",
            summary="The filter's rejection rate has shifted",
            description="""
                The share of rejected images moved by {{ $value | humanizePercentage }} against the
                week before: the image sources or the filter changed.""",
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
            # The share of scores up to each bucket bound: the cumulative distribution function.
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
            # Kolmogorov-Smirnov statistic: it detects changes of shape that a mean hides.
            query=f"""
                max by ({by}) (
                  abs(
                    chestxray:prediction_score:distribution6h
                    - chestxray:prediction_score:distribution1w offset 6h
                  )
                ) > {_SCORE_SHIFT}
                and chestxray:prediction_score:increase6h >= {_MIN_IMAGES}
                and chestxray:prediction_score:increase1w offset 6h >= {_MIN_IMAGES}
            """,
            lasts="30m",
            summary="The score distribution of {{ $labels.label }} has drifted",
            description="""
                The Kolmogorov-Smirnov distance between the last six hours and the week before is
                {{ $value | humanize }} (0 to 1): patients, devices or the model changed.""",
        ),
    ]
