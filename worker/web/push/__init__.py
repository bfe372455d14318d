"""Notices are pushed to endpoints: signed, in order, by one process at a time for each of them."""
