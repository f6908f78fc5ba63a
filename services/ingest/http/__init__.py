"""The parts of the HTTP interface: who asks, what is read, what is answered, how it is documented."""
