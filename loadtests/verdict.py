"""Evaluates a run on the master, window by window; sets the exit code and writes a report."""

import logging
import time
from argparse import ArgumentParser
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gevent
import requests
from locust.env import Environment
from locust.runners import WorkerRunner

from loadtests import measured_capacity, report
from loadtests.advice import advise
from loadtests.api_client import IMAGES, SHED_MARK
from loadtests.objectives import DEFAULT, Count, Objectives, missed, read

MET, MISSED, GENERATOR_TOO_SLOW, UNREACHABLE = range(4)
"""Exit codes."""
_UNREACHABLE_SECONDS = 10

logger = logging.getLogger(__name__)


def add_flags(parser: ArgumentParser) -> None:
    """Adds the command-line options of the evaluation."""
    parser.add_argument("--objectives", default=str(DEFAULT), help="TOML file of the objectives")
    parser.add_argument(
        "--report", default="", help="folder for verdict.json, junit.xml and Locust's report.html"
    )


def install(environment: Environment) -> None:
    """Evaluates the run, unless this is a worker: the master has the merged statistics."""
    if isinstance(environment.runner, WorkerRunner) or environment.parsed_options is None:
        return
    if folder := environment.parsed_options.report:
        Path(folder).mkdir(parents=True, exist_ok=True)
        environment.parsed_options.html_file = str(Path(folder, report.HTML))
    evaluator = RunEvaluator(environment, read(Path(environment.parsed_options.objectives)))
    environment.events.test_start.add_listener(evaluator.start)
    environment.events.quitting.add_listener(evaluator.end)


@dataclass
class RunEvaluator:
    """Collects the windows of a run and the objectives missed in each."""

    environment: Environment
    objectives: Objectives
    windows: list[dict[str, Any]] = field(default_factory=list)
    too_slow: bool = False

    def start(self, **_: object) -> None:
        """Starts the evaluation, or quits if the service is unreachable."""
        try:
            requests.get(f"{self.environment.host}/readyz", timeout=_UNREACHABLE_SECONDS)
        except requests.RequestException as error:
            logger.error("cannot reach %s (%s)", self.environment.host, type(error).__name__)
            self.environment.process_exit_code = UNREACHABLE
            gevent.spawn(self.environment.runner.quit)
            return
        gevent.spawn(self._watch)

    def _watch(self) -> None:
        gevent.sleep(self.objectives.warm_up_seconds)
        before, began = self._counts(), time.monotonic()
        while True:
            gevent.sleep(self.objectives.window_seconds)
            after = self._counts()
            seconds = time.monotonic() - began
            window = {route: after[route] - before[route] for route in after}
            self.windows.append({"seconds": round(seconds, 1)} | self._evaluate(window))
            before = after
            runner = self.environment.runner
            self.too_slow |= runner.cpu_warning_emitted or runner.worker_cpu_warning_emitted

    def _counts(self) -> dict[str, Count]:
        counts = {route: Count() for route in self.objectives.routes}
        for (name, _), entry in list(self.environment.stats.entries.items()):
            route, mark, _ = name.partition(SHED_MARK)
            if route not in counts:
                continue
            if mark:
                counts[route].shed += entry.num_requests
            else:
                counts[route].requests += entry.num_requests
                counts[route].failures += entry.num_failures
                counts[route].milliseconds.update(entry.response_times)
        return counts

    def _evaluate(self, window: dict[str, Count]) -> dict[str, Any]:
        evaluated: dict[str, Any] = {}
        for route, count in window.items():
            if count.requests + count.shed >= self.objectives.fewest_requests:
                misses = missed(count, self.objectives.routes[route])
                evaluated[route] = {"requests": count.requests, **count.figures(), "missed": misses}
        return evaluated

    def end(self, environment: Environment, **_: object) -> None:
        """Logs the verdict, writes the report and sets the exit code."""
        routes = [w[route] for w in self.windows for route in self.objectives.routes if route in w]
        if environment.process_exit_code is None:
            met = bool(routes) and not any(evaluated["missed"] for evaluated in routes)
            environment.process_exit_code = (
                GENERATOR_TOO_SLOW if self.too_slow else MET if met else MISSED
            )
        code = environment.process_exit_code
        verdict = ("met", "missed", "the generator was too slow to tell", "unreachable")[code]
        logger.info("objectives: %s, in %s windows", verdict, len(self.windows))
        for window in self.windows:
            for route in self.objectives.routes:
                for name, (found, bound) in window.get(route, {}).get("missed", {}).items():
                    at = window["seconds"]
                    logger.warning("%s s: %s %s %.3g > %.3g", at, route, name, found, bound)
        advice = self._advise()
        if advice:
            logger.info("%s", advice)
        if folder := environment.parsed_options.report:
            written = {"verdict": verdict, "exit_code": code, "advice": advice}
            failure = verdict if code in (GENERATOR_TOO_SLOW, UNREACHABLE) else ""
            written |= {"windows": self.windows}
            report.write(Path(folder), written, self.objectives.routes, failure)

    def _advise(self) -> str:
        """How many replicas the busiest window's images need to meet the objectives."""
        rates = [
            sum(count * window.get(route, {}).get("requests", 0) for route, count in IMAGES.items())
            / window["seconds"]
            for window in self.windows
        ]
        p99 = min(each.p99_ms for each in self.objectives.routes.values()) / 1000
        return advise(max(rates), p99, measured_capacity.read()) if any(rates) else ""
