"""The public register: the policy register that the services enforce, as pages for people and data for programs."""
