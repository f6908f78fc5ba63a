"""What a shard does with each record of its partition, in memory; `adapters/shard.py` makes it durable."""

from services.indicators.handlers.partition import Partition

__all__ = ["Partition"]
