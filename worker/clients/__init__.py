"""What could be a library of its own: the two upstream APIs, HTTP, downloads. Imports nothing of ours."""
