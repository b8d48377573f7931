"""Packaged models small enough to ship in a moment: no weights, no torch, a start of 0.1 s."""

import shutil
from pathlib import Path
from typing import Any

from pipeline_steps import settings as settings_module
from pipeline_steps.evaluation_artefacts import Evaluation, GoldenAnswer
from pipeline_steps.files import file_hash, file_hashes
from pipeline_steps.model_artefacts import Manifest
from pipeline_steps.settings import Settings
from pipeline_steps.tarball import write_tarball

# Says POSITIVE to what holds "good"; a version that begins with "broken" does not load.
INFERENCE = """
import json
from pathlib import Path

class Model:
    def __init__(self, version):
        self.version = version

def model_fn(model_dir):
    version = Path(model_dir, "version").read_text()
    if version.startswith("broken"):
        raise RuntimeError("these weights are broken")
    return Model(version)

def input_fn(body, content_type):
    inputs = json.loads(body)["inputs"]
    return inputs if isinstance(inputs, list) else [inputs]

def predict_fn(texts, model):
    labels = ["POSITIVE" if "good" in text else "NEGATIVE" for text in texts]
    predictions = [{"label": label, "score": 0.9} for label in labels]
    return {"predictions": predictions, "model_version": model.version}

def output_fn(prediction, accept):
    return json.dumps(prediction)
"""
# In the function's zip, the part of boto3 that the handler uses: the real one takes 0.4 s of a
# processor to start, and each release has a function of its own.
BOTO3 = """
import http.client
import os
import urllib.parse

class Client:
    def invoke_endpoint(self, EndpointName, ContentType, Accept, Body):
        server = http.client.HTTPConnection(
            urllib.parse.urlsplit(os.environ["AWS_ENDPOINT_URL"]).netloc, timeout=12
        )
        headers = {
            "Authorization": "Credential=test/20260101/us-east-1/sagemaker/aws4_request",
            "Content-Type": ContentType, "Accept": Accept,
        }
        path = f"/endpoints/{EndpointName}/invocations"
        server.request("POST", path, Body if isinstance(Body, bytes) else Body.encode(), headers)
        answer = server.getresponse()
        if answer.status != 200:
            raise RuntimeError(f"{answer.status}: {answer.read()}")
        return {"Body": answer}

def client(service, config=None):
    return Client()
"""
BOTOCORE = """
import sys
import types

for name in ("config", "exceptions"):
    module = sys.modules[f"botocore.{name}"] = types.ModuleType(f"botocore.{name}")
    module.Config = lambda **_: None
    for error in ("BotoCoreError", "ClientError", "ConnectionError", "HTTPClientError"):
        setattr(module, error, type(error, (Exception,), {}))
"""
GOLDEN = [GoldenAnswer("a good film", "POSITIVE", 0.9), GoldenAnswer("a film", "NEGATIVE", 0.9)]


def write_function(folder: Path, sources: Path, number: int) -> None:
    """Leave in `folder` the function's sources, with a light boto3, and `number` to differ by."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(sources, folder)
    for name, text in (("boto3", BOTO3), ("botocore", BOTOCORE), ("number", f"NUMBER = {number}")):
        (folder / f"{name}.py").write_text(text, encoding="utf-8")


def package(folder: Path, version: str, overrides: dict[str, Any], extra: bytes = b"") -> Settings:
    """Leave in `folder` what `package_model` would, for a model that answers as `GOLDEN` says.

    Args:
        folder: gets `build/` and the candidates.
        version: the model's version, 12 characters.
        overrides: settings by name, over the profile "demo".
        extra: bytes that make the tarball larger.
    """
    settings = settings_module.load("demo", folder / "build", overrides)
    candidate = folder / f"candidate-{version}"
    (candidate / "code").mkdir(parents=True, exist_ok=True)
    (candidate / "code" / "inference.py").write_text(INFERENCE, encoding="utf-8")
    (candidate / "version").write_text(version, encoding="utf-8")
    (candidate / "extra").write_bytes(extra)
    settings.work_dir.mkdir(parents=True, exist_ok=True)
    tarball = settings.work_dir / "model.tar.gz"
    write_tarball(candidate, tarball)
    Manifest(
        model_version=version, fingerprint=version, trained_at={}, exported_at={}, data_hash="",
        data_source="", settings={}, metrics={}, package_versions={}, files=file_hashes(candidate),
        tarball_sha256=file_hash(tarball), tarball_bytes=tarball.stat().st_size,
    ).save(settings.work_dir)  # fmt: skip
    Evaluation(
        model_version=version, candidate_hash="", data_hash="", rows=2, accuracy=1.0,
        accuracy_interval=[0.5, 1.0], f1=1.0, per_class={}, confusion_matrix={}, golden=GOLDEN,
    ).save(settings.work_dir)  # fmt: skip
    return settings
