"""The public register (R8): the policy register that the services enforce, as a page and as data for programs."""
