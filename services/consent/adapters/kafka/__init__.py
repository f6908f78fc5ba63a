"""What faces Kafka: a reader whose records take effect in the database, and a look at the topic of consents."""
