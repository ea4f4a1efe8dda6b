"""Sound: what a file holds, how loud it is, what is wrong with it, and the cleaned file."""
