"""Opening, decoding, checking and encoding media: what every handler shares."""
