"""Programs that write what documents show: diagrams, the figures of docs/scaling.md."""
