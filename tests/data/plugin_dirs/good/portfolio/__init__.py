"""A sub-package: what it exports counts."""

from .carry import Carry as Carry
