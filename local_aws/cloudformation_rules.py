"""CloudFormation as far as our own stack needs it: outputs, rollback, and what moto skips.

moto says CREATE_COMPLETE of types that it does not know, and makes nothing: of those, GitHub's
OIDC provider is added here, as the stack's roles name it. The bucket's policy, the topic's, the
budget and the mail identity stay unmade. Of the bucket, only its name and tags are made.
"""

from typing import Any

from moto.cloudformation import parsing
from moto.cloudformation.models import ChangeSet, CloudFormationBackend, Event, Stack
from moto.core.common_models import CloudFormationModel
from moto.iam.exceptions import DeleteConflictException
from moto.iam.models import ManagedPolicy, Role, iam_backends

from local_aws.moto_patches import Patches


class OidcProvider(CloudFormationModel):
    """AWS::IAM::OIDCProvider, over moto's own provider."""

    def __init__(self, arn: str) -> None:
        self.arn = self.physical_resource_id = arn

    @staticmethod
    def cloudformation_name_type() -> str:
        """It has no name."""
        return ""

    @staticmethod
    def cloudformation_type() -> str:
        """What templates call it."""
        return "AWS::IAM::OIDCProvider"

    @classmethod
    def create_from_cloudformation_json(
        cls,
        resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
        **_: Any,
    ) -> "OidcProvider":
        """Create it in moto's IAM."""
        properties = cloudformation_json["Properties"]
        made = iam_backends[account_id]["aws"].create_open_id_connect_provider(
            url=properties["Url"],
            thumbprint_list=properties.get("ThumbprintList", []),
            client_id_list=properties.get("ClientIdList", []),
            tags=properties.get("Tags", []),
        )
        return cls(made.arn)

    def delete(self, account_id: str, _: str) -> None:
        """Delete it from moto's IAM."""
        iam_backends[account_id]["aws"].delete_open_id_connect_provider(self.arn)


def _attach(role: Role, cloudformation_json: dict[str, Any], account_id: str) -> None:
    for arn in cloudformation_json["Properties"].get("ManagedPolicyArns", []):
        if arn is None:  # AWS::NoValue
            continue
        iam_backends[account_id]["aws"].attach_role_policy(arn, role.name)


def _delete_role(self: Role, account_id: str, region_name: str) -> None:
    for arn in list(self.managed_policies):
        iam_backends[account_id]["aws"].detach_role_policy(arn, self.name)
    Role.delete_from_cloudformation_json(self.name, {}, account_id, region_name)


def _delete_policy(self: ManagedPolicy, account_id: str, _: str) -> None:
    if self.attachment_count:
        # moto then tries the stack's other resources first: the roles that have it
        raise DeleteConflictException("Cannot delete a policy attached to entities.")
    iam_backends[account_id]["aws"].delete_policy(self.arn)


def _remember(_: Any, self: ChangeSet) -> None:
    # moto changes the resources, and leaves the stack's outputs and parameters as they were.
    stack = self.stack
    stack.template, stack.parameters = self.template, self.parameters
    stack._parse_template()
    stack.output_map = stack._create_output_map()


def _same_parameters(self: Stack, other: dict[str, Any]) -> bool:
    known = self.template_dict.get("Parameters", {})
    defaults = {name: str(item.get("Default", "")) for name, item in known.items()}
    return {**defaults, **self.parameters} == {**defaults, **other}


def _roll_back(stack: Stack, error: Exception) -> None:
    stack.events.append(
        Event(
            stack_id=stack.stack_id,
            stack_name=stack.name,
            logical_resource_id=stack.name,
            physical_resource_id="",
            resource_type="AWS::CloudFormation::Stack",
            resource_status="CREATE_FAILED",
            resource_status_reason=str(error),
            resource_properties=None,
        )
    )
    stack.resource_map.delete()
    stack.status = "ROLLBACK_COMPLETE"


def apply(patches: Patches) -> None:
    """Change moto's CloudFormation; `patches` puts it back."""
    for known in (parsing.get_model_list, parsing.get_model_map, parsing.get_name_type_map):
        known.cache_clear()  # whoever asked before OidcProvider was imported
    patches.set(ManagedPolicy, "delete", _delete_policy)
    patches.set(Role, "delete", _delete_role)
    create_role = vars(Role)["create_from_cloudformation_json"].__func__

    def create(
        cls: type[Role],
        resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
        **more: Any,
    ) -> Role:
        role: Role = create_role(
            cls, resource_name, cloudformation_json, account_id, region_name, **more
        )
        _attach(role, cloudformation_json, account_id)
        return role

    patches.set(Role, "create_from_cloudformation_json", classmethod(create))
    patches.after(ChangeSet, "apply", _remember)
    # A default that is spelt out is no change.
    patches.set(Stack, "has_parameters", _same_parameters)
    original = CloudFormationBackend.execute_change_set

    def execute(
        self: CloudFormationBackend, change_set_name: str, stack_name: str | None = None
    ) -> None:
        try:
            original(self, change_set_name, stack_name)
        except Exception as error:
            found = self.describe_change_set(change_set_name)
            if found is None or found.change_set_type != "CREATE":
                raise
            _roll_back(found.stack, error)

    patches.set(CloudFormationBackend, "execute_change_set", execute)
