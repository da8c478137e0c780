"""Tests of the audit, on small servers whose behaviour is known because they are made here."""
