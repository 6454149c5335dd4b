"""Every table of a study with its statistics, from records alone; below report and export."""
