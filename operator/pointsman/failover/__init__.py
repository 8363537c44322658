"""Decides for one request, without IO: where it may go, in which order, and what each event of an attempt leads to."""
