"""The root of every error that fxd raises on purpose.

It lives in the lowest package so that all three can share it.
"""


class FxdError(Exception):
    """Something went wrong that fxd can say in one sentence to a person."""


class ModelError(FxdError):
    """A model is missing, damaged, or not what its catalog entry promises."""


class OtherNetworkError(ModelError):
    """A network shall begin from another that is not built alike."""
