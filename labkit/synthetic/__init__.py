"""Speech made by a program, so that every notebook runs without a download.

Imports nothing heavy, since each speaker is a process of its own (`espeak.fresh`).
"""
