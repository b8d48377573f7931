"""Settings: file, environment, flags, in that order; everything unknown or odd is refused."""

import argparse
import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_steps import settings as settings_module
from pipeline_steps.errors import ConfigurationError
from pipeline_steps.settings import GROUPS, PROFILE_FILE, Settings, load

PROFILE = """
[small.model]
data = "somewhere"
[small.gate]
min_accuracy = 1
[small.training]
epochs = 2
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "pipeline.toml"
    path.write_text(PROFILE, encoding="utf-8")
    return path


def parse(*flags: str) -> Settings:
    parser = argparse.ArgumentParser()
    settings_module.add_flags(parser)
    return settings_module.from_flags(parser.parse_args(flags))


def test_file_overrides_defaults(file: Path) -> None:
    loaded = load("small", file=file)
    assert loaded.model.data == "somewhere"
    assert loaded.training.epochs == 2
    assert loaded.training.batch_size == dataclasses.fields(type(loaded.training))[1].default
    assert isinstance(loaded.gate.min_accuracy, float)


def test_environment_overrides_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_BUCKET", "of-the-runner")
    assert load("demo").deploy.bucket == "of-the-runner"


def test_every_setting_is_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("T5_PROFILE", "sst2")
    monkeypatch.setenv("T5_EPOCHS", "7")
    monkeypatch.setenv("T5_MIN_ACCURACY", "")  # an input that was left empty
    assert parse().profile == "sst2"
    assert parse().training.epochs == 7
    assert parse("--epochs", "8").training.epochs == 8
    assert parse().gate.min_accuracy == load("sst2").gate.min_accuracy
    monkeypatch.setenv("T5_EPOCHS", "many")
    with pytest.raises(ConfigurationError, match="variable T5_EPOCHS: 'many' is not a value of ty"):
        parse()


def test_unknown_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("T5_EPOCS", "7")
    with pytest.raises(ConfigurationError, match="Did you mean 'T5_EPOCHS'"):
        load("demo")


def test_missing_variable_says_where_github_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match=r"is not set.*MODEL_BUCKET(?!.*GitHub)"):
        load("demo").require("deploy", "bucket")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    with pytest.raises(ConfigurationError, match=r"MODEL_BUCKET.*On GitHub it is a variable"):
        load("demo").require("deploy", "bucket")


def test_flag_overrides_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_BUCKET", "of-the-runner")
    assert parse("--bucket", "of-the-flag").deploy.bucket == "of-the-flag"


def test_every_field_is_a_flag() -> None:
    for group, cls in GROUPS.items():
        for field in dataclasses.fields(cls):
            flag = "--" + field.name.replace("_", "-")
            value = str(field.default).lower() if isinstance(field.default, bool) else field.default
            assert getattr(getattr(parse(flag, str(value)), group), field.name) == field.default


def test_flag_of_a_switch_alone_says_true() -> None:
    assert parse("--rationales").gate.rationales
    assert not parse("--rationales", "false").gate.rationales


def test_field_names_are_unique_flags() -> None:
    names = [field.name for cls in GROUPS.values() for field in dataclasses.fields(cls)]
    assert len(names) == len(set(names))


def test_shipped_profiles_load() -> None:
    assert load("demo").model.data == "demo"
    assert load("sst2").gate.min_accuracy == 0.90
    assert load("sst2").work_dir == Path("build/sst2")


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("[small.gate]\nmin_acuracy = 0.9", r"'min_acuracy'\. Did you mean 'min_accuracy'\?"),
        ("[small.gates]\nx = 1", r"\[small\] of .*'gates'\. Did you mean 'gate'\?"),
        ('[small.training]\nepochs = "many"', r"epochs in \[small\.training\].*'many'.*type int"),
        ("[small.training]\nepochs = 1.5", r"1\.5 is not a value of type int"),
        ("[small.training]\nepochs = 0", r"\[small\.training\]: epochs is 0, expected at least 1"),
        ("[small.training]\nepochs = true", "True is not a value of type int"),
        ("[small.gate]\nmin_accuracy = 90", r"min_accuracy is 90\.0, expected 0 to 1"),
        ('[small.checks]\nleakage = "panic"', r"'panic' is not one of 'block', 'warn'"),
        ("[small.deploy]\nmemory_mb = 1500", "memory_mb is 1500, expected a multiple of 1024"),
        ("[small.deploy]\nmax_concurrency = 500", "max_concurrency is 500, expected 1 to 200"),
        ("[small.mail]\nmail_on_success = 1", "1 is not true or false"),
        ("[small]\nmin_accuracy = 0.5", r"min_accuracy stands in \[small\].*\[small\.gate\]"),
        ("[small", "cannot be read"),
    ],
)
def test_bad_file_is_refused(file: Path, toml: str, message: str) -> None:
    file.write_text(toml, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=message):
        load("small", file=file)


def test_unknown_profile_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"'dem0'\. Did you mean 'demo'\? Known: demo, ss"):
        load("dem0")


def test_bad_flag_names_the_flag() -> None:
    with pytest.raises(ConfigurationError, match=r"--learning-rate: 'fast' is not a value of type"):
        parse("--learning-rate", "fast")


@given(st.text(min_size=1).filter(lambda text: text.strip()))
def test_any_text_is_a_number_or_refused(text: str) -> None:
    try:
        value = parse(f"--learning-rate={text}").training.learning_rate
    except ConfigurationError:
        return
    assert 0 < value < 1


def test_missing_setting_says_where_to_set_it() -> None:
    message = r"bucket .* not set.*--bucket.*MODEL_BUCKET.*\[demo\.deploy\] of pipeline\.toml"
    with pytest.raises(ConfigurationError, match=message):
        load("demo").require("deploy", "bucket")


def test_help_shows_every_flag(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        parse("--help")
    text = capsys.readouterr().out
    assert "[gate]" in text
    assert "--smtp-port" in text


def test_profile_file_stands_beside_the_code() -> None:
    assert PROFILE_FILE.is_file()


def test_override_cannot_stand_in_a_profile(tmp_path: Path) -> None:
    file = tmp_path / "pipeline.toml"
    file.write_text('[demo.gate]\noverride = "for ever"\n', encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"it is for one run\. Pass --override to it"):
        settings_module.load("demo", tmp_path, file=file)
