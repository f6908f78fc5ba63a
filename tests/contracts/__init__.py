"""What the services say to each other on Kafka, held to golden schemas and examples, so that no version changes."""
