"""What the cells of a table say of it. So far, its grain; it can only make a table more sensitive."""

from dtm_sharing.detect.grain import grain_evidence

__all__ = ["grain_evidence"]
