"""Answers to the exercises of 01_exploration: one of several right ones for each."""

import pandas as pd

import labkit

clips = labkit.data.find("speech_commands", "auto", "lab").clips  # the notebook's table


def smooth(log_mel, n):
    from scipy.fft import dct, idct

    coefficients = dct(log_mel, norm="ortho")  # over the bands: the last axis
    coefficients[:, n:] = 0
    return idct(coefficients, norm="ortho")


def shortest_window(hertz):
    return 2000 / hertz


my_parts = [(["train"] * 8 + ["validation", "test"])[speaker % 10] for speaker in pd.factorize(clips.speaker)[0]]
