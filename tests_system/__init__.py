"""Tests of the suite as a whole process: not part of the default run (`pytest.ini` names tests/ alone).

python -m pytest tests_system
"""
