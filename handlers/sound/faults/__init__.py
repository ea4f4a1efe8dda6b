"""What is wrong with sound: hum, clicks, clipping and the like, found in one pass."""
