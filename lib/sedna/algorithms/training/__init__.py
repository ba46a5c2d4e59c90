"""What every training shares: divergence guard, precision, progress, ONNX export."""
