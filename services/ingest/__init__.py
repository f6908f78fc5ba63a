"""The door: takes activity from source systems, keeps out what must stay out, and writes the rest to Kafka."""
