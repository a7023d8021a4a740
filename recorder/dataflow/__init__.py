"""The flows of recordings; no other package of the recorder imports bytewax."""
