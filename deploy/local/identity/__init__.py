"""A small OpenID provider for demonstrations and tests: instead of a password, one chooses who to be.

It is as strict as a university's own about everything else, so that the services sign people in the same way here as
there and have no back door.
"""
