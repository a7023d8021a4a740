"""Receiving a live feed: connections on a thread of their own, and the queue to the dataflow."""
