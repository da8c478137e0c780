"""What others have published of the cost of waiting, beside what `wakecheck cost` measures."""
