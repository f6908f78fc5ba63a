"""What students can ask of the institution: the request, its deadline, and what has to be said to make one."""
