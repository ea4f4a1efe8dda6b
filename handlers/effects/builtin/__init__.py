"""The effects that come with fxd."""
