"""`kernel`: what a kernel is held to, a file per chapter.  `suite`: what the suite itself is held to."""
