"""What Kizuna costs and carries on AWS, and where it saturates: the arithmetic behind docs/scaling.md.

    given         quotas, prices, measured and assumed figures, each with its source
    counts        what one event makes the real handlers do, counted by running them
    contention    what happens when many speak in one room at once, simulated
    load          rates, quotas and money
    tables        all of it as Markdown

`python -m tools.reports.scaling` prints the tables, `--write` puts them into docs/scaling.md.
"""
