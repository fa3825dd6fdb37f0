"""Our import names are the folder names; nobody else may own one in this environment (design, «Same plan in every house»)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import packages_distributions

OURS = ("services", "projections", "contracts", "deploy")


def intruders(owners: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Other distributions that own one of our names, by name."""
    return {name: others for name in OURS if (others := sorted(set(owners.get(name, ())) - {"leadline"}))}


def test_no_other_distribution_owns_one_of_our_import_names() -> None:
    found = intruders(packages_distributions())
    assert not found, f"installed distributions hide or are hidden by our packages: {found}; uninstall them"


def test_an_intruder_is_found() -> None:
    assert intruders({"services": ["leadline", "some-services"], "yaml": ["pyyaml"]}) == {"services": ["some-services"]}
