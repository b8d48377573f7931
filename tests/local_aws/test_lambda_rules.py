"""Versions of a local function: made when something changed, deleted one by one."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

OTHER = "def handler(event, context):\n    return 'other'\n"
THIRD = "def handler(event, context):\n    return 'third'\n"


def versions(functions: Any, name: str) -> list[str]:
    """All versions of a function that are there."""
    pages = functions.get_paginator("list_versions_by_function").paginate(FunctionName=name)
    return [version["Version"] for page in pages for version in page["Versions"]]


def publish(functions: Any, name: str) -> str:
    """Publish what is in $LATEST; returns the version."""
    return str(functions.publish_version(FunctionName=name)["Version"])


def refused(code: str, words: str = "") -> Any:
    """Expect an error `code` with `words`."""
    return pytest.raises(ClientError, match=rf"\({code}\).*{words}")


def test_unchanged_code_makes_no_version(kit: Any) -> None:
    functions = kit.client("lambda")
    kit.create_function("unchanged", code=OTHER)
    assert publish(functions, "unchanged") == "1"
    kit.update_code("unchanged", OTHER)
    assert publish(functions, "unchanged") == "1"
    functions.update_function_configuration(FunctionName="unchanged", Timeout=7)
    kit.settle("unchanged")
    assert publish(functions, "unchanged") == "2"
    kit.update_code("unchanged", THIRD)
    assert publish(functions, "unchanged") == "3"
    assert versions(functions, "unchanged") == ["$LATEST", "1", "2", "3"]


def test_one_version_is_deleted(kit: Any) -> None:
    functions = kit.client("lambda")
    kit.create_function("pruned", code=OTHER)
    publish(functions, "pruned")
    kit.update_code("pruned", THIRD)
    publish(functions, "pruned")
    functions.delete_function(FunctionName="pruned", Qualifier="1")
    assert versions(functions, "pruned") == ["$LATEST", "2"]
    with refused("ResourceNotFoundException"):
        functions.get_function(FunctionName="pruned", Qualifier="1")
    with refused("ResourceNotFoundException"):
        functions.delete_function(FunctionName="pruned", Qualifier="1")
    assert kit.call("pruned", Qualifier="2") == ("third", None)


def test_version_of_alias_is_kept(kit: Any) -> None:
    functions = kit.client("lambda")
    kit.create_function("aliased", code=OTHER)
    publish(functions, "aliased")
    functions.create_alias(FunctionName="aliased", Name="live", FunctionVersion="1")
    with refused("ResourceConflictException", "the alias live points to it"):
        functions.delete_function(FunctionName="aliased", Qualifier="1")
    with refused("InvalidParameterValueException", "without deleting the function"):
        functions.delete_function(FunctionName="aliased", Qualifier="$LATEST")
    assert versions(functions, "aliased") == ["$LATEST", "1"]


def test_numbers_outlive_the_function(kit: Any) -> None:
    functions = kit.client("lambda")
    kit.create_function("reborn", code=OTHER)
    assert publish(functions, "reborn") == "1"
    functions.delete_function(FunctionName="reborn")
    for call in (functions.list_versions_by_function, functions.delete_function):
        with refused("ResourceNotFoundException"):
            call(FunctionName="reborn")
    kit.create_function("reborn", code=OTHER)
    assert publish(functions, "reborn") == "2"
