"""What each frame and each moment of sound is like, and what is technically wrong with it."""
