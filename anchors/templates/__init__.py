"""Skeletons of reasoning trees, as Jinja2 templates: NAME.LANG.yaml.j2, or NAME.yaml.j2.

A template gets ``title``, ``lang``, ``anchors`` (phrases that fit the title) and ``axes`` (names of
the forest's axes). `_parts.yaml.j2` has the macros that the shipped ones are made of.
"""
