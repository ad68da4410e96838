"""A small host application that Retinue protects."""
