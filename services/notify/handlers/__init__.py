"""Notify's use cases, grouped by who starts them: the stream, the directory, a tutor, the courier."""
