"""AWS on this machine: moto's server answers the control plane, real processes the data plane."""
