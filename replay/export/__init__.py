"""A tape in the forms that other tools read: tables, hftbacktest's arrays, the CSV files of Tardis."""
