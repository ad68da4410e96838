"""Configurations of gateways that ask a node about every request; the tests run these very texts."""

from retinue.gateways.forms import FORMS, render
from retinue.gateways.parameters import Address, Parameters, ParametersError, Rule

__all__ = ["FORMS", "Address", "Parameters", "ParametersError", "Rule", "render"]
