"""What the four services share: contracts, policy register, settings, metrics, clock, Kafka plumbing.

Never business rules; never an import of one of the services.
"""
