"""The officer's pages: can we show that we keep our word? Nothing on them lets a student be singled out."""
