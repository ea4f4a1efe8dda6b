"""Timelines in the formats that editing systems open."""
