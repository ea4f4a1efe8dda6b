"""What is done to media: each handler turns one asset into artifacts."""
