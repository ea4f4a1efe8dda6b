"""Recordings and mixes: sound read, described, cleaned, measured and written."""
