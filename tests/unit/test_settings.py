"""Settings are read once, typed, and named when they are wrong."""

import pytest
from pydantic import SecretStr, ValidationError

from bentos.settings import Settings, explain


def test_defaults_point_at_the_shipped_weights() -> None:
    settings = Settings()

    assert settings.filter_checkpoint.is_file()
    assert settings.classifier_checkpoint.is_file()
    assert settings.device == "auto"


def test_environment_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHESTXRAY_MAX_IMAGE_PIXELS", "1234")

    assert Settings().limits.max_pixels == 1234


@pytest.mark.parametrize(
    ("key", "value"),
    [("device", "tpu"), ("max_model_batch", "0"), ("request_timeout_seconds", "soon")],
)
def test_wrong_value_is_named(monkeypatch: pytest.MonkeyPatch, key: str, value: str) -> None:
    monkeypatch.setenv(f"CHESTXRAY_{key.upper()}", value)

    with pytest.raises(ValidationError, match=key):
        Settings()


def test_batch_that_could_never_be_admitted_is_refused() -> None:
    with pytest.raises(ValidationError, match="above max_images_in_flight"):
        Settings(max_images_in_flight=8, max_images_per_batch=16)


SECRET = "not-to-be-seen"


def test_wrong_value_is_shown_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHESTXRAY_DEVICE", "tpu")
    monkeypatch.setenv("CHESTXRAY_POD_TOKEN", SECRET)

    with pytest.raises(ValidationError) as found:
        Settings()

    assert "CHESTXRAY_DEVICE='tpu'" in explain(found.value)
    assert "CHESTXRAY_POD_TOKEN: " in explain(found.value)
    assert SECRET not in explain(found.value) + str(found.value)


def test_pods_without_a_token_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHESTXRAY_CLASSIFIER_PODS", "classifier:3001")

    with pytest.raises(ValidationError) as found:
        Settings()

    assert explain(found.value) == "Value error, classifier_pods needs pod_token"


def test_token_is_not_shown() -> None:
    settings = Settings(pod_token=SecretStr(2 * SECRET))

    assert SECRET not in repr(settings)


def test_every_key_says_what_it_means() -> None:
    import ast
    import inspect

    (body,) = (
        n.body
        for n in ast.walk(ast.parse(inspect.getsource(Settings)))
        if isinstance(n, ast.ClassDef)
    )
    for node, following in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.AnnAssign):
            assert isinstance(following, ast.Expr), ast.unparse(node)


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        Settings().device = "cpu"  # type: ignore[misc]
