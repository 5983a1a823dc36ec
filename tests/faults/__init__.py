"""The operator on a real control plane while something breaks, and what must hold nevertheless."""
