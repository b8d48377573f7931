"""Everything that is changed in moto's classes, made in one place and undone at the end.

moto 5.2.5 accepts much that AWS refuses, and lacks a few calls. The rules of each service are in
the modules `*_rules`; they use the three verbs of `Patches`.
"""

import functools
import inspect
import json
from collections.abc import Callable
from typing import Any

from moto.core.models import default_user_config
from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends

ABSENT = object()


class Patches:
    """Replaced attributes of classes and modules, with what was there before."""

    def __init__(self) -> None:
        self._before: list[tuple[Any, str, Any]] = []
        # moto's other Lambda backend would start Docker.
        self._user_config = default_user_config.copy()
        default_user_config["lambda"] = {"use_docker": False}

    def set(self, owner: Any, name: str, value: Any) -> None:
        """Give `owner` the attribute `name`, new or instead of its own."""
        self._before.append((owner, name, vars(owner).get(name, ABSENT)))
        setattr(owner, name, value)

    def before(self, owner: type, name: str, check: Callable[..., object]) -> None:
        """Run `check(self, **arguments)` first; what it raises refuses the call."""
        original = getattr(owner, name)
        signature = inspect.signature(original)

        @functools.wraps(original)
        def checked(*values: Any, **named: Any) -> Any:
            arguments = signature.bind(*values, **named).arguments
            check(**arguments)
            return original(*values, **named)

        self.set(owner, name, checked)

    def after(self, owner: type, name: str, act: Callable[..., None]) -> None:
        """Run `act(result, self, **arguments)` once the call has succeeded."""
        original = getattr(owner, name)
        signature = inspect.signature(original)

        @functools.wraps(original)
        def followed(*values: Any, **named: Any) -> Any:
            arguments = signature.bind(*values, **named).arguments
            result = original(*values, **named)
            act(result, **arguments)
            return result

        self.set(owner, name, followed)

    def undo(self) -> None:
        """Put back what was there before, the last change first."""
        while self._before:
            owner, name, value = self._before.pop()
            if value is ABSENT:
                delattr(owner, name)
            else:
                setattr(owner, name, value)
        del default_user_config["lambda"]
        default_user_config.update(self._user_config)


def role_trusts(account: str, role_arn: str, service: str) -> bool:
    """Whether the role exists and its trust policy lets `service` assume it."""
    try:
        role = iam_backends[account]["aws"].get_role_by_arn(role_arn)
    except NotFoundException:
        return False
    for statement in json.loads(role.assume_role_policy_document)["Statement"]:
        principals = statement.get("Principal", {}).get("Service", [])
        trusted = [principals] if isinstance(principals, str) else principals
        if statement["Effect"] == "Allow" and service in trusted:
            return True
    return False
