"""The consent service: what each student permits, since when, and told by which words.

It keeps an append-only ledger of decisions and publishes, through a transactional outbox, everything that a student
permits now to the topic `consent-state`, which every gate obeys.
"""
