"""How one student's figures came about, told from what the workers keep, by the code that they run."""
