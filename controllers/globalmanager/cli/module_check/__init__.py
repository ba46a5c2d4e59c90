"""``sedna check-module``: a user's class, taken through everything that will be asked of it, in seconds."""
