"""The pages: routes, what they show, and their templates."""
