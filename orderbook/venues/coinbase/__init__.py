"""What the frames and subscriptions of the two Coinbase venues share."""
