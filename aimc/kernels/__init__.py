"""Arrays in, arrays out: numba and LAPACK kernels. Knows numpy, numba and scipy only."""
