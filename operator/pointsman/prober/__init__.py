"""Asks servers what they serve, again and again: a shell over the pure readers of `engines` and `vendors`."""
