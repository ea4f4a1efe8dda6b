"""Tests of fxd. A package, because another distribution installs a folder of this name."""
