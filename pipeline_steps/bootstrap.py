"""Prepare an AWS account, once: trust in GitHub, roles, model bucket, alarms, budget.

    python -m pipeline_steps.bootstrap --repository OWNER/NAME
    python -m pipeline_steps.bootstrap --delete

Works with your own credentials, shows what it would change and asks first. At its end it prints
the commands that hand GitHub what the workflows need to know. docs/aws-setup.md explains it all.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from pipeline_steps import github_commands, step
from pipeline_steps import settings as settings_module
from pipeline_steps.aws import Clients, aws_errors
from pipeline_steps.errors import ConfigurationError
from pipeline_steps.stack import ChangeSet, Stack, StackError, empty_bucket

TEMPLATE = Path(__file__).parents[1] / "infra" / "bootstrap.yaml"
PROVIDER = "oidc-provider/token.actions.githubusercontent.com"
AUDIENCE = "sts.amazonaws.com"
REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*(@\d+)?/[A-Za-z0-9._-]+(@\d+)?")
REMOTE = re.compile(r"github\.com[:/]([^/:\s]+/[^/\s]+?)(?:\.git)?/?$")
SECONDS = 1800  # for the stack to be made, changed or deleted


def run(arguments: argparse.Namespace, clients: Clients) -> None:
    """Make, change or delete the stack, as `arguments` (of `parser`) ask for.

    Raises:
        ConfigurationError: a flag is wrong, or there is nobody to ask.
        StackError: AWS refused a call, or could not make what the template asks for.
    """
    name = arguments.name or settings_module.load(arguments.profile).deploy.name
    stack = Stack(clients.cloudformation, f"{name}-bootstrap", SECONDS, arguments.poll_seconds)
    with aws_errors(StackError, f"Bootstrapping {name!r}"):
        account = clients.sts.get_caller_identity()["Account"]
        region = clients.sts.meta.region_name
        print(f"AWS account {account}, region {region}, stack {stack.name}\n")
        if arguments.delete:
            _delete(stack, clients, name, arguments.yes)
        else:
            repository = arguments.repository or _repository_of_remote()
            _bootstrap(stack, clients, name, _checked(repository), arguments)


def _repository_of_remote() -> str:
    command = ["git", "remote", "get-url", "origin"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except OSError as error:
        raise ConfigurationError(f"git cannot be run ({error}). Pass --repository.") from error
    found = REMOTE.search(answer.stdout.strip())
    if found is None:
        raise ConfigurationError(
            f"The git remote 'origin' is {answer.stdout.strip()!r}, expected a repository on "
            "github.com. Pass --repository OWNER/NAME."
        )
    return found[1]


def _checked(repository: str) -> str:
    if not REPOSITORY.fullmatch(repository):
        raise ConfigurationError(
            f"--repository is {repository!r}, expected OWNER/NAME, or OWNER@ID/NAME@ID for one "
            "whose tokens carry its ids (docs/aws-setup.md), without wildcards."
        )
    return repository


def _bootstrap(
    stack: Stack, clients: Clients, name: str, repository: str, arguments: argparse.Namespace
) -> None:
    found = _ready(stack, arguments.yes)
    parameters = _parameters(found, clients.iam, name, repository, arguments)
    template = TEMPLATE.read_text(encoding="utf-8")
    clients.cloudformation.validate_template(TemplateBody=template)
    tags = {"project": "t5-sentiment", "name": name}
    proposed = stack.propose(template, parameters, tags)
    if proposed is None:
        print("No changes: the account has all that the template asks for.\n")
    elif not _agreed(stack, proposed, arguments.yes):
        print("Nothing was changed.")
        return
    else:
        stack.apply(proposed)
    _tell_github(stack, repository)


def _ready(stack: Stack, yes: bool) -> dict[str, Any] | None:
    """The stack in a state that can be changed; None where it is to be made."""
    found = stack.describe()
    if found and found["StackStatus"].endswith("_IN_PROGRESS"):
        print(f"The stack is {found['StackStatus']}: waiting for it first.")
        stack.settle()
        found = stack.describe()
    status = found["StackStatus"] if found else ""
    if status == "ROLLBACK_COMPLETE":
        print(
            f"The stack could not be made the last time. {stack.failures()}\n"
            "All that it had made was taken back; AWS wants its empty shell deleted first."
        )
        _require(yes, "Delete the shell and try again?")
        stack.delete()
        return None
    if status.endswith("_FAILED"):
        way = (
            f"aws cloudformation continue-update-rollback --stack-name {stack.name}"
            if status == "UPDATE_ROLLBACK_FAILED"
            else "python -m pipeline_steps.bootstrap --delete"
        )
        raise StackError(
            f"The stack {stack.name!r} is {status}. {stack.failures()} Mend that, then: {way}"
        )
    return found


def _parameters(
    found: dict[str, Any] | None,
    iam: Any,
    name: str,
    repository: str,
    arguments: argparse.Namespace,
) -> dict[str, str]:
    """What is asked for, and for the rest what the stack has already."""
    before = {
        item["ParameterKey"]: item["ParameterValue"] for item in (found or {}).get("Parameters", [])
    }
    asked = {
        "MonthlyBudget": None if arguments.budget is None else f"{arguments.budget:g}",
        "AlarmMail": arguments.mail,
        "MailFrom": arguments.mail_from,
        "ImageAccount": arguments.image_account,
    }
    return {
        **{key: before[key] for key in asked if key in before},
        **{key: value for key, value in asked.items() if value is not None},
        "Name": name,
        "Repository": repository,
        "OidcProviderArn": _provider(iam, before.get("OidcProviderArn")),
    }


def _provider(iam: Any, before: str | None) -> str:
    """The account's OIDC provider for GitHub if it is not this stack's own; else empty."""
    if before == "":
        return ""  # this stack made it
    listed = iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    known = [item["Arn"] for item in listed if item["Arn"].endswith(PROVIDER)]
    if not known:
        return ""
    arn: str = known[0]
    audiences = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)["ClientIDList"]
    if AUDIENCE not in audiences:
        raise ConfigurationError(
            f"The account's provider {arn} does not take tokens for {AUDIENCE}. Allow it: aws iam "
            f"add-client-id-to-open-id-connect-provider --open-id-connect-provider-arn {arn} "
            f"--client-id {AUDIENCE}"
        )
    print(f"The account has GitHub's OIDC provider already: {arn} is used.")
    return arn


def _agreed(stack: Stack, proposed: ChangeSet, yes: bool) -> bool:
    """Show the changes and ask; a proposal that nobody agrees to is forgotten."""
    print(f"{'change':<8} {'resource':<26} type")
    for change in proposed.changes:
        note = "  REPLACED: what it holds is lost" if change.replaced else ""
        print(f"{change.action:<8} {change.resource:<26} {change.kind}{note}")
    print()
    try:
        agreed = yes or _asked("Make these changes? [y/N] ") in ("y", "yes")
    except BaseException:
        stack.discard(proposed)
        raise
    if not agreed:
        stack.discard(proposed)
    return agreed


def _require(yes: bool, question: str) -> None:
    if not yes and _asked(f"{question} [y/N] ") not in ("y", "yes"):
        raise ConfigurationError("Nothing was changed.")


def _asked(question: str) -> str:
    if not sys.stdin.isatty():
        raise ConfigurationError(
            "Nothing was changed: there is no terminal to ask at. If what stands above is what "
            "you want, run it again with --yes."
        )
    try:
        return input(question).strip()
    except EOFError:
        return ""  # Ctrl-D is no yes


def _tell_github(stack: Stack, repository: str) -> None:
    found = stack.describe() or {}
    outputs = {item["OutputKey"]: item["OutputValue"] for item in found.get("Outputs", [])}
    print("What GitHub must know; paste this into a shell (needs GitHub's gh, logged in):\n")
    print("\n".join(github_commands.commands(outputs, repository)))
    print("\nThen, on GitHub, have `production` ask for a reviewer (docs/aws-setup.md).")


def _delete(stack: Stack, clients: Clients, name: str, yes: bool) -> None:
    if stack.describe() is None:
        print(f"There is no stack {stack.name}: nothing to delete.")
        return
    _refuse_while_serving(clients.tagging, name)
    resources = stack.resources()
    buckets = [item for item in resources if item["ResourceType"] == "AWS::S3::Bucket"]
    print("This deletes, for good:\n")
    for item in resources:
        print(f"  {item['LogicalResourceId']:<26} {item['PhysicalResourceId']}")
    for item in buckets:
        print(f"\nwith every model and its history in s3://{item['PhysicalResourceId']}.")
    if not yes and _asked(f"\nType {name} to delete it all: ") != name:
        raise ConfigurationError("Nothing was deleted: that was not the name.")
    for item in buckets:
        empty_bucket(clients.s3, item["PhysicalResourceId"])
    stack.delete()
    print(f"Deleted: the stack {stack.name} and all that it made.")


def _refuse_while_serving(tagging: Any, name: str) -> None:
    filters = [{"Key": "project", "Values": ["t5-sentiment"]}, {"Key": "name", "Values": [name]}]
    pages = tagging.get_paginator("get_resources").paginate(
        TagFilters=filters, ResourceTypeFilters=["sagemaker:endpoint", "lambda:function"]
    )
    left = [item["ResourceARN"] for page in pages for item in page["ResourceTagMappingList"]]
    if left:
        raise ConfigurationError(
            f"Nothing was deleted: {', '.join(left)} run with the roles of this stack. Take them "
            "down first: python -m pipeline_steps.teardown"
        )


def parser() -> argparse.ArgumentParser:
    """The flags of the command."""
    flags = argparse.ArgumentParser(
        prog="python -m pipeline_steps.bootstrap",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    flags.add_argument("--repository", help="OWNER/NAME on GitHub (the git remote 'origin')")
    flags.add_argument("--profile", default="sst2", help="the one that ships (%(default)s)")
    flags.add_argument("--name", help="deploy name (that of the profile)")
    flags.add_argument("--budget", type=float, metavar="USD", help="a month; 0: no alarm (20)")
    flags.add_argument("--mail", help="address that alarms are mailed to (none)")
    flags.add_argument("--mail-from", help="address that the pipeline mails from by SES (none)")
    flags.add_argument("--image-account", help="account of AWS's images (763104351884)")
    flags.add_argument("--poll-seconds", type=float, default=5.0, help="between two looks (5)")
    flags.add_argument("--yes", action="store_true", help="do not ask")
    flags.add_argument("--delete", action="store_true", help="delete it all, with every model")
    return flags


def main(arguments: list[str] | None = None) -> int:
    """Bootstrap as the flags say, and give back the exit code."""
    parsed = parser().parse_args(arguments)
    return step.exit_code_of(lambda: run(parsed, Clients()))


if __name__ == "__main__":
    sys.exit(main())
