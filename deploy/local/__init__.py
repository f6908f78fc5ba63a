"""Everything that a run on this machine needs beside the services: a Java run-time, the broker's jars, the broker.

No Docker, no Java and no Maven are needed on the machine: the run-time is a wheel, the jars are fetched by their
lock. An existing installation is used instead where `KAFKA_HOME` names it.
"""
