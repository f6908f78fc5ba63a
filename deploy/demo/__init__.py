"""A demo university, a simulated term and real historical ones, replayed through the front door over HTTP."""
