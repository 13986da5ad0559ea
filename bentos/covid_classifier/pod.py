"""The entry point of a classifier pod, as service.py is that of a gateway."""

from bentos.start import settings_or_exit

settings_or_exit("bentoml")  # before what reads them at its import would show a traceback

from bentos.covid_classifier.service import CovidClassifier  # noqa: E402

__all__ = ["CovidClassifier"]
