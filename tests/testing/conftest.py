"""What the tests of the conformance kit share."""

import re

import pytest

from sktransfer.testing import contract_checks

# These start a process each, so they run where they are asked for.
IN_NEW_PROCESS = {
    "check_import_needs_no_torch",
    "check_new_process_agrees",
    "check_plan_needs_no_torch",
}


@pytest.fixture
def failures():
    """Run all checks on a plugin; give those that fail, by name."""

    def run(plugin, *in_new_process, every=False):
        found = {}
        for check in contract_checks(plugin):
            name = check.__name__
            if name in IN_NEW_PROCESS and not every and name not in in_new_process:
                continue
            try:
                check(plugin)
            except Exception as error:
                found[name] = error
        for error in found.values():
            # Any other error would be the plugin's own, which says nothing about the contract.
            assert isinstance(error, AssertionError), repr(error)
            assert re.fullmatch(r"(?s)got .+\nexpected: .+\.\nto change: .+\.", str(error))
        return found

    return run
