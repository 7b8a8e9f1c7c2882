"""Skeletons of reasoning trees, as Jinja2 templates: NAME.LANG.yaml.j2, or NAME.yaml.j2.

A template gets ``title``, ``lang``, ``anchors`` (phrases: first those with words of the title, then
the most shared) and ``axes`` (names of the forest's axes). `_parts.yaml.j2` has the macros that the
shipped ones are made of.
"""
