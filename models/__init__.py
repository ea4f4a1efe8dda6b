"""Networks, training, where weights come from, and trained bundles on disk."""
