"""Sound: cleaned, measured, described, delivered; everything the recorder wrote is kept."""
