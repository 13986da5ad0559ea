"""An analysis as a FHIR Bundle: DiagnosticReport, Observations, Devices and Provenance.

A DICOM image has its study, too. R4 (4.0.1) and R5 (5.0.0) differ in Device, in how the study is
said, and in the picture. No resource names a patient: a report without `subject` is valid in both,
and the system that files it adds the one that it knows.
"""

from html import escape

from chestxray import chart, texts
from chestxray.dicom.instance import Instance
from chestxray.dicom.study.order import Algorithm
from chestxray.fhir import codes, picture, study
from chestxray.fhir.elements import R4, Resource, identifier, instant, urn
from chestxray.results import SOFTWARE, Analysis


def write(
    analysis: Analysis,
    *,
    xray_filter: Algorithm,
    covid_classifier: Algorithm,
    language: str,
    release: str = R4,
    instance: Instance | None = None,
    png: bytes | None = None,
) -> Resource:
    """Returns the Bundle as JSON objects, its words in one of `texts.LANGUAGES`.

    `instance` is the image, if it is of a study, and `png` the image with the heatmap. What is
    written twice for the same analysis has the same identifiers.
    """
    models = (xray_filter, covid_classifier)
    service = urn(SOFTWARE, *(each.digest for each in models))
    devices = {urn(each.name, each.digest): _model(each, service, release) for each in models}
    judged, classified = devices
    source = study.write(analysis, instance, release)
    drawn = picture.write(analysis, png, device=classified, language=language, release=release)
    made = {
        urn(analysis.id, "verdict"): _verdict(analysis, judged, language),
        **{
            urn(analysis.id, name): _probability(analysis, name, value, classified, language)
            for name, value in texts.probabilities(analysis).items()
        },
    }
    observations = {url: each | source.of_observations for url, each in made.items()}
    report = urn(analysis.id, "report")
    reported = _report(analysis, observations, service, language)
    targets = [report, *observations, *drawn.resources]
    entries = {
        report: reported | source.of_report | drawn.of_report,
        **observations,
        **drawn.resources,
        **source.resources,
        service: _device(SOFTWARE, service, {"version": SOFTWARE.split()[-1]}, release),
        **devices,
        urn(analysis.id, "provenance"): _provenance(analysis, targets, service),
    }
    return {
        "resourceType": "Bundle",
        "meta": {"security": [codes.RESEARCH]},
        "identifier": identifier(urn(analysis.id, "bundle")),
        "type": "collection",
        "timestamp": instant(analysis),
        "entry": [{"fullUrl": url, "resource": each} for url, each in entries.items()],
    }


def _report(
    analysis: Analysis, observations: dict[str, Resource], service: str, language: str
) -> Resource:
    """Preliminary, since nobody has read it.

    No Device may be the target of `performer`, in R4 and R5; so it names the program by its
    identifier, and the reference to its Device is in Provenance.
    """
    said = chart.text(analysis, language)
    return {
        "resourceType": "DiagnosticReport",
        "meta": {"security": [codes.RESEARCH]},
        "language": language,
        "text": {
            "status": "generated",
            "div": f'<div xmlns="http://www.w3.org/1999/xhtml"><p>{escape(said)}</p></div>',
        },
        "identifier": [identifier(urn(analysis.id, "report"))],
        "status": "preliminary",
        "category": [codes.RADIOLOGY],
        "code": codes.CHEST_IMAGING,
        "issued": instant(analysis),
        "performer": [{"identifier": identifier(service), "display": SOFTWARE}],
        "result": [{"reference": url} for url in observations],
        "conclusion": said,
    }


def _verdict(analysis: Analysis, device: str, language: str) -> Resource:
    """What the filter says, with its score as a component."""
    verdict = analysis.filter.verdict
    score = {
        "code": _own("score", texts.text("score", language)),
        "valueQuantity": _no_units(analysis.filter.score),
    }
    return _observation(analysis, device, language) | {
        "code": _own("verdict", texts.text("verdict", language)),
        "valueCodeableConcept": _own(verdict, verdict.replace("_", " ")),
        "component": [score],
    }


def _probability(
    analysis: Analysis, name: str, value: float, device: str, language: str
) -> Resource:
    said = f"{texts.text('probability', language)}: {texts.text(name, language)}"
    return _observation(analysis, device, language) | {
        "code": _own(f"p_{name}", said),
        "valueQuantity": _no_units(value),
    }


def _observation(analysis: Analysis, device: str, language: str) -> Resource:
    return {
        "resourceType": "Observation",
        "meta": {"security": [codes.RESEARCH]},
        "language": language,
        "status": "preliminary",
        "category": [codes.IMAGING],
        "issued": instant(analysis),
        "note": [{"text": texts.text("title", language)}],
        "device": {"reference": device},
    }


def _model(model: Algorithm, service: str, release: str) -> Resource:
    """A model as a part of the program, by its version and the digest of its weights."""
    versions = {"version": model.version, "weights": model.digest}
    made = _device(model.name, urn(model.name, model.digest), versions, release)
    return made | {"parent": {"reference": service}}


def _device(name: str, urn: str, versions: dict[str, str], release: str) -> Resource:
    kind = {"text": "software"}
    named: Resource = (
        {"deviceName": [{"name": name, "type": "user-friendly-name"}], "type": kind}
        if release == R4
        else {"name": [{"value": name, "type": "user-friendly-name"}], "type": [kind]}
    )
    return {
        "resourceType": "Device",
        "identifier": [identifier(urn)],
        "status": "active",
        "manufacturer": "chestxray",
        **named,
        "version": [{"type": {"text": each}, "value": value} for each, value in versions.items()],
    }


def _provenance(analysis: Analysis, targets: list[str], service: str) -> Resource:
    """That the program, and nobody else, performed what the report says."""
    return {
        "resourceType": "Provenance",
        "target": [{"reference": url} for url in targets],
        "recorded": instant(analysis),
        "agent": [{"type": codes.PERFORMER, "who": {"reference": service}}],
    }


def _own(name: str, display: str) -> Resource:
    return codes.concept(codes.OWN, name.upper(), display)


def _no_units(value: float) -> Resource:
    return {"value": value, "system": codes.UCUM, "code": "1"}
