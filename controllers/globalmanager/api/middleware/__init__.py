"""ASGI middleware, outermost first: request context, body limit, authentication."""
