"""The control plane: where everything is written, in Django. Nothing outside this package imports it."""
