"""Speech made by a program, so that every notebook runs without a download.

`words`, `digits` and `spanish` each write a corpus in the layout of a real one; the docstring of each is its README.
Importing this room costs nothing: each speaker is made by a process of their own, which would take longer to import
pandas than to speak.
"""

MARKER = "SYNTHETIC.txt"  # the file by which every loader knows a corpus of synthetic speech
