"""The linter of pipelines: rules in one list (`rules`), held against a pipeline by `linter.lint` (S5). Pure."""
