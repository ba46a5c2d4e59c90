"""Custom resources in, job records out, and back: what `kubectl` sees of the loop. It keeps no state of its own."""
