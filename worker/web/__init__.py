"""HTTP: how programs outside reach Parley. One ASGI application; the ingress is its first part."""
