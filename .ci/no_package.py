"""The build backend that pyproject.toml names: all that `pip install .` does is say this line."""

raise SystemExit("Matting Prune is no package: run its scripts in this folder (README.md says how)")
