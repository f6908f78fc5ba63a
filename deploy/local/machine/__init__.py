"""What the operating system gives: processes, signals, ports, locks."""
