"""Connects the clients with the domain: results and errors become the words of the domain."""
