"""The pages of students' requests: the student's own, and those of the staff who handle them."""
