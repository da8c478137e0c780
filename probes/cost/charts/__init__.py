"""The figures as drawings: SVG without script, for light and dark, with every number in words beside it.

Drawn by templates of our own.  The libraries that write SVG without a browser were tried: pygal puts a script
into each chart and has one set of colours; matplotlib draws text as outlines or leaves it without alternatives;
Altair and Bokeh draw in a browser.  There is no PNG: CairoSVG and resvg know no CSS variables, which light and dark
need, and draw a black square; a browser makes a PNG (`chromium --headless --screenshot=dots.png dots.svg`).

dots      what became of eight workers at one connection
growth    a figure against the number of workers, a small chart for each strategy
rows      latencies and shares, a row for each strategy
paper     scales, names, and the templates' environment
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import dots, growth, rows


def draw(answer: Mapping[str, Any]) -> dict[str, str]:
    """Every chart that this answer has figures for: file names, and the SVG."""
    return {**dots.draw(answer), **growth.draw(answer), **rows.draw(answer)}
