"""The static site that a report can be: its pages, plots and the image browser."""
