"""Any number of thresholds in one pass over a product's summaries; begin reading in `threshold_sweep`."""
