"""The network of an array: transfer matrices, single reads, nonlinear cells, branches."""
