"""A real Apache Kafka on this machine with nothing but Python: a Java run-time, the broker's jars, the broker."""
