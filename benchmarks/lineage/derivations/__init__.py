"""What is made of the bases: one module a kind, one function a derivation."""
