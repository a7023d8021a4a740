"""A plan of several recorders, on one machine or on several, and the services that run them."""
