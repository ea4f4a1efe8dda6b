"""Sound as the trade delivers it: read in blocks, written with every production chunk kept."""
