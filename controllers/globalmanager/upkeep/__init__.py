"""What is done by hand to a service's data: compare database and store, take back what was lost, back up, restore.

Nothing here deletes. Every step can be cut short anywhere and repeated: what is done already is found done.
"""
