"""ESRGAN: published weights that make pictures four times as large."""
