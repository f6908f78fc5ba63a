"""What connects the indicators to Kafka."""
