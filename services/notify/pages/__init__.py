"""What tutors see: routes, wording, charts and templates."""
