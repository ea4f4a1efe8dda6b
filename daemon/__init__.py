"""The service: notice, settle, journal, dispatch, run, publish, tell."""
