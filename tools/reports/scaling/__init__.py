"""The arithmetic of docs/scaling.md: what many connections need of AWS, and what they cost.

assumptions   quotas, prices, counted, measured and assumed figures, each with its source
load          from one event to many connections
__main__      the tables as Markdown: printed, or with `--write` put into docs/scaling.md
"""
