"""How kernels are compiled, their threads, BLAS as they see it."""
