"""The chapters: every test with @claim judges one claim.  Plain `pytest` runs these."""
