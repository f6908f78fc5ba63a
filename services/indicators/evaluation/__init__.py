"""How well the index and the rules told beforehand who would not pass: pure scoring, over columns."""
