"""Any number of thresholds in one pass over a product's summaries; `sweeping` is where to begin reading."""
