"""What a run leaves to read: wave forms, bus logs, timelines and words, made from a Recording."""
