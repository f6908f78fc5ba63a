"""One module for each format that source systems speak; each turns bytes into the door's claims.

A module here gives a `read` function from a request's body to claims, refusals and what was held out, and knows
nothing of HTTP, consent or Kafka. Moodle's log, Open edX and Caliper have their place beside the ones that stand here.
"""
