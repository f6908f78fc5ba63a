"""What faces the database, each table with its queries, and the migrations that make them; `kafka` what faces Kafka."""
