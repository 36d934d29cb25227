"""Verification of Heedline's evidence, by anyone: it needs the `cryptography` package and nothing else of Heedline.

It is distributed by itself too (`verifier/`), so all imports between its modules are relative. All is
pure but `__main__`.
"""
