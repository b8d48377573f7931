"""Write the report that people read: `report.html`, one file that asks nobody for anything.

    python -m pipeline_steps.report --profile sst2

Reads what the steps before it wrote, `evaluation.json` at least; what is not there yet is left out.
The pipeline writes it at its end, also where a rule of the gate stops the model.
"""

import sys

from pipeline_steps import report_content, report_page, step
from pipeline_steps.aws import Clients
from pipeline_steps.files import write_atomically
from pipeline_steps.settings import Settings
from pipeline_steps.step import Outcome


def run(settings: Settings, clients: Clients) -> Outcome:
    """Write `report.html`.

    Raises:
        ConfigurationError: there is no evaluation yet, or it is of another candidate.
    """
    page = report_page.render(report_content.gather(settings))
    path = settings.work_dir / report_content.FILE
    write_atomically(path, lambda file: file.write_text(page, encoding="utf-8"))
    return Outcome("done", f"{path}, {len(page.encode()) / 1000:,.0f} kB")


if __name__ == "__main__":
    sys.exit(step.main(run, __doc__))
