"""Tools of the project, run by hand and by the shell scripts of the same names: python -m scripts.make_docs."""
