"""Drift is mailed to whom it concerns, and a mail that fails loses nothing."""

import dataclasses
import re
import shlex
from pathlib import Path

import pytest

from local_aws.server import LocalAws
from pipeline_steps import monitor, step
from pipeline_steps.aws import Clients
from pipeline_steps.mailer import MailError
from pipeline_steps.monitor import MonitorReport
from pipeline_steps.settings import Settings
from tests.pipeline_steps.inbox import opened
from tests.pipeline_steps.live_log import VERSION, like_the_evaluation, line, log, released

ROOT = Path(__file__).parents[2]


@pytest.fixture
def settings(aws: LocalAws, tmp_path: Path) -> Settings:
    """Settings of a release that is watched."""
    assert aws
    return released(tmp_path / "build")


def mailing(settings: Settings, port: int) -> Settings:
    """The same settings, with somebody to mail to."""
    mail = dataclasses.replace(
        settings.mail, mail_to="a@example.com", mail_from="ci@example.com", smtp_host="127.0.0.1",
        smtp_port=port, smtp_tls=False,
    )  # fmt: skip
    return dataclasses.replace(settings, mail=mail)


def test_drift_is_mailed(settings: Settings, free_port: int) -> None:
    log([line()] * 200)
    with opened(free_port) as inbox:
        outcome = monitor.run(mailing(settings, free_port), Clients())
    assert outcome.detail.endswith("(mailed a@example.com)")
    (message,) = inbox.messages
    assert message["Subject"] == "[T5 Sentiment] demo: drift of t5-sentiment-demo"
    text = message.get_content().replace("\r\n", "\n")
    report = MonitorReport.load(settings.environment_dir)
    assert report.labels
    for shown in (report.summary, f"PSI {report.labels.psi:.3f}", VERSION, report.since):
        assert shown in text
    assert 'docs/operations.md,\n"Drift"' in text
    assert "\n## Drift\n" in (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    # The command in it can be run as it stands.
    command = re.search(r"-m pipeline_steps\.monitor (.*?)\n\n", text, re.DOTALL)
    assert command
    flags = shlex.split(command[1].replace("\\\n", " "))
    again = [*flags, "--build-dir", str(settings.build_dir)]
    assert step.main(monitor.run, "", again) == 0


def test_no_drift_is_not_mailed(settings: Settings, free_port: int) -> None:
    log(like_the_evaluation(400))
    with opened(free_port) as inbox:
        monitor.run(mailing(settings, free_port), Clients())
    assert inbox.messages == []


def test_failed_mail_keeps_the_report(
    settings: Settings, free_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
    log([line()] * 200)
    with pytest.raises(MailError, match=r"(?s)There is drift .*monitor\.json.*did not take the"):
        monitor.run(mailing(settings, free_port), Clients())
    assert MonitorReport.load(settings.environment_dir).verdict == "drift"
    assert (tmp_path / "output").read_text(encoding="utf-8") == "drift=true\n"
