"""What the door reaches outside: its list of source systems, the consent topic, the event log."""
