"""Speech made by a program, so that every notebook runs without a download.

`words`, `digits` and `spanish` each plan a corpus in the layout of a real one; the docstring of each is its README.
Importing this room costs little: each speaker has a process, which would import pandas for longer than it speaks.
"""

MARKER = "SYNTHETIC.txt"  # the file by which every loader knows a corpus of synthetic speech
