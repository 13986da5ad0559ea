"""The result as a Comprehensive SR by TID 1500 (PS3.16), in the study of its radiograph."""

from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    ComprehensiveSR,
    DeviceObserverIdentifyingAttributes,
    LanguageOfContentItemAndDescendants,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    QualitativeEvaluation,
    SourceImageForMeasurementGroup,
    TrackingIdentifier,
)
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from chestxray import texts
from chestxray.dicom.study import equipment
from chestxray.dicom.study.equipment import SCHEME
from chestxray.dicom.study.order import Algorithm
from chestxray.dicom.study.result import Kind, Result

_LANGUAGES = {
    "en": Code("en", "RFC5646", "English"),
    "pt-BR": Code("pt-BR", "RFC5646", "Portuguese (Brazil)"),
    "es": Code("es", "RFC5646", "Spanish"),
}
_SCHEME = CodingSchemeIdentificationItem(
    designator=SCHEME, name="Codes of chestxray", version=equipment.SOFTWARE_VERSION
)


def write(result: Result) -> ComprehensiveSR:
    """Returns the report: complete, preliminary and unverified, since nobody has read it."""
    analysis, language = result.analysis, result.language
    verdict = analysis.filter.verdict
    judged = _group(
        result,
        result.xray_filter,
        {_code("score", language): analysis.filter.score},
        QualitativeEvaluation(
            _code("verdict", language), Code(verdict.upper(), SCHEME, verdict.replace("_", " "))
        ),
    )
    classified = _group(
        result,
        result.covid_classifier,
        {
            _probability(name, language): value
            for name, value in texts.probabilities(analysis).items()
        },
        QualitativeEvaluation(_code("use", language), codes.DCM.ForResearch),
    )
    content = MeasurementReport(
        observation_context=_observer(result),
        procedure_reported=codes.SCT.ChestImaging,
        imaging_measurements=[judged, classified],
        title=codes.DCM.ImagingMeasurementReport,
        language_of_content_item_and_descendants=LanguageOfContentItemAndDescendants(
            CodedConcept.from_code(_LANGUAGES[language])
        ),
    )
    return ComprehensiveSR(
        evidence=[result.source],
        content=content[0],
        is_complete=True,
        is_final=False,
        is_verified=False,
        coding_schemes=[_SCHEME],
        series_description=equipment.SERIES_DESCRIPTION,
        **result.identification(Kind.REPORT),
        **result.moment,
    )


def _group(
    result: Result, model: Algorithm, values: dict[Code, float], evaluation: QualitativeEvaluation
) -> MeasurementsAndQualitativeEvaluations:
    """What one model says (TID 1501), with its name, version and weights (TID 4019)."""
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(
            uid=equipment.uid_of(result.analysis.id, model.name), identifier=model.name
        ),
        algorithm_id=AlgorithmIdentification(
            name=model.name,
            version=model.version,
            parameters=[model.digest],
            manufacturer=equipment.MANUFACTURER,
        ),
        measurements=[
            Measurement(name=name, value=value, unit=codes.UCUM.NoUnits)
            for name, value in values.items()
        ],
        qualitative_evaluations=[evaluation],
        source_images=[SourceImageForMeasurementGroup.from_source_image(result.source)],
    )


def _observer(result: Result) -> ObservationContext:
    """The program as the observer (TID 1004), named by its version and its models."""
    models = (result.xray_filter.digest, result.covid_classifier.digest)
    device = DeviceObserverIdentifyingAttributes(
        uid=equipment.uid_of(equipment.SOFTWARE_VERSION, *models),
        name=equipment.MODEL_NAME,
        manufacturer_name=equipment.MANUFACTURER,
        model_name=equipment.MODEL_NAME,
        serial_number=equipment.SOFTWARE_VERSION,
    )
    return ObservationContext(
        observer_device_context=ObserverContext(
            observer_type=codes.DCM.Device, observer_identifying_attributes=device
        )
    )


def _code(name: str, language: str) -> Code:
    return Code(name.upper(), SCHEME, texts.text(name, language))


def _probability(name: str, language: str) -> Code:
    meaning = f"{texts.text('probability', language)}: {texts.text(name, language)}"
    return Code(f"P_{name.upper()}", SCHEME, meaning)
