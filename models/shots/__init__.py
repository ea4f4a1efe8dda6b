"""Finding shots: the network, its windows, its converter and labelled test sequences."""
