"""What can be put right in sound: clicks, clipped tops, hum and DC."""
