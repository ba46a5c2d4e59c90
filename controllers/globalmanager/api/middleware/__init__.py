"""ASGI middleware, outermost first: request context, shedding, body limit, authentication."""
