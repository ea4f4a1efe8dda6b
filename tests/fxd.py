"""Runs the command line in the tests' environment: ``python -m tests.fxd status``."""

from daemon.cli import main

if __name__ == "__main__":
    main()
