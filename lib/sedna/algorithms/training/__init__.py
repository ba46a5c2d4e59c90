"""What every training shares, whatever it learns: device, precision, divergence guard, checkpoint, model file, export.

The families (`detection`, `continual`) say what a step is; the modules here know nothing of boxes, tasks or classes of
tasks. `config`, `progress` and `samples` do without torch.
"""
