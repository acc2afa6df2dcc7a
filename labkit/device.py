"""What this machine offers: the device, the threads of torch and numpy, the C library's memory."""

import ctypes
import os
import platform
import re
import threading
import warnings
from multiprocessing import connection, parent_process

import psutil
import torch
from threadpoolctl import threadpool_limits

from .errors import LabError, LabWarning


def settle(device="auto"):
    """Choose the device and set the threads of torch and numpy, and the C library's memory, for this process.

    One thread, unless LABKIT_THREADS says otherwise: networks of this size gain nothing from a second one, and a step
    takes up to twenty times as long when two threads wait for each other while another program uses a core.
    """
    threads = os.environ.get("LABKIT_THREADS") or "1"
    if not threads.isdecimal() or int(threads) < 1:
        raise LabError(f"LABKIT_THREADS is {threads!r}, not a number of threads. Set it to 1, 2 ..., or unset it.")
    threadpool_limits(int(threads))  # of numpy's products: small ones took four times as long on two waiting threads
    torch.set_num_threads(int(threads))
    # Tell glibc (Linux) to keep freed memory. Each training step frees and takes the same large blocks; those that go
    # back to the system cost page faults, and a step of a recurrent layer takes about a third less time without them.
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL("libc.so.6")
        for size in (1 << 25, 1 << 30):  # older glibc refuses more than 32 MiB
            for threshold in (-1, -3):  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD
                libc.mallopt(threshold, size)
    if device == "auto":
        device = os.environ.get("LABKIT_DEVICE") or "auto"
    if device != "auto":
        return usable(device)
    for device, there in (("cuda", torch.cuda.is_available), ("mps", torch.backends.mps.is_available)):
        try:
            if there():
                return usable(device)
        except LabError as error:  # a driver that does not fit, or a GPU that is full
            warnings.warn(f"{str(error).partition(' Use ')[0]} The CPU is used.", LabWarning, stacklevel=3)
    return torch.device("cpu")


def usable(device):
    """The device of that name; LabError if nothing can be computed on it."""
    try:
        (torch.ones(1, device=device) + 1).item()
    except (RuntimeError, AssertionError) as error:
        wrong = f"The device {str(device)!r} cannot be used ({str(error).splitlines()[0]})."
        raise LabError(f"{wrong} Use device='auto' or device='cpu'.") from error
    return torch.device(device)


def room(device):
    """Bytes of a device's memory that features may fill: LABKIT_MEMORY (in GB), or a third of what is free there."""
    if asked := os.environ.get("LABKIT_MEMORY"):
        if not re.fullmatch(r"\d+(\.\d+)?", asked):
            raise LabError(f"LABKIT_MEMORY is {asked!r}, not a number of gigabytes. Set it to 2 or 0.5, or unset it.")
        return float(asked) * 1e9
    return (torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else psutil.virtual_memory().available) / 3


def end_with_parent():
    """End this process when the one that started it ends, even when that one is killed."""

    def watch():
        connection.wait([parent_process().sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def device_name(device):
    """The device in words, as records keep it."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{'Apple GPU' if device.type == 'mps' else 'CPU'} ({platform.machine()}, {torch.get_num_threads()} threads)"
