"""The networks of the five published studies, each beside the table that its study printed."""
