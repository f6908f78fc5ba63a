"""What runs Signpost: on this machine, in containers, and the demo university with its term."""
