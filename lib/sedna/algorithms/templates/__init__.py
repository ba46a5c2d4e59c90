"""What ``sedna new algorithm`` writes: whole classes that pass ``sedna check-module``, to be changed by their users."""
