"""What the recorder and the live panel share: what can go wrong with a microphone, in words."""

UPLOAD = "You can also record with another program and upload the file."
PROBLEMS = {  # the browser's name for what went wrong: what to do; {again} is the button to press
    "NotAllowedError": "The browser was not allowed to use the microphone. Press the lock or the microphone beside the "
    f"page's address, allow it, and press {{again}} again. {UPLOAD}",
    "NotFoundError": f"No microphone was found. Plug one in and press {{again}} again. {UPLOAD}",
    "NotReadableError": "The microphone is there but cannot be read: another program may be using it. Close that "
    f"program and press {{again}} again. {UPLOAD}",
    "Unsupported": "This page may not use a microphone: browsers give it only to https:// pages and to localhost, and "
    f"VS Code gives it to none. Open the notebook in a browser on this computer. {UPLOAD}",
    "Empty": "The recording is empty: it was stopped before a sound arrived. Press {again} again.",
    "Ended": "The microphone was unplugged or switched off. Plug it in and press {again} again.",
    "Suspended": "The browser has paused the sound. Click on the page; if nothing moves then, stop and press {again} "
    "again.",
}
PROBLEMS["SecurityError"] = PROBLEMS["NotAllowedError"]
PROBLEMS["OverconstrainedError"] = PROBLEMS["NotFoundError"]


def what_to_do(content, again):
    """A problem that the microphone reports, as a sentence that says what to do.

    Parameters
    ----------
    content : dict
        `name`, as the browser calls it, and `message`.
    again : str
        What the button is called that starts it.
    """
    name, message = content.get("name", ""), content.get("message", "")
    if name in PROBLEMS:
        return PROBLEMS[name].format(again=again)
    return f"The microphone failed ({name}: {message}). Press {again} again. {UPLOAD}"
