"""Template tags of the whole house: ``{% load ui %}``."""
