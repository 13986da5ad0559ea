"""A confined decoder has all of its imports: it reads what an ordinary process reads."""

from collections.abc import Callable
from functools import partial

from pydicom.charset import python_encoding

from bentos.decoding import worker
from bentos.decoding.decoders import Decoded
from chestxray.dicom.identification import identify
from chestxray.dicom.instance import Instance
from chestxray.errors import RejectedImage
from chestxray.images import crop_and_window, read
from chestxray.preprocessing import prepare
from tests import results_in_study
from tests.fuzz import corpus
from tests.unit.bentos.decoding.test_decoding import PLAIN, started


def test_confined_decoder_reads_every_file_of_the_corpus_the_same() -> None:
    """A late import, which the confined process cannot do, would look like a damaged file."""
    whole = corpus.make()
    for decoders in started(work=worker.work):
        confined = outcomes(partial(decoders.decode, request=PLAIN), whole)

    assert confined == outcomes(decoded_in_this_process, whole)


def test_confined_decoder_identifies_every_file_of_the_corpus_the_same() -> None:
    whole = corpus.make() | {"in a study": results_in_study.film()}
    for decoders in started(work=worker.work):
        confined = identities(decoders.identify, whole)

    assert confined == identities(identify, whole)
    assert isinstance(confined["in a study"], Instance)


def test_confined_decoder_reads_every_character_set_of_the_standard() -> None:
    """Python imports a codec when it is first used, which the confined process cannot do."""
    films = {
        name: results_in_study.film(
            SpecificCharacterSet=["", name] if name.startswith("ISO 2022") else name,
            PatientName="Silva^Maria",
            Manufacturer="Acme",
        )
        for name in python_encoding
    }
    for decoders in started(work=worker.work):
        identified = identities(decoders.identify, films)
        decoded = outcomes(partial(decoders.decode, request=PLAIN), films)

    assert all(isinstance(each, Instance) for each in identified.values()), identified
    assert decoded == outcomes(decoded_in_this_process, films)


def identities(
    read: Callable[[bytes], Instance], files: dict[str, bytes]
) -> dict[str, Instance | str]:
    found: dict[str, Instance | str] = {}
    for name, data in files.items():
        try:
            found[name] = read(data)
        except RejectedImage as error:
            found[name] = f"{error.code}: {error}"
    return found


def decoded_in_this_process(data: bytes) -> Decoded:
    film = crop_and_window(read(data))
    return Decoded(film.input, prepare(film.image), None)


def outcomes(read: Callable[[bytes], Decoded], files: dict[str, bytes]) -> dict[str, bytes | str]:
    found: dict[str, bytes | str] = {}
    for name, data in files.items():
        try:
            found[name] = read(data).pixels.tobytes()
        except RejectedImage as error:
            found[name] = f"{error.code}: {error}"
    return found
