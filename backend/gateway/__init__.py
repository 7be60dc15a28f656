"""The gateways to connections: API Gateway, and :mod:`backend.gateway.local`, which behaves like it."""
