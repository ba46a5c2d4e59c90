"""``sedna demo``: the whole loop on real boards in some minutes, measured."""
