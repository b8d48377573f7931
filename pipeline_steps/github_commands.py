"""What GitHub must know of a bootstrapped account, as commands of GitHub's `gh`."""

import re
from collections.abc import Iterator, Mapping

ENVIRONMENTS = ("staging", "production", "monitor")
BRANCH = "main"  # the only one whose jobs may use an environment, and with it its role
# Each output of the template: the GitHub variable it becomes, and of which environment.
VARIABLES = {
    "Region": ("AWS_REGION", None),
    "ModelBucketName": ("MODEL_BUCKET", None),
    "ImageRepositoryUri": ("IMAGE_REPOSITORY", None),
    "AlarmTopicArn": ("ALARM_TOPIC_ARN", None),
    "HostingRoleArn": ("SAGEMAKER_ROLE_ARN", None),
    "TrainingRoleArn": ("TRAINING_ROLE_ARN", None),
    "StagingFunctionRoleArn": ("LAMBDA_ROLE_ARN", "staging"),
    "ProductionFunctionRoleArn": ("LAMBDA_ROLE_ARN", "production"),
    "StagingDeployRoleArn": ("DEPLOY_ROLE_ARN", "staging"),
    "ProductionDeployRoleArn": ("DEPLOY_ROLE_ARN", "production"),
    "MonitorRoleArn": ("MONITOR_ROLE_ARN", "monitor"),
    "MailFromAddress": ("MAIL_FROM", None),
}


def commands(outputs: Mapping[str, str], repository: str) -> Iterator[str]:
    """Make the environments, and set the variables that the stack's `outputs` become."""
    plain = re.sub(r"@\d+", "", repository)
    for environment in ENVIRONMENTS:
        yield _commands_for_environment(f"repos/{plain}/environments/{environment}")
    for output, value in outputs.items():
        variable, environment_of = VARIABLES[output]
        where = f" --env {environment_of}" if environment_of else ""
        yield f"gh variable set {variable} --repo {plain}{where} --body '{value}'"


def _commands_for_environment(path: str) -> str:
    """Make the environment, for one branch; pasted again, they leave its protection as it is.

    https://docs.github.com/en/rest/deployments/branch-policies
    """
    policy = "deployment_branch_policy"
    branches = f"{path}/deployment-branch-policies"
    return (
        f"gh api --silent {path} 2>/dev/null || gh api --silent --method PUT {path}"
        f" -F '{policy}[protected_branches]=false' -F '{policy}[custom_branch_policies]=true'\n"
        f"gh api {branches} --jq '.branch_policies[].name' | grep -qx {BRANCH}"
        f" || gh api --silent --method POST {branches} -f name={BRANCH}"
    )
