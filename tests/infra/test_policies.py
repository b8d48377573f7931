"""What no role may do, what belongs to another, and whom the roles trust."""

import pytest

from pipeline_steps import alarms, settings
from tests.infra.calls import ACCOUNT, arn
from tests.infra.conftest import NAME, NEIGHBOUR, REPOSITORY, Account
from tests.infra.policy import Request

BUCKET = f"{NAME}-models-{ACCOUNT}-us-east-1"


def sagemaker(rest: str) -> str:
    return arn("sagemaker", rest)


def s3(rest: str) -> str:
    return f"arn:aws:s3:::{rest}"


def iam_role(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


VERSION = "0123456789ab-01234567"
MODEL = s3(f"{BUCKET}/{NAME}/0123456789ab/0123456789abcdef/model.tar.gz")
CHECKPOINT = s3(f"{BUCKET}/{NAME}/training/checkpoints/0123/training.json")
OF_JOB = s3(f"{BUCKET}/{NAME}/training/jobs/job/output/model.tar.gz")
TRAINING = sagemaker(f"training-job/{NAME}-{VERSION}")
MAKES = {"s3:ObjectCreationOperation": "true"}  # PutObject, or the end of an upload in parts
ONCE = {**MAKES, "s3:if-none-match": "*"}
PACKAGE = sagemaker(f"model-package/{NAME}/1")
ALARMS = alarms.meanings(settings.load("sst2"))  # the ends of their names
LOG_GROUP = arn("logs", f"log-group:/aws/lambda/{NAME}")
FUNCTION = arn("lambda", f"function:{NAME}")
API = "a1b2c3d4e5"  # ids of API Gateway have ten characters
LOG_STREAM = f"{LOG_GROUP}:log-stream:x"
AWS_IMAGE = "arn:aws:ecr:us-east-1:763104351884:repository/huggingface-pytorch-inference"
EVERYWHERE = [
    Request("iam:CreateUser", f"arn:aws:iam::{ACCOUNT}:user/x"),
    Request("iam:AttachRolePolicy", iam_role(f"{NAME}-deploy-staging")),
    Request("iam:TagRole", iam_role(f"{NAME}-deploy-staging")),
    Request("iam:PassRole", iam_role("admin"), {"iam:PassedToService": "lambda.amazonaws.com"}),
    Request("sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/x"),
    Request("sts:TagSession", iam_role(f"{NAME}-deploy-staging")),
    Request("s3:DeleteBucket", s3(BUCKET)),
    Request("s3:PutBucketPolicy", s3(BUCKET)),
    Request("s3:DeleteObjectVersion", s3(f"{BUCKET}/{NAME}/a/b/model.tar.gz")),
    Request("s3:GetObject", s3("another-bucket/x")),
    # What was trained, approved or released, exchanged for something else
    Request("s3:PutObject", MODEL, MAKES),
    Request("s3:PutObject", CHECKPOINT, MAKES),
    Request("s3:PutObject", s3(f"{BUCKET}/{NAME}/releases/staging/x.json"), MAKES),
    Request("s3:PutObject", s3(f"{BUCKET}/{NAME}/releases/production/x.json"), MAKES),
    Request("s3:ListBucket", s3("another-bucket")),
    Request("s3:GetObject", s3(f"{BUCKET}/another-name/x")),
    Request("sagemaker:CreateNotebookInstance", sagemaker("notebook-instance/x")),
    Request("sagemaker:DeleteEndpoint", sagemaker("endpoint/another")),
    Request("sagemaker:DeleteModelPackageGroup", sagemaker(f"model-package-group/{NAME}")),
    Request("lambda:UpdateFunctionCode", arn("lambda", "function:another")),
    Request("lambda:AddPermission", FUNCTION, {"lambda:Principal": "*"}),
    Request("lambda:AddPermission", FUNCTION, {"lambda:Principal": "999999999999"}),
    Request("lambda:AddPermission", f"{FUNCTION}-staging:live", {"lambda:Principal": "*"}),
    # One that nobody has tagged
    Request("apigateway:DELETE", arn("apigateway", f"/apis/{API}", account="")),
    Request("apigateway:PATCH", arn("apigateway", f"/apis/{API}", account="")),
    Request("logs:GetLogEvents", arn("logs", "log-group:/aws/lambda/another:*")),
    Request("ec2:RunInstances", arn("ec2", "instance/*")),
    Request("cloudformation:UpdateStack", arn("cloudformation", f"stack/{NAME}-bootstrap/x")),
]


@pytest.mark.parametrize("request_", EVERYWHERE, ids=lambda request: request.action)
def test_no_role_may_do_this(roles: Account, request_: Request) -> None:
    assert [name for name, role in roles.roles.items() if role.allows(request_)] == []


def belongings(stack: str, environment: str) -> list[Request]:
    """Actions on what belongs to an environment, each allowed to its own deploy role."""
    name = stack if environment == "production" else f"{stack}-staging"
    bucket = f"{stack}-models-{ACCOUNT}-us-east-1"
    tags = {"project": "t5-sentiment", "name": stack, "environment": environment}
    of_api = {f"aws:ResourceTag/{key}": value for key, value in tags.items()}
    asked = {f"aws:RequestTag/{key}": value for key, value in tags.items()}
    passed = {"iam:PassedToService": "lambda.amazonaws.com"}
    opened = {"lambda:Principal": "apigateway.amazonaws.com"}
    return [
        Request("sagemaker:UpdateEndpoint", sagemaker(f"endpoint/{name}")),
        Request("sagemaker:DeleteEndpoint", sagemaker(f"endpoint/{name}")),
        Request("sagemaker:DeleteEndpointConfig", sagemaker(f"endpoint-config/{name}-{VERSION}")),
        Request("sagemaker:DeleteModel", sagemaker(f"model/{name}-{VERSION}")),
        Request("lambda:UpdateFunctionCode", arn("lambda", f"function:{name}")),
        Request("lambda:UpdateAlias", arn("lambda", f"function:{name}")),
        Request("lambda:AddPermission", arn("lambda", f"function:{name}:live"), opened),
        Request("lambda:DeleteFunction", arn("lambda", f"function:{name}:3")),
        Request("s3:PutObject", s3(f"{bucket}/{stack}/releases/{environment}/x.json"), ONCE),
        Request("logs:PutRetentionPolicy", arn("logs", f"log-group:/aws/lambda/{name}")),
        Request("logs:CreateLogGroup", arn("logs", f"log-group:/aws/vendedlogs/http-api/{name}")),
        *(
            Request("cloudwatch:DeleteAlarms", arn("cloudwatch", f"alarm:{name}-{end}"))
            for end in ALARMS
        ),
        Request("cloudwatch:PutDashboard", arn("cloudwatch", f"dashboard/{name}", region="")),
        Request("iam:PassRole", iam_role(f"{stack}-lambda-{environment}"), passed),
        Request("apigateway:PATCH", arn("apigateway", f"/apis/{API}/routes/b", account=""), of_api),
        Request("apigateway:DELETE", arn("apigateway", f"/apis/{API}", account=""), of_api),
        Request("apigateway:POST", arn("apigateway", "/apis", account=""), asked),
    ]


@pytest.mark.parametrize(("own", "other"), [("staging", "production"), ("production", "staging")])
def test_environments_cannot_touch_each_other(roles: Account, own: str, other: str) -> None:
    # Production's names are the beginnings of staging's.
    role = roles.roles[f"deploy-{own}"]
    assert [item for item in belongings(NAME, own) if not role.allows(item)] == []
    assert [item for item in belongings(NAME, other) if role.allows(item)] == []


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_stacks_cannot_touch_each_other(
    roles: Account, neighbours: Account, environment: str
) -> None:
    # The neighbour's names begin with ours.
    for account, own, other in ((roles, NAME, NEIGHBOUR), (neighbours, NEIGHBOUR, NAME)):
        role = account.roles[f"deploy-{environment}"]
        assert [item for item in belongings(own, environment) if not role.allows(item)] == []
        theirs = [*belongings(other, "staging"), *belongings(other, "production")]
        assert [item for item in theirs if role.allows(item)] == []


@pytest.mark.parametrize("role", ["hosting", "deploy-staging"])
def test_neighbours_sagemaker_is_its_own(roles: Account, neighbours: Account, role: str) -> None:
    for account, own, other in ((roles, NAME, NEIGHBOUR), (neighbours, NEIGHBOUR, NAME)):
        assert [item for item in trained(own)[role] if not account.roles[role].allows(item)] == []
        assert [item for item in trained(other)[role] if account.roles[role].allows(item)] == []


def trained(stack: str) -> dict[str, list[Request]]:
    """What roles do to SageMaker's logs and jobs."""
    group = "log-group:/aws/sagemaker"
    job = f"{stack}-{VERSION}"
    endpoints = [f"{group}/Endpoints/{name}" for name in (stack, f"{stack}-staging")]
    return {
        "hosting": [
            *(Request("logs:CreateLogGroup", arn("logs", name)) for name in endpoints),
            *(
                Request("logs:PutLogEvents", arn("logs", f"{name}:log-stream:x"))
                for name in endpoints
            ),
        ],
        "deploy-staging": [
            Request("sagemaker:StopTrainingJob", sagemaker(f"training-job/{job}")),
            Request(
                "logs:GetLogEvents",
                arn("logs", f"{group}/TrainingJobs:log-stream:{job}/algo-1-1"),
            ),
        ],
    }


def test_written_once_is_for_all_but_a_jobs_output(roles: Account) -> None:
    role = roles.roles["deploy-staging"]
    assert role.allows(Request("s3:PutObject", MODEL, ONCE))
    assert role.allows(Request("s3:PutObject", CHECKPOINT, ONCE))
    # Parts of an upload make no object, and cannot carry the condition
    assert role.allows(Request("s3:PutObject", MODEL, {"s3:ObjectCreationOperation": "false"}))
    assert roles.roles["training"].allows(Request("s3:PutObject", OF_JOB, MAKES))


def test_api_of_another_name_is_refused(roles: Account) -> None:
    tags = {"aws:ResourceTag/name": "another", "aws:ResourceTag/environment": "staging"}
    for path in (f"/apis/{API}", f"/apis/{API}/routes/b"):
        request = Request("apigateway:DELETE", arn("apigateway", path, account=""), tags)
        assert not roles.roles["deploy-staging"].allows(request)


@pytest.mark.parametrize(
    ("role", "status", "allowed"),
    [
        ("deploy-staging", "Approved", True),
        ("deploy-staging", "Rejected", True),
        ("deploy-production", "Approved", False),
        ("deploy-production", "Rejected", True),
        ("monitor", "Approved", False),
    ],
)
def test_only_staging_approves_models(
    roles: Account, role: str, status: str, allowed: bool
) -> None:
    context = {"sagemaker:ModelApprovalStatus": status}
    request = Request("sagemaker:UpdateModelPackage", PACKAGE, context)
    assert roles.roles[role].allows(request) is allowed


@pytest.mark.parametrize("service", ["lambda.amazonaws.com", "ec2.amazonaws.com"])
def test_hosting_role_goes_to_sagemaker_only(roles: Account, service: str) -> None:
    role = roles.roles["deploy-production"]
    for name, allowed in (("sagemaker.amazonaws.com", True), (service, False)):
        context = {"iam:PassedToService": name}
        assert role.allows(Request("iam:PassRole", roles.arn("hosting"), context)) is allowed


WORK = [  # role, action, resource, whether it is allowed
    ("lambda-production", "sagemaker:InvokeEndpoint", sagemaker(f"endpoint/{NAME}"), True),
    ("lambda-production", "sagemaker:InvokeEndpoint", sagemaker(f"endpoint/{NAME}-staging"), False),
    ("lambda-production", "sagemaker:InvokeEndpoint", sagemaker("endpoint/another"), False),
    ("lambda-staging", "sagemaker:InvokeEndpoint", sagemaker(f"endpoint/{NAME}"), False),
    ("lambda-production", "logs:PutLogEvents", LOG_STREAM, True),
    ("lambda-staging", "logs:PutLogEvents", LOG_STREAM, False),
    ("lambda-production", "s3:GetObject", MODEL, False),
    ("hosting", "s3:GetObject", MODEL, True),
    ("hosting", "s3:PutObject", MODEL, False),
    ("hosting", "ecr:BatchGetImage", arn("ecr", f"repository/{NAME}"), True),
    ("hosting", "ecr:BatchGetImage", AWS_IMAGE, True),
    ("hosting", "ecr:BatchGetImage", arn("ecr", "repository/another"), False),
    ("hosting", "cloudwatch:PutMetricData", "*", False),  # without its namespace
    ("training", "s3:PutObject", OF_JOB, True),
    ("training", "s3:PutObject", CHECKPOINT, False),
    ("training", "s3:GetObject", s3(f"{BUCKET}/{NAME}/training/data/0123/train.jsonl"), True),
    ("training", "s3:PutObject", MODEL, False),
    ("training", "s3:PutObject", s3(f"{BUCKET}/{NAME}/releases/production/x.json"), False),
    ("monitor", "logs:FilterLogEvents", arn("logs", f"log-group:/aws/lambda/{NAME}:*"), True),
    ("monitor", "s3:PutObject", MODEL, False),
    ("monitor", "sagemaker:UpdateEndpoint", sagemaker(f"endpoint/{NAME}"), False),
    ("deploy-staging", "sagemaker:CreateTrainingJob", TRAINING, True),
    ("deploy-staging", "ecr:PutImage", arn("ecr", f"repository/{NAME}"), True),
    ("deploy-staging", "s3:PutObject", MODEL, True),
    ("deploy-staging", "sagemaker:CreateModelPackage", PACKAGE, True),
    # Production ships what staging has made, and is taken down by a person.
    ("deploy-production", "sagemaker:CreateTrainingJob", TRAINING, False),
    ("deploy-production", "ecr:PutImage", arn("ecr", f"repository/{NAME}"), False),
    ("deploy-production", "s3:PutObject", MODEL, False),
    ("deploy-production", "sagemaker:CreateModelPackage", PACKAGE, False),
    ("deploy-production", "lambda:DeleteFunction", arn("lambda", f"function:{NAME}"), False),
    ("deploy-production", "logs:DeleteLogGroup", LOG_GROUP, False),
    ("deploy-staging", "logs:DeleteLogGroup", LOG_GROUP, False),
]


@pytest.mark.parametrize(("role", "action", "resource", "allowed"), WORK)
def test_role_is_held_to_its_work(
    roles: Account, role: str, action: str, resource: str, allowed: bool
) -> None:
    assert roles.roles[role].allows(Request(action, resource)) is allowed


TAKEN = {
    "deploy-staging": "staging",
    "deploy-production": "production",
    "monitor": "monitor",
}


@pytest.mark.parametrize(
    "subject",
    [
        "repo:octo-org/another:environment:{environment}",
        "repo:another/octo-repo:environment:{environment}",
        f"repo:{REPOSITORY}:environment:elsewhere",
        f"repo:{REPOSITORY}:pull_request",
        f"repo:{REPOSITORY}:ref:refs/heads/main",
        f"repo:{REPOSITORY}:environment:*",
        f"repo:{REPOSITORY}:*",
        "*",
    ],
)
def test_other_jobs_are_not_trusted(roles: Account, subject: str) -> None:
    for role, environment in TAKEN.items():
        claims = {"aud": "sts.amazonaws.com", "sub": subject.format(environment=environment)}
        assert not roles.roles[role].trusts(claims, roles.provider)


@pytest.mark.parametrize(("role", "environment"), TAKEN.items())
def test_own_job_is_trusted(roles: Account, role: str, environment: str) -> None:
    trusts = roles.roles[role].trusts
    claims = {"aud": "sts.amazonaws.com", "sub": f"repo:{REPOSITORY}:environment:{environment}"}
    assert trusts(claims, roles.provider)
    assert not trusts({**claims, "aud": "https://github.com/octo-org"}, roles.provider)
    assert not trusts({"sub": claims["sub"]}, roles.provider)
    assert not trusts(claims, f"arn:aws:iam::{ACCOUNT}:oidc-provider/example.com")
    others = [name for name in roles.roles if name != role]
    assert not [name for name in others if roles.roles[name].trusts(claims, roles.provider)]
