"""Values in, plans out: one test file per policy, and properties of all plans."""
