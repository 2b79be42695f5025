"""Reports: result files in, tables, plots and pages out."""
