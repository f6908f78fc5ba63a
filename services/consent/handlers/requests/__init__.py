"""Use cases of students' requests: handling them, deciding for a student under one, and watching deadlines."""
